"""This project's step beside that of PyTorch's plain modules, taken in turn: what else the machine does meets both.

    python experiments/benchmarks/pairs.py [--quick] [--limit RATIO]

Run it alone on the machine. A row is an encoder, a net and a precision; its ratio is the median over the pairs. Both
have the same precision, threads and flags, and random reviews: denormals are flushed, freed memory is kept, and no
sequence is packed. The rows are wide, deep and two-way nets in the precision that this project chooses here, beside the
floor: their matrix products alone, at the peak of square products. Writes the table of README.md beside this file.

With --quick the rows are each encoder at two usual sizes, in each precision; the table is printed and not written. With
--limit it fails where a ratio to PyTorch's modules is above the limit. A quick try, on a copy of that README:

    python experiments/benchmarks/pairs.py --output FOLDER --encoders lstm,gru --nets 8x1x1,8x2x2 --batch-size 4 \
        --length 10 --seconds 0.1 --products 64
"""

import argparse
import math
import re
import statistics
from itertools import product
from typing import NamedTuple

import torch
from tqdm import tqdm

import device
from benchmark import add_products, new_parser, parsed, publish
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

NETS = "512x1x1,1024x1x1,256x2x1,256x3x1,256x1x2"
QUICK = ((70, Size(H=64, E=32)), (250, Size(H=256, E=100)))
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
    """Measure, and write or print."""
    parser = new_parser(__doc__, list(GATES))
    add = parser.add_argument
    add("--nets", type=nets, default=NETS, help="H x layers x directions (default: %(default)s)")
    add("--batch-size", type=int, default=64, metavar="B", help="reviews of a step (default: %(default)s)")
    add("--length", type=int, default=250, metavar="T", help="words of a review (default: %(default)s)")
    add("--seconds", type=float, default=10.0, help="that a row is timed for, at least (default: %(default)s)")
    add("--quick", action="store_true", help="the usual sizes alone; print and do not write")
    add("--limit", type=float, metavar="RATIO", help="fail where a ratio to PyTorch's modules is above it")
    add_products(parser)
    arguments = parsed(parser, "wide")
    runtime.prepare(runtime.cores())
    precisions = device.precisions() if arguments.quick else device.precisions()[-1:]
    sizes = QUICK if arguments.quick else tuple((arguments.length, size) for size in arguments.nets)
    encoders = [encoder for encoder in arguments.encoders if arguments.quick or encoder in MODULES]
    peaks = {precision: device.peak(precision, arguments.products) for precision in precisions}
    rows, slower = [], []
    for encoder, (T, size), precision in tqdm(list(product(encoders, sizes, peaks)), desc="Pairs", disable=None):
        pair = measured_pair(encoder, precision, arguments.batch_size, T, size, arguments.seconds)
        floor = arguments.batch_size * T * operations(encoder, size) / peaks[precision] or math.nan
        shape = map(str, (size.H, size.layers, size.directions)) if encoder in MODULES else "–––"
        times = (f"{1e3 * seconds:,.1f} ms" for seconds in (pair.project, pair.pytorch, floor))
        ratios = (f"{ratio:.2f}" for ratio in (pair.ratio, pair.project / floor, pair.pytorch / floor))
        cells = (encoder, *shape, str(T), device.in_words(precision), *times, *ratios)
        rows.append([cell.replace("nan ms", "–").replace("nan", "–") for cell in cells])
        if arguments.limit is not None and pair.ratio > arguments.limit:
            slower.append(f"{encoder}, H {size.H}, {device.in_words(precision)}: {pair.ratio:.2f}")
    columns = (
        *("encoder", "H", "layers", "directions", "words", "precision"),
        *("this project", "PyTorch's modules", "products alone"),
        *("this project / PyTorch's", "this project / products", "PyTorch's / products"),
    )
    rates = ", ".join(f"{rate / 1e9:,.0f} GFLOP/s in {device.in_words(p)}" for p, rate in peaks.items())
    table = Table(f"A step of {arguments.batch_size} reviews on {device.name()}; products at {rates}.", columns, rows)
    if arguments.quick:
        show(new_console(), table)
    else:
        publish(arguments.output, "wide", table)
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
    started = device.now()
    while len(pairs) < LEAST_PAIRS or device.now() - started < seconds:
        pairs.append((project(batch), pytorch(batch)))
    ours, theirs = zip(*pairs, strict=True)
    ratios = [mine / other for mine, other in pairs]
    return Pair(statistics.median(ours), statistics.median(theirs), statistics.median(ratios))


def nets(text: str) -> tuple[Size, ...]:
    """A type of option: `512x1x1,256x2x2`, each H, layers and directions."""
    given = [re.fullmatch(r"([1-9]\d*)x([1-9]\d*)x([12])", net) for net in text.split(",")]
    if not all(given):
        raise argparse.ArgumentTypeError(f"{text}: expected H x layers x directions, such as 512x1x1,256x2x2")
    return tuple(Size(*map(int, net.groups())) for net in given if net)


if __name__ == "__main__":
    run(main)
