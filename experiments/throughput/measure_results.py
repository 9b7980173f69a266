"""What measure.py writes: results.csv, profile.csv, throughput.png and the tables of the README."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from benchmark import publish
from cases import CASES
from sentiment_rnn.report.figures import PALETTE, new_figure, styled
from sentiment_rnn.report.tables import Table, markdown

NAMES = {
    "packed": "PyTorch, packed sequences",
    "packed_kept": "packed, denormals flushed, freed memory kept",
    "padded": "padded",
    "flushed": "+ denormals flushed",
    "kept": "+ freed memory kept",
    "bfloat16": "+ bfloat16",
    "compiled": "+ compiled recurrence",
    "rows": "+ embedding updated by rows: this project",
    "float32": "Keras",
    "mixed_bfloat16": "Keras, mixed bfloat16",
    "floor float32": "matrix products alone, float32",
    "floor bfloat16": "matrix products alone, bfloat16",
}
TITLES = {"lstm": "LSTM", "rnn": "vanilla RNN"}


@dataclass(frozen=True)
class Row:
    """One case."""

    encoder: str
    case: str
    batch_size: int
    """0 where there are no batches."""
    epoch_seconds: float
    tokens_per_second: float
    """Tokens of reviews, padding not counted."""


Profiles = dict[tuple[str, int], dict[str, float]]
"""Encoder and batch size → seconds of a step by what they are spent on."""


def write(rows: Sequence[Row], profiles: Profiles, source: str, machine: str, folder: Path) -> None:
    """Write the files into `folder` and print the tables."""
    with (folder / "results.csv").open("w") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["encoder", "case", "batch_size", "epoch_seconds", "tokens_per_second"])
        writer.writerows(
            [r.encoder, r.case, r.batch_size or "", f"{r.epoch_seconds:.4g}", f"{r.tokens_per_second:.4g}"]
            for r in rows
        )
    with (folder / "profile.csv").open("w") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["encoder", "batch_size", "part", "milliseconds"])
        for (encoder, size), parts in profiles.items():
            writer.writerows([encoder, size, part, f"{1e3 * seconds:.4g}"] for part, seconds in parts.items())
    throughput_figure(rows, source).savefig(folder / "throughput.png")
    text = f"{source}, {machine}\n\n{markdown([table(rows, encoder) for encoder in encoders(rows)])}"
    spent = markdown([profile_table(profiles)]) if profiles else "What a step is spent on is not looked at on a GPU.\n"
    publish(folder, throughput=text, profile=spent)


def encoders(rows: Sequence[Row]) -> list[str]:
    """Those measured, in their order."""
    return list(dict.fromkeys(row.encoder for row in rows))


def table(rows: Sequence[Row], encoder: str) -> Table:
    """The cases of one encoder; – where what they are compared with was not measured."""
    mine = [r for r in rows if r.encoder == encoder]
    seconds = {r.case: r.epoch_seconds for r in reversed(mine)}
    floor = min((case for case in seconds if case.startswith("floor")), key=lambda case: seconds[case])
    packed, keras = (seconds.get(case, float("nan")) for case in ("packed", "float32"))
    cells = [
        (
            NAMES[r.case],
            str(r.batch_size or "–"),
            f"{r.epoch_seconds:,.1f} s",
            f"{r.tokens_per_second:,.0f}",
            f"{packed / r.epoch_seconds:,.1f}".replace("nan", "–"),
            f"{keras / r.epoch_seconds:.2f}".replace("nan", "–"),
            f"{r.epoch_seconds / seconds[floor]:,.2f}",
        )
        for r in mine
    ]
    precision = floor.removeprefix("floor ")
    columns = ("case", "batch", "an epoch", "tokens / s", "× packed", "× Keras", f"× {precision} floor")
    return Table(f"An epoch of the {TITLES[encoder]}.", columns, cells)


def profile_table(profiles: Profiles) -> Table:
    """Milliseconds of a step by part, a column for each encoder and batch size."""
    columns = ("part", *(f"{encoder}, B {size}" for encoder, size in profiles))
    parts = next(iter(profiles.values()))
    rows = [(part, *(f"{1e3 * of[part]:.1f}" for of in profiles.values())) for part in parts]
    rows.append(("all", *(f"{1e3 * sum(of.values()):.1f}" for of in profiles.values())))
    return Table("What a step of this project is spent on [ms].", columns, rows)


@styled
def throughput_figure(rows: Sequence[Row], source: str) -> Figure:
    """A bar a case on a logarithmic axis."""
    measured = encoders(rows)
    figure, panels = new_figure(len(measured), width=7, height=4.4)
    for axes, encoder in zip(panels, measured, strict=True):
        mine = [r for r in rows if r.encoder == encoder][::-1]
        colors = [
            PALETTE[2] if r.case.startswith("floor") else PALETTE[0] if r.case == "rows" else PALETTE[6]
            if "padded" in CASES.get(r.case, ()) else PALETTE[1] for r in mine
        ]  # fmt: skip
        usual = mine[-1].batch_size
        labels = [NAMES[r.case] + (f", B {r.batch_size}" if r.batch_size not in (0, usual) else "") for r in mine]
        bars = axes.barh(labels, [r.epoch_seconds for r in mine], color=colors)
        seconds = [f"{r.epoch_seconds:,.{0 if r.epoch_seconds >= 100 else 1}f} s" for r in mine]
        axes.bar_label(bars, seconds, padding=3, fontsize=9)
        axes.set_xscale("log")
        left = min(1.0, *(0.5 * r.epoch_seconds for r in mine))
        axes.set_xlim(left=left, right=axes.get_xlim()[1] * 4)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel(f"seconds of a training epoch on {'IMDb' if source == 'imdb' else source} [s]")
        axes.set_title(TITLES[encoder])
    return figure
