"""The capacity study: its variants of encoders, and its verdicts."""

from pathlib import Path
from typing import Any

import pytest
from made_results import make_result

from sentiment_rnn.report.tables import csv_text
from sentiment_rnn.studies.capacity import (
    MEASURES,
    Runs,
    Variant,
    by_variant,
    capacity_figure,
    read_variants,
    score_table,
    short_styles_of,
    variant_of,
    verdicts,
)
from sentiment_rnn.studies.kit.verdicts import FAILS, HOLDS, IN_PART, UNDECIDED
from sentiment_rnn.tracking.results import RunResult

LABELS = {
    "rnn": "RNN, orthogonal", "rnn_wide": "RNN, as large as the LSTM", "lstm": "LSTM, forget bias 1",
    "bag": "bag of words", "gru": "GRU",
}  # fmt: skip


def run(encoder: str, pooling: str = "last", accuracy: float = 0.88, **settings: Any) -> RunResult:
    metrics = {"test/accuracy": accuracy, "val/best_accuracy": accuracy, "parameters": 3e6, "train/epoch_seconds": 9.0}
    return make_result(encoder, pooling=pooling, metrics=metrics, label=LABELS[encoder], **settings)


@pytest.mark.parametrize(
    ("result", "label", "pooling"),
    [
        (run("rnn_wide"), "RNN, as large as the LSTM", "last"),
        (run("lstm", layers=2), "LSTM, 2 layers", "last"),
        (run("rnn", "mean_max", bidirectional=True), "RNN, two directions", "mean_max"),
        (run("bag", "mean", layers=None, bidirectional=None, hidden_size=None), "bag of words", "mean"),
    ],
)
def test_a_variant_is_labelled_by_what_it_is(result: RunResult, label: str, pooling: str) -> None:
    variant = variant_of(result)
    assert (variant.label(short_styles_of([result])), variant.pooling) == (label, pooling)


def test_runs_stand_by_pooling_encoder_layers_directions_and_seed() -> None:
    runs = [
        run("rnn"), run("rnn", seed=1), run("rnn", layers=2), run("rnn_wide"), run("lstm"), run("bag", "mean"),
        run("rnn", "mean_max"), run("rnn", "mean_max", bidirectional=True), run("lstm", "mean_max"),
    ]  # fmt: skip
    # As the sweeps give them: the RNN and the LSTM of the length study first, then two layers, two directions, width.
    given = [runs[index] for index in (1, 0, 6, 4, 8, 2, 7, 3, 5)]
    assert [result for group in by_variant(given).values() for result in group] == runs


def seeds(accuracy: float, spread: float = 0.001) -> list[float]:
    """Three seeds around an accuracy."""
    return [accuracy - spread, accuracy, accuracy + spread]


def accuracies(wide: float = 0.75, bag: float = 0.8, deep: float = 0.75, both: float = 0.85) -> dict[Variant, Any]:
    given = {
        Variant("lstm", "last"): 0.88,
        Variant("rnn", "last"): 0.75,
        Variant("rnn_wide", "last"): wide,
        Variant("rnn", "last", layers=2): deep,
        Variant("lstm", "mean_max"): 0.89,
        Variant("rnn", "mean_max"): 0.85,
        Variant("rnn", "mean_max", bidirectional=True): both,
        Variant("bag", "mean"): bag,
    }
    return {variant: seeds(accuracy) for variant, accuracy in given.items()}


@pytest.mark.parametrize(
    ("larger", "expected"),
    [
        ({}, HOLDS),
        ({"wide": 0.86}, HOLDS),
        ({"wide": 0.9}, IN_PART),
        ({"deep": 0.9}, IN_PART),
        ({"both": 0.9}, IN_PART),
        ({"wide": 0.9, "deep": 0.9, "both": 0.9}, FAILS),
        ({"wide": 0.88, "deep": 0.9, "both": 0.9}, UNDECIDED),
    ],
)
def test_a_larger_rnn_makes_up_for_the_gates_where_the_lstm_no_longer_leads(
    larger: dict[str, float], expected: str
) -> None:
    assert verdicts(accuracies(**larger))[0].verdict == expected


