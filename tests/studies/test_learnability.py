"""The study of learnability: each verdict by the rule of its protocol, and files that come back as findings."""

from pathlib import Path

import numpy as np
import pytest

from made_results import give_runs, make_learner, measure_into, score_of, style_of
from sentiment_rnn.report.p_values import share_p
from sentiment_rnn.studies import learnability
from sentiment_rnn.studies.kit.scores import Scores
from sentiment_rnn.studies.kit.share_comparisons import Pair, adjusted_tests
from sentiment_rnn.studies.kit.verdicts import FAILS, HOLDS, IN_PART, UNDECIDED, Verdict

ARMS = (
    "rnn_uniform", "rnn", "rnn_gain", "rnn_relu", "gru", "lstm_forget_0", "lstm", "lstm_forget_3", "lstm_forget_5",
    "lstm_chrono_50", "lstm_chrono", "lstm_chrono_2000",
)  # fmt: skip
DISTANCES = (5, 20, 50, 100, 200, 400)
STYLES = {arm: style_of(arm) for arm in ARMS}


def build(distances: tuple[int, ...] = DISTANCES, **learning: dict[int, int]) -> Scores:
    """How many of 20 seeds of each arm learn, by distance; 20 up to 20 tokens and none beyond, unless given."""
    return {
        arm: {d: score_of(learning.get(arm, {}).get(d, 20 if d <= 20 else 0), learnability.SEEDS) for d in distances}
        for arm in ARMS
    }


def answers(scores: Scores) -> dict[int, Verdict]:
    """The verdict on each claim, with its evidence; validation is as good as the test."""
    validation = {(arm, d): float(np.median(s.accuracies)) for arm, of_arm in scores.items() for d, s in of_arm.items()}
    claims = learnability.comparisons(scores, validation)
    return dict(enumerate(learnability.verdicts(claims, adjusted_tests(claims, scores), scores, STYLES), 1))


def judged(scores: Scores) -> dict[int, str]:
    """The verdict on each claim."""
    return {claim: verdict.verdict for claim, verdict in answers(scores).items()}


@pytest.mark.parametrize(
    ("learning", "verdict"),
    [({5: 20, 20: 20}, HOLDS), ({5: 20, 20: 12}, IN_PART), ({5: 12, 20: 12}, UNDECIDED), ({5: 2, 20: 0}, FAILS)],
)
def test_short_memory_is_more_than_half_of_the_seeds_at_5_and_20_tokens(learning: dict[int, int], verdict: str) -> None:
    assert judged(build(rnn=learning))[1] == verdict


def test_long_memory_is_bad_where_every_rnn_fails_at_every_long_distance() -> None:
    assert judged(build())[2] == HOLDS
    assert judged(build(rnn_relu={100: 20}))[2] == IN_PART
    always = dict.fromkeys((100, 200, 400), 20)
    assert judged(build(**dict.fromkeys(learnability.RNNS, always)))[2] == FAILS


def test_the_usual_lstm_is_compared_where_the_rnn_first_does_not_learn() -> None:
    assert judged(build(rnn={50: 20}, lstm={50: 20, 100: 20}))[3] == HOLDS
    assert judged(build(rnn={50: 20}, lstm={50: 20, 100: 2}))[3] == UNDECIDED
    assert judged(build(rnn={50: 12}, lstm={50: 0}))[3] == FAILS
    assert judged(build(rnn=dict.fromkeys(DISTANCES, 20)))[3] == UNDECIDED
    gap = build(distances=(5, 20, 100), lstm={100: 20})
    assert judged(gap)[3] == UNDECIDED  # it may be 50


def test_the_best_initializations_are_chosen_on_validation_and_compared_at_200_and_400() -> None:
    assert judged(build(lstm_chrono={200: 20, 400: 18}))[4] == HOLDS
    assert judged(build(lstm_chrono={200: 20}))[4] == IN_PART
    assert judged(build(rnn_relu={200: 20, 400: 20}))[4] == FAILS


def test_nothing_is_compared_with_the_best_before_all_have_run_there() -> None:
    scores = build(lstm_chrono={200: 20, 400: 20})
    del scores["lstm_chrono_50"][400]
    assert judged(scores)[4] == IN_PART  # at 200
    assert answers(scores)[4].evidence.endswith("At 400 tokens not every arm that this is about was run.")


def test_a_gru_is_equivalent_where_the_interval_of_the_difference_is_narrow() -> None:
    assert judged(build())[5] == HOLDS
    assert judged(build(gru={50: 20, 100: 20}))[5] == FAILS
    assert judged(build(gru={50: 6, 100: 6}))[5] == UNDECIDED


def test_chrono_is_compared_with_forget_bias_1_and_5() -> None:
    chrono = dict.fromkeys((50, 100, 200, 400), 20)
    assert [judged(build(lstm_chrono=chrono))[claim] for claim in (6, 7)] == [HOLDS, HOLDS]
    assert [judged(build(lstm=chrono, lstm_forget_5=chrono))[claim] for claim in (6, 7)] == [FAILS, FAILS]


def test_a_gain_that_helps_is_seen() -> None:
    assert judged(build(rnn_gain={50: 20, 100: 20}))[8] == HOLDS
    assert judged(build(rnn_gain={50: 20}))[8] == IN_PART
    assert judged(build())[8] == UNDECIDED


def test_distances_that_were_not_run_are_open() -> None:
    verdicts = judged(build(distances=(5, 20)))
    assert verdicts.pop(1) == HOLDS
    assert set(verdicts.values()) == {UNDECIDED}


def test_p_values_are_corrected_for_all_comparisons_together_run_or_not() -> None:
    few, many = build(distances=(5, 20, 50), rnn_gain={50: 7}), build(rnn_gain={50: 7})
    test = (8, Pair("rnn_gain", "rnn", 50))
    before, after = (adjusted_tests(learnability.comparisons(scores, {}), scores)[test] for scores in (few, many))
    assert before == after == 9 * share_p(7, 20, 0, 20)
    stronger = build(rnn_gain={50: 7}, lstm_chrono=dict.fromkeys((50, 100, 200, 400), 20))
    later = adjusted_tests(learnability.comparisons(stronger, {}), stronger)[test]
    assert later < before  # it counts among fewer that are left to be tested


def test_what_is_measured_comes_back_as_findings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    near, far = ([make_learner(arm, distance, seed, True) for arm in ARMS for seed in range(3)] for distance in (5, 20))
    give_runs(monkeypatch, {"learn_search_20": far, "learn_5": near, "learn_20": far})
    measure_into(tmp_path, learnability.STUDY)
    found = learnability.findings(tmp_path)
    shares, spans, compared, search = found.tables
    assert {row[1] for row in shares.rows} == {"3/3 (29 to 100 %)"}
    assert len(spans.rows) == len(ARMS)
    assert compared.rows == [("3", "LSTM, forget bias 1", "RNN, orthogonal", "5", "+0.0 (-49.6 to +49.6)", "1")]
    assert search.rows[0][1:3] == ("75", "75")
    assert set(found.figures) == {"shares", "steps", "search_20"}
