"""What growth.py writes: growth.csv, growth.png and the table of the README."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmark import publish
from sentiment_rnn.report.figures import PALETTE, new_figure, styled
from sentiment_rnn.report.tables import Table, markdown

CASES = {"rows": "this project", "packed_kept": "packed sequences"}
COLORS = {"lstm": PALETTE[0], "rnn": PALETTE[1]}
LINES = {"rows": "o-", "packed_kept": "s--"}
LABELS = {"T": "T [tokens]", "B": "B [reviews]", "H": "H [width of the state]"}


@dataclass(frozen=True)
class Axis:
    """One of the sizes that vary."""

    name: str
    """`T`, `B` or `H`."""
    values: tuple[int, ...]
    base: int
    """Its value where another size varies."""
    fitted_from: int
    """Exponents are fitted from here on: below, the fixed cost of a step weighs too much."""


@dataclass(frozen=True)
class Point:
    """One measurement."""

    encoder: str
    case: str
    axis: str
    value: int
    seconds: float
    peak_bytes: int
    """Highest memory of the steps, above what the process held with its model."""


def write(points: Sequence[Point], axes: Sequence[Axis], machine: str, folder: Path) -> None:
    """Write the files into `folder` and print the table."""
    with (folder / "growth.csv").open("w") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["encoder", "case", "axis", "value", "seconds", "peak_bytes"])
        writer.writerows([p.encoder, p.case, p.axis, p.value, f"{p.seconds:.4g}", p.peak_bytes] for p in points)
    growth_figure(points, axes).savefig(folder / "growth.png")
    publish(folder, growth=markdown([table(points, axes, machine)]))


def table(points: Sequence[Point], axes: Sequence[Axis], machine: str) -> Table:
    """Exponents, a row for each encoder and case."""
    fits = [(axis, "seconds") for axis in axes] + [(axis, "peak_bytes") for axis in axes if axis.name in "TB"]
    names = {"seconds": "time", "peak_bytes": "memory"}
    rows = []
    for encoder, case in kinds(points):
        exponents = (exponent(along(points, encoder, case, axis), axis, quantity) for axis, quantity in fits)
        stops = [stop for axis in axes if (stop := stopped(along(points, encoder, case, axis), axis))]
        cells = (f"{value:.2f}".replace("nan", "–") for value in exponents)
        rows.append((encoder, CASES[case], *cells, ", ".join(stops) or "–"))
    columns = ("encoder", "case", *(f"{names[quantity]} by {axis.name}" for axis, quantity in fits), "stops at")
    return Table(f"Exponents of the growth of a training step on {machine}.", columns, rows)


def kinds(points: Sequence[Point]) -> list[tuple[str, str]]:
    """Encoder and case of the series, in the order measured."""
    return list(dict.fromkeys((p.encoder, p.case) for p in points))


def along(points: Sequence[Point], encoder: str, case: str, axis: Axis) -> list[Point]:
    """One series."""
    return [p for p in points if (p.encoder, p.case, p.axis) == (encoder, case, axis.name)]


def stopped(series: Sequence[Point], axis: Axis) -> str:
    """`T 1600` where the next point would have taken too long; empty of a series with all its points, or none."""
    return f"{axis.name} {series[-1].value}" if 0 < len(series) < len(axis.values) else ""


def exponent(series: Sequence[Point], axis: Axis, quantity: str) -> float:
    """The power with which `seconds` or `peak_bytes` grow, fitted to their logarithms; nan of fewer than two points."""
    fitted = [(p.value, getattr(p, quantity)) for p in series if p.value >= axis.fitted_from]
    x, y = np.array([pair for pair in fitted if pair[1] > 0]).reshape(-1, 2).T
    return float(np.polyfit(np.log(x), np.log(y), 1)[0]) if len(x) > 1 else float("nan")


@styled
def growth_figure(points: Sequence[Point], axes: Sequence[Axis]) -> Figure:
    """Seconds a step against T, B and H, and memory against T, on logarithmic axes."""
    figure, panels = new_figure(4, width=3.9, height=3.9)
    for panel, axis in zip(panels, axes, strict=False):
        draw(panel, points, axis, "seconds", 1.0)
        panel.set_ylabel("seconds a step")
        panel.set_title(f"Time by {axis.name}")
    draw(panels[3], points, axes[0], "peak_bytes", 2.0**-30)
    panels[3].set_ylabel("memory of a step [GiB]")
    panels[3].set_title("Memory by T")
    return figure


def draw(panel: Axes, points: Sequence[Point], axis: Axis, quantity: str, unit: float) -> None:
    """Every series of one panel, its exponent in the legend."""
    for encoder, case in kinds(points):
        series = along(points, encoder, case, axis)
        label = f"{encoder}, {CASES[case]}: {exponent(series, axis, quantity):.2f}"
        if stop := stopped(series, axis):
            label += f", stops at {stop}"
        values = [getattr(p, quantity) * unit for p in series]
        panel.plot([p.value for p in series], values, LINES[case], color=COLORS[encoder], label=label, markersize=4)
    panel.set_xlabel(LABELS[axis.name])
    panel.set_xscale("log", base=2)
    panel.set_yscale("log")
    panel.set_xticks(axis.values, [str(value) for value in axis.values])
    low, high = panel.get_ylim()
    panel.set_ylim(top=high * (high / low) ** 0.5)  # room for the legend
    panel.legend(fontsize=8, loc="upper left", title="exponent", title_fontsize=8)