@pytest.mark.parametrize(("bag", "expected"), [(0.8, HOLDS), (0.88, FAILS), (0.9, FAILS), (0.87, UNDECIDED)])
def test_the_lstm_has_to_lead_the_bag_by_more_than_a_point(bag: float, expected: str) -> None:
    assert verdicts(accuracies(bag=bag))[1].verdict == expected


def test_a_lead_of_a_point_that_seeds_do_not_agree_on_is_inconclusive() -> None:
    spread = accuracies() | {Variant("bag", "mean"): seeds(0.8, 0.1)}
    assert verdicts(spread)[1].verdict == UNDECIDED


def runs_of(accuracy: float, hidden_size: str = "256") -> Runs:
    return Runs(hidden_size, (0, 1, 2), 3_000_000, [9.0] * 3, seeds(accuracy))


def test_variants_come_back_from_the_results(tmp_path: Path) -> None:
    rows = [
        ("rnn", "mean_max", 1, True, 256, 0, 10, 1.5, 0.8, 0.7),
        ("bag", "mean", 1, False, "", 0, 20, 2.5, 0.9, 0.8),
    ]
    (tmp_path / "results.csv").write_text(csv_text((*Variant._fields, "hidden_size", "seed", *MEASURES), rows))
    assert read_variants(tmp_path) == {
        Variant("rnn", "mean_max", bidirectional=True): Runs("256", (0,), 10, [1.5], [0.7]),
        Variant("bag", "mean"): Runs("", (0,), 20, [2.5], [0.8]),
    }


def test_each_variant_is_compared_with_the_lstm_of_the_same_pooling() -> None:
    results = [
        one
        for one in (
            run("lstm"), run("rnn"), run("rnn", layers=2), run("lstm", "mean_max"), run("rnn", "mean_max"),
            run("bag", "mean"), run("gru"), run("gru", layers=3), run("gru", "max", layers=2),
        )
        for _ in range(3)
    ]  # fmt: skip
    variants, styles = by_variant(results), short_styles_of(results)
    scores = {
        Variant("lstm", "last"): 0.9,
        Variant("rnn", "last"): 0.7,
        Variant("rnn", "last", layers=2): 0.75,
        Variant("lstm", "mean_max"): 0.8,
        Variant("rnn", "mean_max"): 0.8,
        Variant("bag", "mean"): 0.9,
    }
    shown = {variant: runs_of(scores.get(variant, 0.85)) for variant in variants}
    table = score_table(shown, styles)
    differences = {row[:2]: row[-1] for row in table.rows}
    gains = {row[:2]: row[-2] for row in table.rows}
    assert gains["RNN", "last"] == ""
    assert gains["RNN, 2 layers", "last"].startswith("+5.0")
    assert differences["LSTM", "last"] == differences["LSTM", "mean_max"] == ""
    assert differences["RNN", "last"].startswith("+20.0")
    assert differences["RNN", "mean_max"].startswith("+0.0")
    assert differences["bag of words", "mean"].startswith("+0.0")
    assert differences["GRU", "last"].startswith("+5.0")
    assert gains["GRU, 3 layers", "last"].startswith("+0.0")
    assert gains["GRU, 2 layers", "max"] == "", "there is no plain one of this pooling"
    panels = capacity_figure(shown, styles).axes
    assert sum(len(axes.get_yticks()) for axes in panels) == len(variants)


def test_an_encoder_without_a_width_has_an_empty_cell() -> None:
    bag = run("bag", "mean", hidden_size=None, layers=None, bidirectional=None)
    styles = short_styles_of([run("lstm"), bag])
    table = score_table({Variant("lstm", "last"): runs_of(0.9), Variant("bag", "mean"): runs_of(0.9, "")}, styles)
    assert [row[2] for row in table.rows] == ["256", ""]
