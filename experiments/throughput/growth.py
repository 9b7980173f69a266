"""How do the time and the memory of a training step grow with T, B and H?

    python experiments/throughput/growth.py

Run it alone on the machine. Each point is a process of its own on random tokens; growth.csv, growth.png and the table
of README.md beside this file are made anew. Packed sequences have denormals flushed and freed memory kept, as ours do,
so that what is seen is their own growth; they are left out where a step would take over half a minute.
"""

import csv
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import torch
from cases import VOCABULARY_SIZE, build, prepare, stepper
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tqdm import tqdm

from sentiment_rnn import runtime
from sentiment_rnn.analysis.comparison import markdown
from sentiment_rnn.analysis.figures import PALETTE, new_figure, styled
from sentiment_rnn.compare import replace_block

HERE = Path(__file__).parent
BASE = {"T": 250, "B": 64, "H": 256}
VALUES = {"T": (50, 100, 200, 400, 800, 1600), "B": (16, 32, 64, 128, 256, 512), "H": (64, 128, 256, 512, 1024)}
FITTED_FROM = {"T": 100, "B": 64, "H": 256}
"""Exponents are fitted from here on: below, what a step costs however small it is weighs too much."""
LONGEST_STEP = 30.0
"""Seconds; a point whose step is expected to take longer is left out."""
CASES = {"rows": "this project", "packed_kept": "packed sequences"}


@dataclass
class Point:
    """One measurement."""

    encoder: str
    case: str
    axis: str
    value: int
    seconds: float
    peak_bytes: int
    """Highest memory of the steps, above what the process held with its model."""


def main() -> None:
    """Measure, write, print."""
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))))
        return
    points: list[Point] = []
    series = [(encoder, case, axis) for case in CASES for encoder in ("lstm", "rnn") for axis in VALUES]
    for encoder, case, axis in tqdm(series, desc="Series", disable=None):
        for value in VALUES[axis]:
            earlier = [p for p in points if (p.encoder, p.case, p.axis) == (encoder, case, axis)]
            if len(earlier) > 1:
                growth = earlier[-1].seconds / earlier[-2].seconds
                if earlier[-1].seconds * growth > LONGEST_STEP:
                    break
            sizes = {**BASE, axis: value}
            command = [sys.executable, __file__, case, encoder, *map(str, sizes.values())]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                sys.exit(f"error: {' '.join(command)}:\n{done.stderr[-2000:]}")
            points.append(Point(encoder, case, axis, value, *json.loads(done.stdout.strip().splitlines()[-1])))
    write(points)


def measure(case: str, encoder: str, T: int, B: int, H: int) -> tuple[float, int]:
    """Seconds of a step (the median) and its memory, in this process."""
    bfloat16 = prepare(case)
    torch.manual_seed(0)
    step = stepper(case, build(case, encoder, H), bfloat16)
    tokens = torch.randint(2, VOCABULARY_SIZE, (B, T))
    batch = tokens, torch.full((B,), T), torch.randint(0, 2, (B,)).float()
    step(batch)  # the optimizer's state, the library, the threads
    runtime.reset_peak_memory()
    resting = torch.cuda.memory_allocated() if runtime.on_gpu("auto") else psutil.Process().memory_info().rss
    times = [step(batch)]
    while len(times) < 15 and sum(times) < 8:
        times.append(step(batch))
    return statistics.median(times), runtime.peak_memory() - resting


def exponent(points: Sequence[Point], quantity: str) -> float:
    """The power with which `seconds` or `peak_bytes` of one series grow, fitted to their logarithms."""
    points = [p for p in points if p.value >= FITTED_FROM[p.axis]]
    if len(points) < 2:
        return float("nan")
    x, y = [p.value for p in points], [getattr(p, quantity) for p in points]
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


# ---- what is written -------------------------------------------------------------------------------------------------


def write(points: Sequence[Point]) -> None:
    """growth.csv, growth.png and the table of the README."""
    with (HERE / "growth.csv").open("w") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["encoder", "case", "axis", "value", "seconds", "peak_bytes"])
        writer.writerows([p.encoder, p.case, p.axis, p.value, f"{p.seconds:.4g}", p.peak_bytes] for p in points)
    growth_figure(points).savefig(HERE / "growth.png")
    rows = []
    for encoder in ("lstm", "rnn"):
        for case, name in CASES.items():
            fits = [(axis, "seconds") for axis in VALUES] + [("T", "peak_bytes"), ("B", "peak_bytes")]
            exponents = (exponent(of(points, encoder, case, axis), quantity) for axis, quantity in fits)
            rows.append((encoder, name, *(f"{value:.2f}" for value in exponents)))
    columns = ("", "", "time by T", "time by B", "time by H", "memory by T", "memory by B")
    text = markdown(columns, rows)
    replace_block(HERE / "README.md", "growth", text)
    print(text)


def of(points: Sequence[Point], encoder: str, case: str, axis: str) -> list[Point]:
    """One series."""
    return [p for p in points if (p.encoder, p.case, p.axis) == (encoder, case, axis)]


@styled
def growth_figure(points: Sequence[Point]) -> Figure:
    """Seconds a step against T, B and H, and memory against T, on logarithmic axes."""
    figure, panels = new_figure(4, width=3.9, height=3.9)
    names = {"T": "T [tokens]", "B": "B [reviews]", "H": "H [width of the state]"}
    for axes, axis in zip(panels, VALUES, strict=False):
        draw(axes, points, axis, "seconds", 1.0)
        axes.set_xlabel(names[axis])
        axes.set_ylabel("seconds a step")
        axes.set_title(f"Time by {axis}")
    draw(panels[3], points, "T", "peak_bytes", 2.0**-30)
    panels[3].set_xlabel(names["T"])
    panels[3].set_ylabel("memory of a step [GiB]")
    panels[3].set_title("Memory by T")
    return figure


def draw(axes: Axes, points: Sequence[Point], axis: str, quantity: str, unit: float) -> None:
    """Every series of one panel, its exponent in the legend."""
    for encoder, color in (("lstm", PALETTE[0]), ("rnn", PALETTE[1])):
        for case, name in CASES.items():
            series = of(points, encoder, case, axis)
            label = f"{encoder}, {name}: {exponent(series, quantity):.2f}"
            line = {"rows": "o-", "packed_kept": "s--"}[case]
            values = [getattr(p, quantity) * unit for p in series]
            axes.plot([p.value for p in series], values, line, color=color, label=label, markersize=4)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(VALUES[axis], [str(value) for value in VALUES[axis]])
    low, high = axes.get_ylim()
    axes.set_ylim(top=high * (high / low) ** 0.5)  # room for the legend
    axes.legend(fontsize=8, loc="upper left", title="exponent", title_fontsize=8)


if __name__ == "__main__":
    main()
