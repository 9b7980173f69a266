"""The capacity study: its variants of encoders, and its verdicts."""

from typing import Any

import numpy as np
import pytest
from made_results import make_result

from sentiment_rnn.studies.capacity import (
    Variant,
    by_variant,
    capacity_figure,
    score_table,
    short_styles_of,
    variant_of,
    verdicts,
)
from sentiment_rnn.studies.kit.findings import FAILS, HOLDS, IN_PART
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


def right(accuracy: float) -> np.ndarray:
    return np.tile(np.arange(2000) % 100 < 100 * accuracy, (3, 1))


def correct(wide: float = 0.75, bag: float = 0.8, deep: float = 0.75, both: float = 0.85) -> dict[Variant, np.ndarray]:
    accuracies = {
        Variant("lstm", "last"): 0.88,
        Variant("rnn", "last"): 0.75,
        Variant("rnn_wide", "last"): wide,
        Variant("rnn", "last", layers=2): deep,
        Variant("lstm", "mean_max"): 0.89,
        Variant("rnn", "mean_max"): 0.85,
        Variant("rnn", "mean_max", bidirectional=True): both,
        Variant("bag", "mean"): bag,
    }
    return {variant: right(accuracy) for variant, accuracy in accuracies.items()}


@pytest.mark.parametrize(
    ("wide", "bag", "expected"),
    [(0.75, 0.80, [HOLDS, HOLDS]), (0.86, 0.88, [IN_PART, FAILS]), (0.88, 0.90, [FAILS, FAILS])],
)
def test_verdicts_follow_the_numbers(wide: float, bag: float, expected: list[str]) -> None:
    assert [verdict.verdict for verdict in verdicts(correct(wide, bag))] == expected


@pytest.mark.parametrize("larger", [{"wide": 0.88}, {"deep": 0.88}, {"both": 0.89}])
def test_any_larger_rnn_that_catches_up_makes_up_for_the_gates(larger: dict[str, float]) -> None:
    assert verdicts(correct(**larger))[0].verdict == FAILS


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
    table = score_table(variants, {variant: right(scores.get(variant, 0.85)) for variant in variants}, styles)
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
    panels = capacity_figure(variants, styles).axes
    assert sum(len(axes.get_yticks()) for axes in panels) == len(variants)


def test_an_encoder_without_a_width_has_an_empty_cell() -> None:
    bag = run("bag", "mean", hidden_size=None, layers=None, bidirectional=None)
    results = [*[run("lstm")] * 3, *[bag] * 3]
    variants = by_variant(results)
    table = score_table(variants, {variant: right(0.9) for variant in variants}, short_styles_of(results))
    assert [row[2] for row in table.rows] == ["256", ""]
