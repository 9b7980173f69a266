"""The study of ten times the steps: each verdict by the rule of its protocol."""

from pathlib import Path

import pytest
from planned_runs import swept, training_steps

from made_results import give_runs, make_learner, measure_into, score_of, style_of
from sentiment_rnn.config.store import run_config
from sentiment_rnn.studies import budget
from sentiment_rnn.studies.kit.scores import Scores
from sentiment_rnn.studies.kit.share_comparisons import adjusted_tests
from sentiment_rnn.studies.kit.verdicts import FAILS, HOLDS, IN_PART, UNDECIDED

SHORT = ("rnn_uniform", "lstm_forget_3", "lstm_forget_5")
ARMS = {20: SHORT, 50: SHORT, 100: (*SHORT, "rnn", "rnn_gain", "lstm_forget_0", "lstm")}
STYLES = {arm: style_of(arm) for arm in ARMS[100]}


def build(distances: tuple[int, ...] = (20, 50, 100), **learning: int) -> Scores:
    """How many of ten seeds of each arm learn, at every distance; 10 unless given."""
    scores: Scores = {}
    for distance in distances:
        for arm in ARMS[distance]:
            scores.setdefault(arm, {})[distance] = score_of(learning.get(arm, 10), budget.SEEDS)
    return scores


def judged(scores: Scores) -> list[str]:
    """The verdicts on claims 1 to 6."""
    claims = budget.COMPARISONS
    found = budget.verdicts(claims, adjusted_tests(claims, scores), scores, STYLES)
    return [verdict.verdict for verdict in found]


def test_where_every_seed_learns_all_claims_hold_but_that_of_a_difference() -> None:
    assert judged(build()) == [HOLDS] * 5 + [UNDECIDED]


@pytest.mark.parametrize(
    ("seeds", "verdict"), [(10, HOLDS), (9, HOLDS), (8, IN_PART), (2, IN_PART), (1, IN_PART), (0, IN_PART)]
)
def test_nine_seeds_of_ten_learn(seeds: int, verdict: str) -> None:
    assert judged(build(lstm_forget_5=seeds))[:2] == [verdict] * 2


@pytest.mark.parametrize(("seeds", "verdict"), [(9, HOLDS), (8, UNDECIDED), (2, UNDECIDED), (1, FAILS)])
def test_one_seed_of_ten_fails(seeds: int, verdict: str) -> None:
    found = judged(build(lstm_forget_3=seeds, lstm_forget_5=seeds))
    assert found[3] == verdict
    assert found[0] == (HOLDS if verdict == HOLDS else IN_PART)  # the uniform RNN learns 20 tokens


def test_an_lstm_that_learns_more_often_than_an_rnn_is_seen() -> None:
    assert judged(build(rnn=5))[5] == HOLDS
    assert judged(build(rnn=6))[5] == UNDECIDED
    assert judged(build(lstm=4))[5] == FAILS


@pytest.mark.parametrize("distance", ARMS)
@pytest.mark.parametrize(("sweep", "seeds"), [("budget", "range(50,60)"), ("budget_search", "100")])
def test_the_runs_are_those_of_the_protocol(distance: int, sweep: str, seeds: str) -> None:
    asked = swept(f"{sweep}_{distance}")
    assert set(asked.encoder.split(",")) == set(ARMS[distance])
    assert str(asked.seed) == seeds
    given = run_config(f"experiment={sweep}_{distance}", "encoder=lstm_forget_5", "optimizer.draw=6")
    assert given.data.max_distance == distance
    assert (training_steps(given), given.trainer.solved_score) == (budget.BUDGETS[-1], 0.995)


def test_what_is_measured_comes_back_as_findings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    runs = {
        distance: [make_learner(arm, distance, seed, arm != "rnn") for arm in arms for seed in budget.SEEDS]
        for distance, arms in ARMS.items()
    }
    sweeps = {f"budget_{distance}": found for distance, found in runs.items()}
    give_runs(monkeypatch, sweeps | {f"budget_search_{distance}": found for distance, found in runs.items()})
    measure_into(tmp_path / "budget", budget.STUDY)
    found = budget.findings(tmp_path / "budget")
    assert [verdict.verdict for verdict in found.verdicts] == [HOLDS, HOLDS, IN_PART, HOLDS, HOLDS, HOLDS]
    assert set(found.figures) == {"shares", "steps", "search_20", "search_50", "search_100"}
    assert any("over 80 epochs at 20 tokens" in table.title for table in found.tables)
    steps = next(table for table in found.tables if "training steps" in table.title)
    assert ("RNN, orthogonal", "100", *["0/10 (0 to 31 %)"] * 4, "") in steps.rows
    assert ("RNN, uniform", "100", *["10/10 (69 to 100 %)"] * 4, "450") in steps.rows
