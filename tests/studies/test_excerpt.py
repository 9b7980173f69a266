"""The excerpt study: its figure, and what it says of the parts of a review."""

import numpy as np
import pytest
from made_results import PLAIN_STYLES, make_result

from sentiment_rnn.inference.predictions import Predictions
from sentiment_rnn.studies.excerpt import excerpt_figure, verdicts
from sentiment_rnn.studies.kit.encoder_groups import EncoderStyle
from sentiment_rnn.studies.kit.findings import FAILS, HOLDS, IN_PART

POOLED = (("rnn", "last"), ("rnn", "mean_max"), ("lstm", "last"), ("lstm", "mean_max"))


def predictions(accuracy: float) -> list[Predictions]:
    """Three seeds on 2,000 reviews."""
    right = np.arange(2000) % 100 < 100 * accuracy
    return [Predictions(np.where(right, 0.9, 0.1), np.ones(2000, np.int8), np.full(2000, 100), np.full(2000, -1))] * 3


@pytest.mark.parametrize(
    ("tail", "lstm_head", "rnn_head", "expected"),
    [(0.86, 0.80, 0.80, HOLDS), (0.80, 0.86, 0.86, FAILS), (0.8, 0.8, 0.8, FAILS), (0.86, 0.80, 0.86, IN_PART)],
)
def test_the_verdict_follows_the_numbers(tail: float, lstm_head: float, rnn_head: float, expected: str) -> None:
    correct = {part: dict.fromkeys(POOLED, predictions(tail)) for part in ("tail", "head", "both")}
    correct["head"] |= {("lstm", "mean_max"): predictions(lstm_head), ("rnn", "mean_max"): predictions(rnn_head)}
    (verdict,) = verdicts(correct)
    assert verdict.verdict == expected


def test_the_figure_has_a_bar_for_every_encoder_and_part() -> None:
    runs = [make_result(seed=seed, metrics={"test/accuracy": 0.7 + 0.05 * seed}) for seed in range(3)]
    by_part = {part: dict.fromkeys(POOLED, runs) for part in ("tail", "head", "both")}
    assert len(excerpt_figure(by_part, PLAIN_STYLES).axes[0].patches) == 12
    by_part["head"]["gru", "mean"] = runs
    figure = excerpt_figure(by_part, PLAIN_STYLES | {"gru": EncoderStyle("gru", "#CC79A7")})
    assert len(figure.axes[0].patches) == 13
    assert "gru, mean" in [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
