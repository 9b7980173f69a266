"""Compares the time of a training step with the usual alternatives.

    python experiments/benchmarks/speed.py [--packed] [--limit RATIO]

Run it while nothing else runs on the machine. A row is an encoder, a usual size and a precision, on random reviews. The
columns are this project's step; PyTorch's modules on padded and on packed sequences; Keras, if `make bench` has
installed it; and the matrix products alone, at the speed of square products in PyTorch (the compiled recurrence can be
faster). PyTorch's modules have the same threads and flags as this project: denormals are flushed, freed memory is kept.
Times are medians. For a quick try:

    python experiments/benchmarks/speed.py --packed --encoders rnn bag --batch-size 4 --seconds 0.1 --product 64
"""

import argparse
import json
import math
import platform
import subprocess
from itertools import product
from pathlib import Path

import alone  # noqa: F401  # before torch

# isort: split
import torch
from torch.utils.benchmark import Timer
from tqdm import tqdm

from sentiment_rnn import runtime
from sentiment_rnn.cli.errors import run
from sentiment_rnn.errors import UserError
from sentiment_rnn.report.tables import Table, new_console, show
from steps import GATES, Plain, Size, Step, operations, project_step, pytorch_step, random_batch, threads_of_run

SIZES = ((70, Size(H=64, E=32)), (250, Size(H=256, E=100)))
"""T and sizes of the model: those of the studies on generated reviews, and those of IMDb."""
KERAS = Path(__file__).parents[2] / ".venv-keras"
"""The virtual environment that make bench creates for Keras."""
OURS, PADDED = "this project", "PyTorch, padded"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--encoders", nargs="+", choices=GATES, default=list(GATES), help="(default: all)")
    add("--batch-size", type=int, default=64, metavar="B", help="reviews of a step (default: %(default)s)")
    add("--seconds", type=float, default=2.0, help="that each step is timed for, at least (default: %(default)s)")
    add("--product", type=int, default=1024, metavar="N", help="size of the square products (default: %(default)s)")
    add("--packed", action="store_true", help="also packed sequences and Keras, whose steps take seconds")
    add("--limit", type=float, metavar="RATIO", help=f"fail where {OURS} / {PADDED} is above it twice")
    arguments = parser.parse_args()
    runtime.prepare(runtime.cores())
    fast = runtime.resolve_precision("auto", "cpu") == "bfloat16"  # emulated bfloat16 is hundreds of times slower
    peaks = {of: peak(of, arguments.product) for of in (torch.float32, torch.bfloat16)[: 1 + fast]}
    rows, slower = [], []
    for encoder, (T, size), precision in tqdm(list(product(arguments.encoders, SIZES, peaks)), "Rows", disable=None):
        seconds = seconds_of_steps(encoder, size, T, precision, arguments)
        ratio = seconds[OURS] / seconds[PADDED]
        if arguments.limit is not None and ratio > arguments.limit:  # again: another process may have slowed it
            again = seconds_of_steps(encoder, size, T, precision, arguments)
            ratio = min(ratio, again[OURS] / again[PADDED])
            slower += [f"{encoder}, H {size.H}: {ratio:.2f}"] if ratio > arguments.limit else []
        products = arguments.batch_size * T * operations(encoder, size) / peaks[precision] or math.nan
        name = str(precision).removeprefix("torch.")
        times = [*seconds.values(), seconds[OURS] / products]
        cells = (f"{1000 * times[0]:.1f} ms", *(f"{of / times[0]:.2f}" for of in times[1:-1]), f"{times[-1]:.2f}")
        rows.append((encoder, str(size.H), str(T), name, *(cell.replace("nan", "–") for cell in cells)))
    others = [f"{name} / {OURS}" for name in list(seconds)[1:]]
    columns = ("encoder", "H", "words", "precision", OURS, *others, f"{OURS} / products")
    rates = ", ".join(f"{rate / 1e9:,.0f} GFLOP/s in {str(of).removeprefix('torch.')}" for of, rate in peaks.items())
    processor = f"{runtime.cpuinfo('model name') or platform.machine()}, {runtime.cores()} cores"
    title = f"A step of {arguments.batch_size} reviews on {processor}; products at {rates}."
    show(new_console(), Table(title, columns, rows))
    if slower:
        raise UserError(f"above {arguments.limit} times the time of PyTorch's modules: {'; '.join(slower)}")


def peak(dtype: torch.dtype, n: int) -> float:
    """Operations per second of a square matrix product of size n."""
    left, right = torch.randn(2, n, n).to(dtype)
    timer = Timer("left @ right", globals={"left": left, "right": right}, num_threads=runtime.cores())
    return 2 * n**3 / timer.blocked_autorange().median


def seconds_of_steps(
    encoder: str, size: Size, T: int, precision: torch.dtype, asked: argparse.Namespace
) -> dict[str, float]:
    """Median seconds of a step, by who takes it."""
    torch.manual_seed(0)
    batch, half = random_batch(asked.batch_size, T), precision == torch.bfloat16

    def seconds(step: Step) -> float:
        step(batch)  # warm-up: sets up the optimizer's state, the library and the threads
        timer = Timer("step(batch)", globals={"step": step, "batch": batch}, num_threads=threads_of_run(encoder))
        return float(timer.blocked_autorange(min_run_time=asked.seconds).median)

    found = {
        OURS: seconds(project_step(encoder, size, half)),
        PADDED: seconds(pytorch_step(Plain(encoder, size), half)),
    }
    if asked.packed:
        packed = encoder != "bag"
        found["PyTorch, packed"] = seconds(pytorch_step(Plain(encoder, size, packed), half)) if packed else math.nan
        found["Keras"] = keras_seconds(encoder, size, asked.batch_size, T, half) if packed else math.nan
    return found


def keras_seconds(encoder: str, size: Size, B: int, T: int, half: bool) -> float:
    """Median seconds of a step in Keras, in an environment of its own; NaN if it is not installed."""
    python = KERAS / "bin" / "python"
    if not python.exists():
        return math.nan
    case = {"encoder": encoder, "policy": "mixed_bfloat16" if half else "float32", "B": B, "T": T, **size.__dict__}
    command = [str(python), str(Path(__file__).with_name("keras_case.py")), json.dumps(case)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])


if __name__ == "__main__":
    run(main)
