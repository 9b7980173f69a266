"""The study of 100 tokens: each verdict by the rule of its protocol, and runs that are those of the protocol."""

from pathlib import Path

import pytest
from planned_runs import swept, training_steps

from made_results import give_runs, make_learner, measure_into, score_of, style_of
from sentiment_rnn.config.store import run_config
from sentiment_rnn.studies import mid_range
from sentiment_rnn.studies.kit.scores import Scores
from sentiment_rnn.studies.kit.share_comparisons import adjusted_tests
from sentiment_rnn.studies.kit.verdicts import FAILS, HOLDS, UNDECIDED

SEARCHED = (mid_range.RNN, mid_range.LSTM, mid_range.CHRONO)
APART = ("lstm_no_input", "lstm_detach_cell")
STYLES = {arm: style_of(arm) for arm in (*SEARCHED, *APART)}


def build(**learning: int) -> Scores:
    """How many of twenty seeds of each arm learn 100 tokens; none unless given."""
    return {arm: {100: score_of(learning.get(arm, 0), mid_range.SEEDS)} for arm in STYLES}


def judged(**learning: int) -> list[str]:
    """The verdicts on claims 1 to 7."""
    scores, claims = build(**learning), [*mid_range.AGAINST_RNN, *mid_range.TAKEN_APART]
    return [one.verdict for one in mid_range.verdicts(claims, adjusted_tests(claims, scores), scores, STYLES)]


@pytest.mark.parametrize(
    ("seeds", "fails", "learns"),
    [(5, HOLDS, FAILS), (6, UNDECIDED, UNDECIDED), (14, UNDECIDED, UNDECIDED), (15, FAILS, HOLDS)],
)
def test_fifteen_seeds_of_twenty_learn_and_five_fail(seeds: int, fails: str, learns: str) -> None:
    assert judged(rnn=seeds)[0] == fails
    assert judged(lstm=seeds)[1] == judged(lstm_chrono=seeds)[2] == learns


def test_lstms_are_compared_with_the_vanilla_rnn() -> None:
    assert judged(lstm=10, lstm_chrono=20)[3:5] == [HOLDS, HOLDS]
    assert judged(rnn=20, lstm=20)[3:5] == [UNDECIDED, FAILS]


def test_what_is_taken_from_an_lstm_is_judged_where_the_whole_learns() -> None:
    assert judged(lstm_chrono=20)[5:] == [HOLDS, HOLDS]
    assert judged(lstm_chrono=20, lstm_no_input=20)[5:] == [UNDECIDED, HOLDS]
    assert judged(lstm_chrono=12)[5:] == [UNDECIDED, UNDECIDED]


@pytest.mark.parametrize(
    ("experiment", "arms", "seeds", "draws"),
    [
        ("mid_range_search", SEARCHED, "100", "range(16)"),
        ("mid_range", SEARCHED, "range(60,80)", None),
        ("mid_range_apart", APART, "range(60,80)", None),
    ],
)
def test_the_runs_are_those_of_the_protocol(
    experiment: str, arms: tuple[str, ...], seeds: str, draws: str | None
) -> None:
    asked = swept(experiment)
    assert (tuple(asked.encoder.split(",")), str(asked.seed), asked.get("optimizer.draw")) == (arms, seeds, draws)
    for arm in arms:
        given = run_config(f"experiment={experiment}", f"encoder={arm}", "optimizer.draw=6")
        assert (given.data.max_distance, given.data.distances, given.precision) == (100, "equal", "float32")
        chrono = 400 if arm in (mid_range.CHRONO, *APART) else 0 if arm == mid_range.LSTM else None
        assert given.encoder.chrono_steps == chrono
        assert (training_steps(given), given.trainer.solved_score) == (1800, 0.995)


def test_parts_come_back_as_findings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sweeps = {
        "mid_range_search": [make_learner(arm, 100, 100, True) for arm in SEARCHED],
        "mid_range": [make_learner(arm, 100, seed, arm != "rnn") for arm in SEARCHED for seed in mid_range.SEEDS],
        "mid_range_apart": [make_learner(arm, 100, seed, False) for arm in APART for seed in mid_range.SEEDS],
    }
    give_runs(monkeypatch, sweeps)
    folder = tmp_path / "mid_range"
    measure_into(folder, mid_range.STUDY, ["mid_range_search"])
    assert [table.columns[0] for table in mid_range.findings(folder).tables] == ["encoder"]
    measure_into(folder, mid_range.STUDY, ["mid_range"])
    assert [verdict.verdict for verdict in mid_range.findings(folder).verdicts] == [HOLDS] * 5
    measure_into(folder, mid_range.STUDY, ["mid_range_apart"])
    assert [verdict.verdict for verdict in mid_range.findings(folder).verdicts] == [HOLDS] * 7
    assert "8 epochs at 100 tokens" in mid_range.findings(folder).tables[-1].title
