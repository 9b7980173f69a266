"""The study of 400 tokens: each verdict by the rule of its protocol, and runs that are those of the protocol."""

from pathlib import Path

import pytest
from planned_runs import swept, training_steps

from made_results import give_runs, make_learner, measure_into, score_of, style_of
from sentiment_rnn.config.store import run_config
from sentiment_rnn.studies import long_range
from sentiment_rnn.studies.kit.scores import Scores
from sentiment_rnn.studies.kit.share_comparisons import adjusted_tests
from sentiment_rnn.studies.kit.verdicts import FAILS, HOLDS, IN_PART, UNDECIDED

ARMS = (*long_range.RNNS, *long_range.SHORT, *long_range.CHRONO)
STYLES = {arm: style_of(arm) for arm in ARMS}


def build(**learning: int) -> Scores:
    """How many of ten seeds of each arm learn 400 tokens; none unless given."""
    return {arm: {400: score_of(learning.get(arm, 0), long_range.SEEDS)} for arm in ARMS}


def judged(scores: Scores) -> list[str]:
    """The verdicts on claims 1 to 6; validation is as good as the test."""
    validation = {(arm, 400): float(found[400].accuracies.mean()) for arm, found in scores.items()}
    claims = long_range.comparisons(validation)
    return [one.verdict for one in long_range.verdicts(claims, adjusted_tests(claims, scores), scores, STYLES)]


def test_where_nothing_learns_the_claims_of_failures_hold() -> None:
    assert judged(build()) == [FAILS, HOLDS, HOLDS, UNDECIDED, UNDECIDED, UNDECIDED]


@pytest.mark.parametrize(("seeds", "verdict"), [(10, HOLDS), (9, HOLDS), (8, IN_PART), (1, IN_PART)])
def test_nine_seeds_of_ten_learn(seeds: int, verdict: str) -> None:
    assert judged(build(lstm_chrono=seeds, lstm_chrono_2000=10))[0] == verdict


@pytest.mark.parametrize(("seeds", "verdict"), [(0, HOLDS), (1, HOLDS), (2, IN_PART), (9, IN_PART)])
def test_one_seed_of_ten_fails(seeds: int, verdict: str) -> None:
    found = judged(build(rnn_relu=seeds, gru=seeds))
    assert found[1:3] == [verdict] * 2


def test_the_best_arms_and_the_initializations_are_compared() -> None:
    assert judged(build(lstm_chrono=10))[3:] == [HOLDS, HOLDS, FAILS]
    assert judged(build(lstm_chrono_2000=10))[3:] == [HOLDS, UNDECIDED, HOLDS]
    assert judged(build(rnn_relu=10))[3] == FAILS
    assert judged(build(lstm=10))[3:] == [HOLDS, FAILS, UNDECIDED]


def test_nothing_is_compared_with_the_best_before_all_have_run() -> None:
    scores = build(lstm_chrono=10)
    del scores["lstm"]
    assert judged(scores)[3:5] == [UNDECIDED, UNDECIDED]


@pytest.mark.parametrize(
    ("sweep", "arms"), [("", {"rnn_relu", *long_range.CHRONO}), ("_usual", {"rnn", *long_range.SHORT})]
)
@pytest.mark.parametrize(("search", "seeds"), [("", "range(40,50)"), ("_search", "100")])
def test_the_runs_are_those_of_the_protocol(sweep: str, arms: set[str], search: str, seeds: str) -> None:
    asked = swept(f"long_range{search}{sweep}")
    assert set(asked.encoder.split(",")) == arms
    assert str(asked.seed) == seeds
    assert asked.get("optimizer.draw") == ("range(16)" if search else None)
    given = run_config(f"experiment=long_range{search}{sweep}", f"encoder={min(arms)}", "optimizer.draw=6")
    assert (given.data.max_distance, given.precision) == (400, "float32")
    assert (training_steps(given), given.trainer.solved_score) == (1800, 0.995)


def test_parts_come_back_as_findings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sweeps = {
        "long_range_search": [make_learner(arm, 400, 100, True) for arm in ("rnn_relu", *long_range.CHRONO)],
        "long_range": [
            make_learner(arm, 400, seed, arm != "rnn_relu")
            for arm in ("rnn_relu", *long_range.CHRONO) for seed in long_range.SEEDS
        ],
    }  # fmt: skip
    give_runs(monkeypatch, sweeps)
    folder = tmp_path / "long_range"
    measure_into(folder, long_range.STUDY, ["long_range_search"])
    assert [table.columns[0] for table in long_range.findings(folder).tables] == ["encoder"]
    measure_into(folder, long_range.STUDY, ["long_range"])
    found = {verdict.claim: verdict.verdict for verdict in long_range.findings(folder).verdicts}
    assert list(found.values()) == [HOLDS, IN_PART, UNDECIDED]  # chrono; the ReLU RNN; chrono for longer
    assert "8 epochs at 400 tokens" in long_range.findings(folder).tables[-1].title
