"""The study of rates searched at the distance: each verdict by the rule of its protocol, and the leading figure."""

from pathlib import Path

import numpy as np
import pytest

from made_results import give_runs, make_learner, measure_into, score_of, style_of
from sentiment_rnn.report.p_values import share_p
from sentiment_rnn.studies import learnability, long_range, mid_range, own_rate
from sentiment_rnn.studies.kit.scores import Scores
from sentiment_rnn.studies.kit.share_comparisons import adjusted_tests
from sentiment_rnn.studies.kit.verdicts import FAILS, HOLDS, UNDECIDED

ARMS = (*learnability.RNNS, "gru", *learnability.LSTMS)
STYLES = {arm: style_of(arm) for arm in ARMS}


def build(**learning: int) -> Scores:
    """How many of 20 seeds of each arm learn 50 tokens; 20 unless given."""
    return {arm: {50: score_of(learning.get(arm, 20), own_rate.SEEDS)} for arm in ARMS}


def judged(scores: Scores) -> dict[int, str]:
    """The verdict on each claim; validation is as good as the test."""
    validation = {(arm, 50): float(np.median(found[50].accuracies)) for arm, found in scores.items()}
    claims = own_rate.comparisons(validation)
    found = own_rate.verdicts(claims, adjusted_tests(claims, scores), scores, STYLES)
    return {claim: verdict.verdict for claim, verdict in enumerate(found, 1)}


@pytest.mark.parametrize(("seeds", "verdict"), [(20, HOLDS), (16, HOLDS), (12, UNDECIDED), (3, FAILS)])
def test_a_vanilla_rnn_learns_where_it_is_sure_that_most_seeds_do(seeds: int, verdict: str) -> None:
    assert judged(build(rnn=seeds))[1] == verdict


def test_where_all_arms_learn_nothing_makes_a_difference() -> None:
    assert judged(build()) == {1: HOLDS, 2: HOLDS, 3: UNDECIDED, 4: HOLDS, 5: UNDECIDED, 6: UNDECIDED, 7: UNDECIDED}


def test_an_lstm_that_remembers_further_is_seen() -> None:
    found = judged(build(**dict.fromkeys(learnability.TANH_RNNS, 0)))
    assert (found[2], found[3]) == (FAILS, HOLDS)
    assert judged(build(**dict.fromkeys(learnability.LSTMS, 0)))[3] == FAILS


def test_the_best_of_each_stand_for_their_cell() -> None:
    assert judged(build(rnn=0, rnn_uniform=0, lstm=0))[3] == UNDECIDED  # the RNN times 1.17 and another LSTM learn
    assert judged(build(rnn=0, rnn_uniform=0, rnn_gain=0, lstm=0))[3] == HOLDS


def test_initializations_are_compared() -> None:
    found = judged(build(lstm_forget_5=0, rnn_uniform=0, rnn=10, rnn_gain=20))
    assert [found[claim] for claim in (5, 6, 7)] == [HOLDS, HOLDS, HOLDS]
    assert judged(build(gru=0))[4] == FAILS


def test_p_values_are_corrected_for_four_comparisons() -> None:
    scores = build(lstm_forget_5=13)
    claims = own_rate.comparisons({})
    assert min(adjusted_tests(claims, scores).values()) == 4 * share_p(20, 20, 13, 20)


def measured(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    runs = [make_learner(arm, 50, seed, arm != "rnn_uniform") for arm in ARMS for seed in range(20, 40)]
    give_runs(monkeypatch, {"own_rate_search_50": runs, "own_rate_50": runs})
    measure_into(folder, own_rate.STUDY)


def test_what_is_measured_comes_back_as_findings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    measured(monkeypatch, tmp_path / "own_rate")
    found = own_rate.findings(tmp_path / "own_rate")
    assert {row[1] for row in found.tables[0].rows} == {"20/20 (83 to 100 %)", "0/20 (0 to 17 %)"}
    assert set(found.figures) == {"answer", "shares", "steps", "search_50"}
    assert len(found.verdicts) == 7


def test_with_fewer_seeds_than_planned_nothing_is_decided(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    runs = [make_learner(arm, 50, seed, arm != "rnn_uniform") for arm in ARMS for seed in range(20, 26)]
    give_runs(monkeypatch, {"own_rate_search_50": runs, "own_rate_50": runs})
    measure_into(tmp_path / "own_rate", own_rate.STUDY)
    found = own_rate.findings(tmp_path / "own_rate").verdicts
    assert {verdict.verdict for verdict in found} == {UNDECIDED}
    assert all(verdict.evidence.endswith("Of each arm 14 more seeds are planned.") for verdict in found)


def test_the_leading_figure_has_the_distances_of_other_studies_beside_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = build(rnn=17)
    assert own_rate.searched_where_run(tmp_path / "own_rate", own) == own
    learned = {
        f"learn_{distance}": [make_learner(arm, distance, s, False) for arm in ("rnn", "lstm_forget_5") for s in (0, 1)]
        for distance in (20, 50, 100, 200, 400)
    }
    beside = {
        "mid_range": [make_learner("rnn", 100, seed, True) for seed in range(60, 62)],
        "long_range": [make_learner("rnn", 400, seed, False) for seed in range(40, 43)],
    }
    give_runs(monkeypatch, learned | beside)
    for study in (learnability.STUDY, mid_range.STUDY, long_range.STUDY):
        measure_into(tmp_path / study.name, study, [*learned, *beside])
    found = own_rate.searched_where_run(tmp_path / "own_rate", own)
    assert {distance: score.seeds for distance, score in found["rnn"].items()} == {
        20: (0, 1), 50: tuple(range(20, 40)), 100: (60, 61), 400: (40, 41, 42),
    }  # fmt: skip
    assert {d: score.seeds for d, score in found["lstm_forget_5"].items() if d != 50} == {20: (0, 1), 100: (0, 1)}
