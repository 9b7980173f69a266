"""The study of causes: each verdict by the rule of its protocol, and files that come back as findings."""

from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from made_results import give_runs, make_learner, measure_into, score_of, style_of
from sentiment_rnn.report.p_values import share_p
from sentiment_rnn.studies import causes
from sentiment_rnn.studies.kit.scores import Scores
from sentiment_rnn.studies.kit.share_comparisons import Claim, Pair, adjusted_tests, verdict_on
from sentiment_rnn.studies.kit.verdicts import FAILS, HOLDS, IN_PART, UNDECIDED

TRUNCATED = {
    20: ("lstm_truncated_10", "lstm_truncated_25"),
    100: ("lstm_truncated_50", "lstm_truncated_100", "lstm_truncated_110"),
    400: ("lstm_truncated_100", "lstm_truncated_200"),
}
OTHERS = (
    "lstm_chrono", "lstm_no_input", "lstm_no_output", "lstm_coupled", "lstm_gates_of_input", "lstm_detach_cell",
    "lstm_detach_hidden", "rnn", "rnn_leaky", "rnn_leaky_400", "lstm_no_forget",
)  # fmt: skip
STYLES = {arm: style_of(arm) for arm in (*OTHERS, *chain.from_iterable(TRUNCATED.values()))}


def build(distances: tuple[int, ...] = (20, 100, 400), **learning: int) -> Scores:
    """How many of 10 seeds of each arm learn, at every distance; 10 unless given."""
    scores: Scores = {}
    for distance in distances:
        for arm in (*OTHERS, *TRUNCATED[distance]):
            number = learning.get(f"{arm}_at_{distance}", learning.get(arm, 10))
            scores.setdefault(arm, {})[distance] = score_of(number, causes.SEEDS)
    return scores


def judged(scores: Scores) -> dict[int, str]:
    """The verdict on each claim; validation is as good as the test."""
    validation = {(arm, d): float(np.median(s.accuracies)) for arm, found in scores.items() for d, s in found.items()}
    claims = causes.comparisons(validation)
    found = causes.verdicts(claims, adjusted_tests(claims, scores), scores, STYLES)
    return {claim: verdict.verdict for claim, verdict in enumerate(found, 1)}


def test_where_nothing_makes_a_difference_no_part_is_shown_to_be_needed() -> None:
    found = judged(build())
    equivalences = {2, 4, 5, 11}
    assert {claim for claim, verdict in found.items() if verdict == HOLDS} == equivalences
    assert {found[claim] for claim in set(found) - equivalences} == {FAILS}


def test_a_gradient_that_does_not_reach_the_clause() -> None:
    none = {"lstm_truncated_10_at_20": 0, "lstm_truncated_50_at_100": 0, "lstm_truncated_200_at_400": 0}
    assert judged(build(**none))[1] == HOLDS
    assert judged(build(lstm_truncated_50_at_100=0))[1] == IN_PART
    assert judged(build(lstm_truncated_25_at_20=0, lstm_truncated_110_at_100=0))[2] == FAILS
    assert judged(build(lstm_truncated_25_at_20=0))[2] == IN_PART


@pytest.mark.parametrize(
    ("claim", "arm"),
    [
        (3, "lstm_detach_cell"), (7, "lstm_no_forget"), (8, "lstm_no_input"), (9, "lstm_no_output"),
        (10, "lstm_gates_of_input"),
    ],
)  # fmt: skip
def test_a_part_is_needed_where_its_lack_is_seen_at_every_distance(claim: int, arm: str) -> None:
    assert judged(build(**{arm: 0}))[claim] == HOLDS
    assert judged(build(**{f"{arm}_at_100": 0}))[claim] == IN_PART
    assert judged(build(**{arm: 7}))[claim] == UNDECIDED


@pytest.mark.parametrize(("claim", "arm"), [(4, "lstm_detach_hidden"), (11, "lstm_coupled")])
def test_an_arm_is_as_good_where_the_difference_is_surely_small(claim: int, arm: str) -> None:
    assert judged(build(**{arm: 10}))[claim] == HOLDS
    assert judged(build(**{arm: 7}))[claim] == UNDECIDED
    assert judged(build(**{arm: 0}))[claim] == FAILS


def test_the_better_leaky_rnn_stands_for_a_cell_without_gates() -> None:
    found = judged(build(rnn=0, rnn_leaky=0, rnn_leaky_400=10))
    assert (found[5], found[6]) == (HOLDS, HOLDS)
    found = judged(build(rnn=0, rnn_leaky=0, rnn_leaky_400=0))
    assert (found[5], found[6]) == (FAILS, FAILS)


def test_nothing_is_a_cause_where_the_whole_lstm_does_not_learn() -> None:
    assert set(judged(build(lstm_chrono=7)).values()) == {UNDECIDED}
    found = judged(build(lstm_chrono_at_400=0, lstm_no_input=0))
    assert found[8] == IN_PART  # at 20 and at 100


def test_p_values_are_corrected_for_all_tests_together_run_or_not() -> None:
    scores = build(distances=(20,), lstm_no_output=4)
    adjusted = adjusted_tests(causes.comparisons({}), scores)
    assert min(adjusted.values()) == 20 * share_p(10, 10, 4, 10)


def test_what_was_not_run_of_a_claim_is_said() -> None:
    scores = build(distances=(20,))
    pairs = (Pair("lstm_chrono", "rnn", 20), Pair("lstm_chrono", "gru", 20), Pair("lstm_chrono", "rnn", 400))
    claim = Claim(1, "A claim.", pairs)
    said = verdict_on(claim, adjusted_tests([claim], scores), scores, STYLES).evidence
    assert said.endswith("lstm_chrono against gru was not run at 20 tokens. 400 tokens were not run.")


def test_what_is_measured_comes_back_as_findings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arms = (*OTHERS, *TRUNCATED[20])
    runs = [make_learner(arm, 20, seed, arm != "lstm_truncated_10") for arm in arms for seed in range(10)]
    give_runs(monkeypatch, {"causes_search_20": runs, "causes_20": runs})
    measure_into(tmp_path, causes.STUDY)
    found = causes.findings(tmp_path)
    shares, compared, search = found.tables
    assert {row[1] for row in shares.rows} == {"10/10 (69 to 100 %)", "0/10 (0 to 31 %)"}
    assert compared.rows[0][:4] == ("1", "LSTM, chrono", "LSTM, gradient of 10 tokens", "20")
    assert len(search.rows) == len(arms)
    assert found.verdicts[0].verdict == IN_PART
    assert found.verdicts[0].evidence == (
        "At 20 tokens 10/10 (69 to 100 %) seeds of LSTM, chrono learn, and 0/10 (0 to 31 %) of LSTM, gradient of 10 "
        f"tokens: +100.0 (+61.2 to +100.0) points, adjusted p = {20 * share_p(10, 10, 0, 10):.2g}. "
        "Up to 40 points count as no difference. 100 and 400 tokens were not run."
    )
    # Five and six speak of longer distances alone.
    assert len(found.verdicts) == 9
    assert set(found.figures) == {"shares", "steps", "search_20"}
