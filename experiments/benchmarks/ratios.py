"""Output of the benchmark: CSV files in a folder for each kind of processor, and one table of ratios in README.md."""

import csv
from collections.abc import Iterable, Sequence
from math import nan
from pathlib import Path

import device
from benchmark import ENCODERS
from sentiment_rnn.report.tables import Table, csv_text, markdown, replace_block

BLOCK = "ratios"
PROCESSORS = {"avx512_bf16": "AVX-512 BF16", "amx_bf16": "AMX", device.NO_UNIT: "none"}
"""Folders of `results`, each with the processors' unit for bfloat16."""
COLUMNS = ("unit", "encoder", "× packed", "× Keras", "× floor", "beside a neighbor", "side by side")


def publish(output: Path, name: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table of this processor as CSV, and the ratios of every processor into README.md."""
    folder = output / "results" / device.unit()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.csv").write_text(csv_text(columns, rows))
    replace_block(output / "README.md", BLOCK, markdown([table_of_ratios(output / "results")]))


def table_of_ratios(results: Path) -> Table:
    """A row for each processor and encoder; – for what was not measured."""
    measured = [(folder, unit, encoder) for folder, unit in PROCESSORS.items() for encoder in ENCODERS]
    found = [(unit, encoder, *ratios(results / folder, encoder)) for folder, unit, encoder in measured]
    return Table("This project's training", COLUMNS, [row for row in found if set(row[2:]) != {"–"}])


def ratios(folder: Path, encoder: str) -> list[str]:
    """This project's rate over that of packed sequences and of Keras; the rate of the matrix products alone over this
    project's. Then how much longer an epoch takes beside a neighbor, and how much faster two runs are side by side."""
    epoch = reversed(rows_of(folder / "epoch.csv", encoder))  # of two batch sizes the usual one comes first, and stays
    rates = {row["case"]: float(row["tokens_per_second"]) for row in epoch}
    ours = rates.get("rows", nan)
    floor = max((rate for case, rate in rates.items() if case.startswith("floor")), default=nan)
    beside = [row for row in rows_of(folder / "neighbor.csv", encoder) if "this project" in row["waiting threads"]]
    runs = rows_of(folder / "sweep.csv", encoder)
    numbers = (
        ours / rates.get("packed", nan), ours / rates.get("float32", nan), floor / ours,
        *(float(rows[-1]["ratio"]) if rows else nan for rows in (beside, runs)),
    )  # fmt: skip
    return [f"{number:.3g}".replace("nan", "–") for number in numbers]


def rows_of(path: Path, encoder: str) -> list[dict[str, str]]:
    """The rows of a CSV file that are about an encoder; none where there is no such file."""
    if not path.is_file():
        return []
    with path.open() as file:
        return [row for row in csv.DictReader(file) if row["encoder"] == encoder]
