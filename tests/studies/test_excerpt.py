"""The excerpt study: its figure, and what it says of the parts of a review."""

import pytest
from made_results import PLAIN_STYLES

from sentiment_rnn.studies.excerpt import excerpt_figure, verdicts
from sentiment_rnn.studies.kit.encoder_groups import EncoderStyle
from sentiment_rnn.studies.kit.verdicts import FAILS, HOLDS, IN_PART, UNDECIDED

POOLED = (("rnn", "last"), ("rnn", "mean_max"), ("lstm", "last"), ("lstm", "mean_max"))


def seeds(accuracy: float, spread: float = 0.002) -> dict[int, float]:
    """Three seeds around an accuracy."""
    return {seed: accuracy + spread * (seed - 1) for seed in range(3)}


@pytest.mark.parametrize(
    ("tail", "lstm_head", "rnn_head", "expected"),
    [(0.86, 0.80, 0.80, HOLDS), (0.80, 0.86, 0.86, FAILS), (0.8, 0.8, 0.8, UNDECIDED), (0.86, 0.80, 0.86, IN_PART)],
)
def test_the_verdict_follows_the_intervals(tail: float, lstm_head: float, rnn_head: float, expected: str) -> None:
    scores = {part: dict.fromkeys(POOLED, seeds(tail)) for part in ("tail", "head", "both")}
    scores["head"] |= {("lstm", "mean_max"): seeds(lstm_head), ("rnn", "mean_max"): seeds(rnn_head)}
    (verdict,) = verdicts(scores)
    assert verdict.verdict == expected


def test_a_difference_that_one_seed_makes_is_not_shown() -> None:
    scores = {part: dict.fromkeys(POOLED, seeds(0.86)) for part in ("tail", "head", "both")}
    scores["head"] |= {("lstm", "mean_max"): seeds(0.8, 0.1), ("rnn", "mean_max"): seeds(0.8, 0.1)}
    assert verdicts(scores)[0].verdict == UNDECIDED


def test_the_figure_has_a_bar_for_every_encoder_and_part() -> None:
    by_part = {part: dict.fromkeys(POOLED, seeds(0.75, 0.05)) for part in ("tail", "head", "both")}
    assert len(excerpt_figure(by_part, PLAIN_STYLES).axes[0].patches) == 12
    by_part["head"]["gru", "mean"] = seeds(0.8)
    figure = excerpt_figure(by_part, PLAIN_STYLES | {"gru": EncoderStyle("gru", "#CC79A7")})
    assert len(figure.axes[0].patches) == 13
    assert "gru, mean" in [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
