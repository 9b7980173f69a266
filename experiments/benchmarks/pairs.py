"""Is a step still faster than one of PyTorch's plain modules? Both are taken in turn, so that a neighbor meets both.

    python experiments/benchmarks/pairs.py [--limit RATIO]

Run it alone on the machine. A row is an encoder, a usual size and a precision; its ratio is the median over the pairs.
Both have the same precision, threads and flags, and random reviews: denormals are flushed, freed memory is kept, and no
sequence is packed. Beside them is the floor: their matrix products alone, at the peak of square products. The table is
printed. With --limit it fails where a ratio to PyTorch's modules is above the limit twice. A quick try:

    python experiments/benchmarks/pairs.py --encoders rnn,bag --batch-size 4 --seconds 0.1 --products 64
"""

import math
import statistics
import time
from functools import partial
from itertools import product
from typing import NamedTuple

import sentiment_rnn  # noqa: F401  # before torch: it sets how threads wait, as in every command

# isort: split
import torch
from tqdm import tqdm

import device
from benchmark import add_products, new_parser, some_of
from sentiment_rnn import runtime
from sentiment_rnn.cli.errors import run
from sentiment_rnn.errors import UserError
from sentiment_rnn.report.tables import Table, new_console, show
from steps import (
    GATES,
    MODULES,
    Plain,
    Size,
    classifier_step,
    operations,
    project_model,
    random_batch,
    threads_of_run,
)

SIZES = ((70, Size(H=64, E=32)), (250, Size(H=256, E=100)))
"""T and the model: of the studies on generated reviews, and of IMDb."""
LEAST_PAIRS = 5


class Pair(NamedTuple):
    """Medians over the pairs of steps."""

    project: float
    """Seconds of this project's step."""
    pytorch: float
    """Seconds of the plain modules' step."""
    ratio: float
    """The first by the second, pair by pair; below 1 this project is the faster one."""


def main() -> None:
    """Measure and print."""
    parser = new_parser(__doc__)
    add = parser.add_argument
    add("--encoders", type=some_of(*GATES), default=",".join(GATES), help="some of %(default)s")
    add("--batch-size", type=int, default=64, metavar="B", help="reviews of a step (default: %(default)s)")
    add("--seconds", type=float, default=4.0, help="that a row is timed for, at least (default: %(default)s)")
    add("--limit", type=float, metavar="RATIO", help="fail where a ratio to PyTorch's modules is above it")
    add_products(parser, "1024")
    arguments = parser.parse_args()
    runtime.prepare(runtime.cores())
    peaks = {precision: device.peak(precision, arguments.products) for precision in device.precisions()}
    rows, slower = [], []
    for encoder, (T, size), precision in tqdm(list(product(arguments.encoders, SIZES, peaks)), "Pairs", disable=None):
        measure = partial(measured_pair, encoder, precision, arguments.batch_size, T, size, arguments.seconds)
        pair = measure()
        if arguments.limit is not None and pair.ratio > arguments.limit:  # a neighbor may have met one of them
            pair = min(pair, measure(), key=lambda one: one.ratio)
        floor = arguments.batch_size * T * operations(encoder, size) / peaks[precision] or math.nan
        times = (f"{1e3 * seconds:,.1f} ms" for seconds in (pair.project, pair.pytorch, floor))
        ratios = (f"{ratio:.2f}" for ratio in (pair.ratio, pair.project / floor, pair.pytorch / floor))
        width = str(size.H) if encoder in MODULES else "–"
        cells = (encoder, width, str(T), device.in_words(precision), *times, *ratios)
        rows.append([cell.replace("nan ms", "–").replace("nan", "–") for cell in cells])
        if arguments.limit is not None and pair.ratio > arguments.limit:
            slower.append(f"{encoder}, H {size.H}, {device.in_words(precision)}: {pair.ratio:.2f}")
    columns = (
        *("encoder", "H", "words", "precision"),
        *("this project", "PyTorch's modules", "products alone"),
        *("this project / PyTorch's", "this project / products", "PyTorch's / products"),
    )
    rates = ", ".join(f"{rate / 1e9:,.0f} GFLOP/s in {device.in_words(p)}" for p, rate in peaks.items())
    title = f"A step of {arguments.batch_size} reviews on {device.processor()}; products at {rates}."
    show(new_console(), Table(title, columns, rows))
    if slower:
        raise UserError(f"above {arguments.limit} times the time of PyTorch's modules: {'; '.join(slower)}")


def measured_pair(encoder: str, precision: torch.dtype, B: int, T: int, size: Size, seconds: float) -> Pair:
    """Take pairs of steps on random reviews for some seconds, and `LEAST_PAIRS` at least."""
    runtime.prepare(threads_of_run(encoder))
    torch.manual_seed(0)
    half = precision == torch.bfloat16
    project = classifier_step(project_model(encoder, size), half, rows=True)
    pytorch = classifier_step(Plain(encoder, size), half)
    batch = random_batch(B, T)
    for step in (project, pytorch):
        step(batch)  # the optimizer's state, the library, the threads
    pairs: list[tuple[float, float]] = []
    started = time.perf_counter()
    while len(pairs) < LEAST_PAIRS or time.perf_counter() - started < seconds:
        pairs.append((project(batch), pytorch(batch)))
    ours, theirs = zip(*pairs, strict=True)
    ratios = [mine / other for mine, other in pairs]
    return Pair(statistics.median(ours), statistics.median(theirs), statistics.median(ratios))


if __name__ == "__main__":
    run(main)
