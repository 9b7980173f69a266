"""The tables and the figures of experiments/throughput, from numbers given here."""

import argparse

import pytest

import growth
from benchmark import numbers, some_of
from growth_results import Axis, Point, exponent, growth_figure
from growth_results import table as growth_table
from measure_results import Row, profile_table, throughput_figure
from measure_results import table as throughput_table
from sentiment_rnn.report.tables import Table, markdown

ROWS = [
    Row(encoder, case, batch_size, seconds, 1000 / seconds)
    for encoder in ("lstm", "rnn")
    for case, batch_size, seconds in (
        ("packed", 64, 200.0), ("rows", 64, 2.0), ("rows", 256, 1.0), ("float32", 64, 8.0), ("floor float32", 0, 1.0),
        ("floor bfloat16", 0, 0.5),
    )
]  # fmt: skip
WITHOUT_KERAS = [row for row in ROWS if row.case != "float32"]
AXES = [Axis(name, (16, 32, 64), base=16, fitted_from=32) for name in "TBH"]
POINTS = [
    Point("rnn", case, axis.name, value, 1e-3 * value**2, 1000 * value)
    for case in ("rows", "packed_kept") for axis in AXES for value in axis.values
]  # fmt: skip


def is_well_formed(table: Table) -> bool:
    """Whether every line of the Markdown has the same cells, none of them empty."""
    lines = [line for line in markdown([table]).splitlines() if line.startswith("|")]
    cells = [line.strip("|").split("|") for line in lines]
    return len(lines) == len(table.rows) + 2 and all(
        len(row) == len(table.columns) and all(map(str.strip, row)) for row in cells
    )


@pytest.mark.parametrize(
    "table",
    [
        throughput_table(ROWS, "lstm"),
        throughput_table(WITHOUT_KERAS, "rnn"),
        profile_table({("lstm", 64): {"cells": 0.01, "other": 0.02}, ("rnn", 64): {"cells": 0.01, "other": 0.03}}),
        growth_table(POINTS, AXES, "a processor"),
        growth_table(POINTS[:1], AXES, "a processor"),
    ],
)
def test_a_table_is_well_formed(table: Table) -> None:
    assert is_well_formed(table)


def test_an_epoch_is_compared_with_packed_sequences_keras_and_the_floor() -> None:
    ours = throughput_table(ROWS, "lstm").rows[1]
    assert ours == ("+ embedding updated by rows: this project", "64", "2.0 s", "500", "100.0", "4.00", "4.00")


def test_without_keras_there_is_a_dash() -> None:
    table = throughput_table(WITHOUT_KERAS, "lstm")
    assert {row[table.columns.index("× Keras")] for row in table.rows} == {"–"}


@pytest.mark.parametrize("rows", [ROWS, WITHOUT_KERAS])
def test_the_figure_has_a_bar_for_each_case(rows: list[Row]) -> None:
    figure = throughput_figure(rows, "generated")
    assert [len(axes.patches) for axes in figure.axes] == [len(rows) // 2] * 2


def test_an_exponent_is_the_power_of_the_growth() -> None:
    series = POINTS[:3]
    assert exponent(series, AXES[0], "seconds") == pytest.approx(2)
    assert exponent(series, AXES[0], "peak_bytes") == pytest.approx(1)
    assert [len(axes.lines) for axes in growth_figure(POINTS, AXES).axes] == [2] * 4


def test_a_series_stops_before_a_point_of_more_than_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    # A step at T 16 takes a second and grows with the square: 1, 4, 16, and 64 would follow.
    monkeypatch.setattr(growth, "measured", lambda case, encoder, T, B, H: ((T / 16) ** 2, 1000))
    axes = [Axis("T", (16, 32, 64, 128), base=16, fitted_from=16), *AXES[1:]]
    points = [point for axis in axes for point in growth.measured_series("rnn", "packed_kept", axis, axes)]
    assert [point.value for point in points if point.axis == "T"] == [16, 32, 64]
    assert growth_table(points, axes, "a processor").rows[0][-1] == "T 64"
    assert "stops at T 64" in growth_figure(points, axes).axes[0].get_legend().get_texts()[0].get_text()


def test_an_unknown_name_is_refused() -> None:
    assert some_of("lstm", "rnn")("rnn,lstm") == ("rnn", "lstm")
    assert numbers("8,16") == (8, 16)
    with pytest.raises(argparse.ArgumentTypeError, match="gru: expected some of lstm,rnn"):
        some_of("lstm", "rnn")("gru")
