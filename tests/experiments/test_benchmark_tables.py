"""The tables and the figure of experiments/benchmarks, from numbers given here."""

import argparse
import math
from pathlib import Path

import pytest

import growth
from benchmark import numbers, some_of
from epoch import Row, profile_table, table, throughput_figure
from sentiment_rnn.report.tables import Table, markdown

ROWS = [
    Row(encoder, case, batch_size, seconds, 1000 / seconds)
    for encoder in ("lstm", "rnn")
    for case, batch_size, seconds in (
        ("packed", 64, 200.0), ("rows", 64, 2.0), ("rows", 256, 1.0), ("float32", 64, 8.0),
        ("floor float32", None, 1.0), ("floor bfloat16", None, 0.5),
    )
]  # fmt: skip
WITHOUT_KERAS = [row for row in ROWS if row.case != "float32"]


def is_well_formed(table: Table) -> bool:
    """Whether every line of the Markdown has the same cells, none of them empty."""
    lines = [line for line in markdown([table]).splitlines() if line.startswith("|")]
    cells = [line.strip("|").split("|") for line in lines]
    return len(lines) == len(table.rows) + 2 and all(
        len(row) == len(table.columns) and all(map(str.strip, row)) for row in cells
    )


@pytest.mark.parametrize(
    "made",
    [
        table(ROWS, "lstm"),
        table(WITHOUT_KERAS, "rnn"),
        profile_table({("lstm", 64): {"cells": 0.01, "other": 0.02}, ("rnn", 64): {"cells": 0.01, "other": 0.03}}),
    ],
)
def test_a_table_is_well_formed(made: Table) -> None:
    assert is_well_formed(made)


def test_an_epoch_is_compared_with_packed_sequences_keras_and_the_floor() -> None:
    ours = table(ROWS, "lstm").rows[1]
    assert ours == ("+ embedding updated by rows: this project", "64", "2.0 s", "500", "100.0", "4.00", "4.00")


def test_without_keras_there_is_a_dash() -> None:
    made = table(WITHOUT_KERAS, "lstm")
    assert {row[made.columns.index("× Keras")] for row in made.rows} == {"–"}


@pytest.mark.parametrize("rows", [ROWS, WITHOUT_KERAS])
def test_the_figure_has_a_bar_for_each_case(rows: list[Row]) -> None:
    figure = throughput_figure(rows, "generated")
    assert [len(axes.patches) for axes in figure.axes] == [len(rows) // 2] * 2


def test_an_exponent_is_the_power_of_the_growth() -> None:
    series = [(16, 1.0, 1), *((value, 1e-3 * value**2, 1000 * value) for value in (32, 64, 128))]
    assert growth.exponent(series, 32) == pytest.approx(2)
    assert growth.exponent(series, 32, of_memory=True) == pytest.approx(1)
    assert math.isnan(growth.exponent(series, 128)), "of one point there is no exponent"


def test_a_series_stops_before_a_point_of_more_than_a_minute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # A step at T 16 takes a second and grows with the square: 1, 4, 16, and 64 would follow.
    monkeypatch.setattr(growth, "measured", lambda case, encoder, T, B, H: ((T / 16) ** 2 * B / 16, T * B))
    (tmp_path / "README.md").write_text("<!-- growth:start -->\n<!-- growth:end -->\n")
    sizes = ["--lengths", "16,32,64,128", "--batch-sizes", "16,32", "--widths", "16", "--base", "16,16,16"]
    options = ["--output", str(tmp_path), "--encoders", "rnn", "--cases", "rows", "--fitted-from", "16,16,16"]
    monkeypatch.setattr("sys.argv", ["growth.py", *options, *sizes])
    growth.main()
    points = [line.split(",") for line in (tmp_path / "growth.csv").read_text().splitlines()]
    assert [value for _, _, axis, value, *_ in points if axis == "T"] == ["16", "32", "64"]
    assert "| rnn | this project | 2.00 | 1.00 | – | 1.00 | 1.00 | T 64 |" in (tmp_path / "README.md").read_text()


def test_an_unknown_name_is_refused() -> None:
    assert some_of("lstm", "rnn")("rnn,lstm") == ("rnn", "lstm")
    assert numbers("8,16") == (8, 16)
    with pytest.raises(argparse.ArgumentTypeError, match="gru: expected some of lstm,rnn"):
        some_of("lstm", "rnn")("gru")
