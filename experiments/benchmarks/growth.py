"""How do the time and the memory of a training step grow with T, B and H?

    python experiments/benchmarks/growth.py

Run it alone on the machine. Each point is a process of its own on random tokens. Writes growth.csv and the table of
README.md beside this file. Packed sequences have denormals flushed and freed memory kept, as ours do, so that
what is seen is their own growth. A series stops before a point that would take over a minute; the table and the legend
say where. A quick try, on a copy of that README:

    python experiments/benchmarks/growth.py --output FOLDER --encoders lstm --cases rows --lengths 16,32 \
        --batch-sizes 8,16 --widths 32,64 --base 16,8,32 --fitted-from 16,8,32
"""

import tempfile
from collections.abc import Sequence
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

import device
from benchmark import ENCODERS, new_parser, numbers, parsed, publish, some_of
from cases import Case, save, timed
from sentiment_rnn.cli.errors import run
from sentiment_rnn.report.tables import Table, csv_text
from steps import random_batch

LONGEST_POINT = 60.0
"""Seconds; a point that is expected to take longer is left out."""
STEPS_OF_A_POINT = 2
"""At least: one that warms up, and one that is timed."""
CASES = {"rows": "this project", "packed_kept": "packed sequences"}

Series = list[tuple[int, float, int]]
"""The values of a size, each with the seconds of a step and its memory in bytes."""


def main() -> None:
    """Measure, write, print."""
    parser = new_parser(__doc__, ENCODERS)
    add = parser.add_argument
    add("--cases", type=some_of(*CASES), default=",".join(CASES), help="some of %(default)s")
    add("--lengths", type=numbers, default="50,100,200,400,800,1600,3200", help="T (default: %(default)s)")
    add("--batch-sizes", type=numbers, default="16,32,64,128,256,512", help="B (default: %(default)s)")
    add("--widths", type=numbers, default="64,128,256,512,1024", help="H (default: %(default)s)")
    add("--base", type=numbers, default="250,64,256", help="T,B,H where they do not vary (default: %(default)s)")
    add(
        "--fitted-from", type=numbers, default="100,64,256",
        help="T,B,H from which exponents are fitted; below, the fixed cost of a step weighs too much "
        "(default: %(default)s)",
    )  # fmt: skip
    arguments = parsed(parser, "growth")
    axes = {"T": arguments.lengths, "B": arguments.batch_sizes, "H": arguments.widths}
    base, fitted_from = (dict(zip(axes, sizes, strict=True)) for sizes in (arguments.base, arguments.fitted_from))
    kinds = list(product(arguments.encoders, arguments.cases))
    points: list[tuple[str | float, ...]] = []
    rows = []
    for encoder, case in tqdm(kinds, desc="Encoders and cases", disable=None):
        series = {axis: measured_series(encoder, case, axis, values, base) for axis, values in axes.items()}
        points += [(encoder, case, axis, *point) for axis, along in series.items() for point in along]
        exponents = [exponent(series[axis], fitted_from[axis]) for axis in axes]
        exponents += [exponent(series[axis], fitted_from[axis], of_memory=True) for axis in "TB"]
        cells = (f"{value:.2f}".replace("nan", "–") for value in exponents)
        stops = [f"{axis} {series[axis][-1][0]}" for axis, values in axes.items() if len(series[axis]) < len(values)]
        rows.append((encoder, CASES[case], *cells, ", ".join(stops) or "–"))
    names = ("encoder", "case", "axis", "value", "seconds", "peak_bytes")
    (arguments.output / "growth.csv").write_text(csv_text(names, points))
    columns = ("encoder", "case", *(f"time by {axis}" for axis in axes), "memory by T", "memory by B", "stops at")
    title = f"Exponents of the growth of a training step on {device.name()}."
    publish(arguments.output, "growth", Table(title, columns, rows))


def measured_series(encoder: str, case: str, axis: str, values: Sequence[int], base: dict[str, int]) -> Series:
    """The points along one axis, up to the first whose step is expected to take too long."""
    series: Series = []
    for value in values:
        if len(series) > 1:
            expected = series[-1][1] ** 2 / series[-2][1]
            if STEPS_OF_A_POINT * expected > LONGEST_POINT:
                break
        series.append((value, *measured(case, encoder, **(base | {axis: value}))))
    return series


@cache
def measured(case: str, encoder: str, T: int, B: int, H: int) -> tuple[float, int]:
    """Seconds of a step and its memory; a point that two axes share is measured once."""
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        batches = save([random_batch(B, T)], Path(folder, "batch.npz"))
        timing = timed(Case(case, encoder, str(batches), repeats=15, H=H, most_seconds=8))
    return timing.seconds[0], timing.peak_bytes


def exponent(series: Series, fitted_from: int, of_memory: bool = False) -> float:
    """The power with which seconds or bytes grow, fitted to their logarithms; nan of fewer than two points.

    Args:
        fitted_from: the first value that counts: below, the fixed cost of a step weighs too much.
    """
    fitted = [(value, memory if of_memory else seconds) for value, seconds, memory in series if value >= fitted_from]
    x, y = np.array([pair for pair in fitted if pair[1] > 0]).reshape(-1, 2).T
    return float(np.polyfit(np.log(x), np.log(y), 1)[0]) if len(x) > 1 else float("nan")


if __name__ == "__main__":
    run(main)
