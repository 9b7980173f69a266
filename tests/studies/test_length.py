"""What the length study says of pooling and of filler."""

from typing import Any

import numpy as np
import pytest
from made_results import PLAIN_STYLES, make_result

from sentiment_rnn.inference.predictions import Predictions
from sentiment_rnn.studies.kit.encoder_groups import EncoderStyle
from sentiment_rnn.studies.kit.verdicts import FAILS, HOLDS, IN_PART, UNDECIDED
from sentiment_rnn.studies.length import AMOUNTS, FILLER_IN_FRONT, lost, verdicts
from sentiment_rnn.studies.length.figures import length_figure
from sentiment_rnn.studies.length.pooled import accuracies, accuracy_by_setting_table, by_setting, tokens_of

POOLED = (("rnn", "last"), ("rnn", "mean_max"), ("lstm", "last"), ("lstm", "mean_max"))


def predictions(accuracy: float) -> list[Predictions]:
    """Three seeds on 1,000 reviews of all lengths."""
    right = np.arange(1000) % 100 < 100 * accuracy
    lengths = np.arange(1, 1001)
    return [Predictions(np.where(right, 0.9, 0.1), np.ones(1000, np.int8), lengths, np.full(1000, -1))] * 3


def seeds(accuracy: float, spread: float = 0.002) -> dict[int, float]:
    """Three seeds around a score."""
    return {seed: accuracy + spread * (seed - 1) for seed in range(3)}


def losing(points: dict[tuple[str, str], float]) -> dict[Any, dict[tuple[str, str], dict[int, float]]]:
    """AUROC of three seeds that falls from 0.9 by so many points to the longest filler."""
    return {
        amount: {pooled: seeds(0.9 - points[pooled] / 100 * amount / AMOUNTS[-1]) for pooled in POOLED}
        for amount in AMOUNTS
    } | {FILLER_IN_FRONT: {pooled: seeds(0.9) for pooled in POOLED}}


def losing_at_last(rnn: float, lstm: float = 0.5) -> dict[Any, dict[tuple[str, str], dict[int, float]]]:
    """As `losing`, where only states at the end lose."""
    return losing(dict.fromkeys(POOLED, 0.5) | {("rnn", "last"): rnn, ("lstm", "last"): lstm})


def judged(rnn_last: dict[int, float], rnn_everywhere: dict[int, float]) -> str:
    whole = {pooled: seeds(0.88) for pooled in POOLED}
    whole |= {("rnn", "last"): rnn_last, ("rnn", "mean_max"): rnn_everywhere}
    return verdicts(whole, losing_at_last(30))[0].verdict


@pytest.mark.parametrize(
    ("rnn_last", "rnn_everywhere", "expected"), [(0.7, 0.87, HOLDS), (0.7, 0.76, IN_PART), (0.87, 0.7, FAILS)]
)
def test_memory_is_the_weakness_as_far_as_pooling_closes_the_gap(
    rnn_last: float, rnn_everywhere: float, expected: str
) -> None:
    assert judged(seeds(rnn_last), seeds(rnn_everywhere)) == expected


def test_a_gap_that_one_seed_of_three_leaves_open_is_inconclusive() -> None:
    assert judged(seeds(0.73), {0: 0.86, 1: 0.865, 2: 0.756}) == UNDECIDED


@pytest.mark.parametrize(
    ("rnn", "lstm", "expected"),
    [(30, 0.5, HOLDS), (30, 20, IN_PART), (-30, 20, FAILS), (-30, 0.5, IN_PART)],
)
def test_forgetting_is_judged_by_what_filler_takes(rnn: float, lstm: float, expected: str) -> None:
    whole = {pooled: seeds(0.8) for pooled in POOLED}
    assert verdicts(whole, losing_at_last(rnn, lstm))[1].verdict == expected


def test_a_seed_that_knew_nothing_has_nothing_to_forget() -> None:
    filler = losing(dict.fromkeys(POOLED, 30))
    filler[0]["rnn", "last"][1] = 0.5
    assert lost(filler, AMOUNTS[-1], "rnn") == pytest.approx({0: 0.3 / 0.398, 2: 0.3 / 0.402})
    filler[0]["rnn", "last"] = dict.fromkeys(range(3), 0.5)
    filler[0]["lstm", "last"] = dict.fromkeys(range(3), 0.5)
    forgetting = verdicts({pooled: seeds(0.8) for pooled in POOLED}, filler)[1]
    assert forgetting.verdict == UNDECIDED
    assert "nothing that can be measured" in forgetting.evidence


def test_a_text_that_is_as_strange_with_filler_in_front_is_not_forgotten() -> None:
    filler = losing_at_last(30)
    filler[FILLER_IN_FRONT]["rnn", "last"] = seeds(0.55)
    assert verdicts({pooled: seeds(0.8) for pooled in POOLED}, filler)[1].verdict == IN_PART


def test_the_figure_has_three_panels_with_every_encoder() -> None:
    scores: dict[Any, dict[int, float]] = {pooled: {0: 0.7, 1: 0.8, 2: 0.9} for pooled in POOLED}
    figure = length_figure(
        dict.fromkeys((25, 50, 100), scores),
        losing(dict.fromkeys(POOLED, 3)),
        {pooled: predictions(0.8) for pooled in POOLED},
        PLAIN_STYLES,
    )
    assert len(figure.axes) == 3
    for axes in figure.axes:
        assert sum(not line.get_label().startswith("_") for line in axes.get_lines()) == 4


def test_encoders_stand_as_they_first_occur_and_each_has_a_row() -> None:
    results = [
        make_result(encoder, pooling=pooling, seed=seed, max_tokens=tokens, metrics={"test/accuracy": accuracy})
        for encoder, pooling, seed, tokens, accuracy in (
            ("rnn", "last", 1, 400, 0.7),
            ("rnn", "last", 0, 400, 0.6),
            ("rnn", "last", 0, 25, 0.5),
            ("lstm", "last", 0, 25, 0.9),
            ("gru", "mean", 0, 400, 0.8),
        )
    ]
    scores = {
        tokens: {pooled: accuracies(runs) for pooled, runs in groups.items()}
        for tokens, groups in by_setting(results, tokens_of).items()
    }
    assert list(scores) == [25, 400]
    assert list(scores[400]["rnn", "last"]) == [0, 1]
    table = accuracy_by_setting_table("Accuracy", scores, PLAIN_STYLES | {"gru": EncoderStyle("gru", "#CC79A7")})
    assert table.columns == ("encoder", "25", "400")
    assert table.rows == [
        ("rnn, last state", "50.0", "65.0 ± 7.1"),
        ("lstm, last state", "90.0", ""),
        ("gru, mean", "", "80.0"),
    ]
