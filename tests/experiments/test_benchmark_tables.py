"""The tables and the figure of experiments/benchmarks, from numbers given here."""

import argparse
from pathlib import Path

import pytest

from benchmark import numbers, some_of
from cases import ways_of
from epoch import Row, table, throughput_figure
from ratios import COLUMNS, publish, table_of_ratios
from sentiment_rnn import runtime
from sentiment_rnn.report.tables import Table, find_block, markdown

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


def test_the_ratios_are_those_of_the_usual_batch_and_of_the_numbers_beside_them(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("<!-- ratios:start -->\n<!-- ratios:end -->\n")
    publish(tmp_path, "epoch", Row._fields, ROWS)
    columns = ("encoder", "waiting threads", "ratio")
    publish(tmp_path, "neighbor", columns, [("rnn", "spin", "9.00"), ("rnn", "set by this project", "1.80")])
    publish(tmp_path, "sweep", ("encoder", "ratio"), [("lstm", "1.00"), ("lstm", "1.27")])
    made = table_of_ratios(tmp_path / "results")
    assert is_well_formed(made)
    assert made.columns == COLUMNS
    assert [row[1:] for row in made.rows] == [
        ("lstm", "100", "4", "4", "–", "1.27"), ("rnn", "100", "4", "4", "1.8", "–"),
    ]  # fmt: skip
    assert markdown([made]) in (tmp_path / "README.md").read_text()


def test_the_readme_has_the_ratios_of_the_committed_numbers() -> None:
    benchmarks = Path(__file__).resolve().parents[2] / "experiments" / "benchmarks"
    before, after = find_block(benchmarks / "README.md", "ratios")
    ratios = markdown([table_of_ratios(benchmarks / "results")])
    assert (benchmarks / "README.md").read_text() == f"{before}\n{ratios}{after}"


@pytest.mark.parametrize("rows", [ROWS, WITHOUT_KERAS])
def test_the_figure_has_a_bar_for_each_case(rows: list[Row]) -> None:
    figure = throughput_figure(rows, "generated")
    assert [len(axes.patches) for axes in figure.axes] == [len(rows) // 2] * 2


def test_threads_wait_in_three_ways_and_a_bag_has_one_thread_or_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "cores", lambda: 4)
    assert [variables for _, variables, _ in ways_of("rnn")] == [
        {"GOMP_SPINCOUNT": "300000"}, {"GOMP_SPINCOUNT": "1000"}, {"OMP_WAIT_POLICY": "passive"},
    ]  # fmt: skip
    assert {threads for _, _, threads in ways_of("rnn")} == {None}
    assert [threads for _, _, threads in ways_of("bag")] == [None, 4]


def test_an_unknown_name_is_refused() -> None:
    assert some_of("lstm", "rnn")("rnn,lstm") == ("rnn", "lstm")
    assert numbers("8,16") == (8, 16)
    with pytest.raises(argparse.ArgumentTypeError, match="gru: expected some of lstm,rnn"):
        some_of("lstm", "rnn")("gru")
