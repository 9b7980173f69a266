"""The capacity study: what its arms are called, and what it says of them."""

from typing import Any

import numpy as np
import pytest
from mlflow.entities import Metric, Param, Run, RunData, RunInfo

from sentiment_rnn.studies.capacity import arm_of, capacity_figure, place_of, score_table, verdicts
from sentiment_rnn.studies.findings import FAILS, HOLDS, IN_PART


def run_of(encoder: str, pooling: str = "last", accuracy: float = 0.88, **settings: str) -> Run:
    """A finished run as MLflow gives it."""
    parameters = {
        "encoder.name": encoder, "pooling.name": pooling, "encoder.layers": "1", "encoder.bidirectional": "False",
        "encoder.hidden_size": "256", "optimizer.learning_rate": "0.001", "seed": "0",
    } | settings  # fmt: skip
    metrics = {"test/accuracy": accuracy, "val/best_accuracy": accuracy, "parameters": 3e6, "train/epoch_seconds": 9.0}
    info: Any = RunInfo("id", "1", "me", "FINISHED", 0, 1, "active")
    return Run(
        info,
        RunData([Metric(k, v, 0, 0) for k, v in metrics.items()], [Param(k, v) for k, v in parameters.items()], []),
    )


@pytest.mark.parametrize(
    ("run", "arm"),
    [
        (run_of("rnn_wide"), ("RNN, as large as the LSTM", "last")),
        (run_of("lstm", **{"encoder.layers": "2"}), ("LSTM, 2 layers", "last")),
        (run_of("rnn", "mean_max", **{"encoder.bidirectional": "True"}), ("RNN, two directions", "mean_max")),
        (run_of("bag", "mean"), ("bag of words", "mean")),
    ],
)
def test_an_arm_is_called_by_what_it_is(run: Run, arm: tuple[str, str]) -> None:
    assert arm_of(run) == arm


def test_runs_stand_by_read_out_encoder_layers_directions_and_seed() -> None:
    runs = [
        run_of("rnn"), run_of("rnn", seed="1"), run_of("rnn", **{"encoder.layers": "2"}), run_of("rnn_wide"),
        run_of("lstm"), run_of("bag", "mean"), run_of("rnn", "mean_max"),
        run_of("rnn", "mean_max", **{"encoder.bidirectional": "True"}), run_of("lstm", "mean_max"),
    ]  # fmt: skip
    shuffled = [runs[index] for index in (4, 8, 0, 6, 2, 7, 1, 5, 3)]
    assert sorted(shuffled, key=place_of) == runs


def right(accuracy: float) -> np.ndarray:
    return np.tile(np.arange(2000) % 100 < 100 * accuracy, (3, 1))


def correct(
    wide: float = 0.75, bag: float = 0.8, deep: float = 0.75, both: float = 0.85
) -> dict[tuple[str, str], np.ndarray]:
    names = {"LSTM": 0.88, "RNN": 0.75, "RNN, as large as the LSTM": wide, "RNN, 2 layers": deep}
    everywhere = {"LSTM": 0.89, "RNN": 0.85, "RNN, two directions": both}
    return (
        {(name, "last"): right(accuracy) for name, accuracy in names.items()}
        | {(name, "mean_max"): right(accuracy) for name, accuracy in everywhere.items()}
        | {("bag of words", "mean"): right(bag)}
    )


@pytest.mark.parametrize(
    ("wide", "bag", "expected"),
    [(0.75, 0.80, [HOLDS, HOLDS]), (0.86, 0.88, [IN_PART, FAILS]), (0.88, 0.90, [FAILS, FAILS])],
)
def test_verdicts_follow_the_numbers(wide: float, bag: float, expected: list[str]) -> None:
    assert [verdict.verdict for verdict in verdicts(correct(wide, bag))] == expected


@pytest.mark.parametrize("larger", [{"wide": 0.88}, {"deep": 0.88}, {"both": 0.89}])
def test_any_larger_rnn_that_catches_up_makes_up_for_the_gates(larger: dict[str, float]) -> None:
    assert verdicts(correct(**larger))[0].verdict == FAILS


def test_each_arm_is_held_against_the_lstm_that_is_read_out_alike() -> None:
    arms = {
        arm_of(runs[0]): runs
        for runs in (
            [run_of("lstm")] * 3, [run_of("rnn")] * 3, [run_of("rnn", **{"encoder.layers": "2"})] * 3,
            [run_of("lstm", "mean_max")] * 3,
            [run_of("rnn", "mean_max")] * 3,
            [run_of("bag", "mean")] * 3,
        )
    }  # fmt: skip
    scores = {
        ("LSTM", "last"): 0.9,
        ("RNN", "last"): 0.7,
        ("RNN, 2 layers", "last"): 0.75,
        ("LSTM", "mean_max"): 0.8,
        ("RNN", "mean_max"): 0.8,
        ("bag of words", "mean"): 0.9,
    }
    table = score_table(arms, {arm: right(scores[arm]) for arm in arms})
    differences = {row[:2]: row[-1] for row in table.rows}
    gains = {row[:2]: row[-2] for row in table.rows}
    assert gains["RNN", "last"] == ""
    assert gains["RNN, 2 layers", "last"].startswith("+5.0")
    assert differences["LSTM", "last"] == differences["LSTM", "mean_max"] == ""
    assert differences["RNN", "last"].startswith("+20.0")
    assert differences["RNN", "mean_max"].startswith("+0.0")
    assert differences["bag of words", "mean"].startswith("+0.0")
    assert len(capacity_figure(arms).axes) == 2
