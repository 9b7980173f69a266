"""The excerpt study: its figure, and what it says of the parts of a review."""

from typing import Any

import numpy as np
import pytest
from mlflow.entities import Metric, Param, Run, RunData, RunInfo

from sentiment_rnn.analysis.predictions import Predictions
from sentiment_rnn.studies.excerpt import excerpt_figure, verdicts
from sentiment_rnn.studies.findings import FAILS, HOLDS, IN_PART
from sentiment_rnn.studies.length import ARMS


def run_of(seed: int, accuracy: float) -> Run:
    info: Any = RunInfo("id", "1", "me", "FINISHED", 0, 1, "active")
    return Run(info, RunData([Metric("test/accuracy", accuracy, 0, 0)], [Param("seed", str(seed))], []))


def predictions(accuracy: float) -> list[Predictions]:
    """Three seeds on 2,000 reviews."""
    right = np.arange(2000) % 100 < 100 * accuracy
    return [Predictions(np.where(right, 0.9, 0.1), np.ones(2000, np.int8), np.full(2000, 100), np.full(2000, -1))] * 3


@pytest.mark.parametrize(
    ("tail", "lstm_head", "rnn_head", "expected"),
    [(0.86, 0.80, 0.80, HOLDS), (0.80, 0.86, 0.86, FAILS), (0.8, 0.8, 0.8, FAILS), (0.86, 0.80, 0.86, IN_PART)],
)
def test_the_verdict_follows_the_numbers(tail: float, lstm_head: float, rnn_head: float, expected: str) -> None:
    correct = {part: dict.fromkeys(ARMS, predictions(tail)) for part in ("tail", "head", "both")}
    correct["head"] |= {("lstm", "mean_max"): predictions(lstm_head), ("rnn", "mean_max"): predictions(rnn_head)}
    (verdict,) = verdicts(correct)
    assert verdict.verdict == expected


def test_the_figure_has_a_bar_for_every_arm_and_part() -> None:
    runs = [run_of(seed, 0.7 + 0.05 * seed) for seed in range(3)]
    figure = excerpt_figure(dict.fromkeys(("tail", "head", "both"), dict.fromkeys(ARMS, runs)))
    assert len(figure.axes[0].patches) == 12
