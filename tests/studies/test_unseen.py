"""The study of unseen distances: each verdict by the rule of its protocol, and files that come back as findings."""

from pathlib import Path

import numpy as np
import pytest

from made_results import give_runs, make_result, measure_into, score_of, style_of
from sentiment_rnn.inference.predictions import Predictions
from sentiment_rnn.report.p_values import share_p
from sentiment_rnn.studies import unseen
from sentiment_rnn.studies.kit.scores import Score, Scores
from sentiment_rnn.studies.kit.share_comparisons import adjusted_tests
from sentiment_rnn.studies.kit.verdicts import FAILS, HOLDS, IN_PART, UNDECIDED
from sentiment_rnn.tracking.results import RunResult

ARMS = ("rnn", "rnn_relu", "gru", "lstm", "lstm_chrono_50", "lstm_chrono")
STYLES = {arm: style_of(arm) for arm in ARMS}
DISTANCES = (*unseen.TRAINED, *unseen.UNSEEN)


def build(**carrying: tuple[int, int, int, int]) -> Scores:
    """Scores of 20 seeds of each arm: how many learn, and how many of those carry 100, 200 and 400 tokens; all unless
    given."""
    scores: Scores = {}
    for arm in ARMS:
        learn, *carry = carrying.get(arm, (20, 20, 20, 20))
        numbers = [learn] * len(unseen.TRAINED) + carry
        scores[arm] = {d: score_of(number, unseen.SEEDS) for d, number in zip(DISTANCES, numbers, strict=True)}
    return scores


def judged(every: Scores) -> dict[int, str]:
    """The verdict on each claim."""
    carried = unseen.of_learners(every)
    found = unseen.verdicts(adjusted_tests(unseen.COMPARISONS, carried), carried, STYLES)
    return {claim: verdict.verdict for claim, verdict in enumerate(found, 1)}


def test_where_all_carry_everything_no_arm_is_ahead() -> None:
    assert judged(build()) == {1: HOLDS, 2: HOLDS, 3: HOLDS, 4: UNDECIDED, 5: UNDECIDED, 6: UNDECIDED}


@pytest.mark.parametrize(("claim", "arm"), [(1, "rnn"), (2, "gru"), (3, "lstm")])
def test_an_arm_carries_a_distance_where_it_is_sure_that_most_seeds_do(claim: int, arm: str) -> None:
    assert judged(build(**{arm: (20, 20, 16, 3)}))[claim] == IN_PART
    assert judged(build(**{arm: (20, 16, 16, 16)}))[claim] == HOLDS
    assert judged(build(**{arm: (20, 12, 12, 3)}))[claim] == UNDECIDED
    assert judged(build(**{arm: (20, 3, 3, 0)}))[claim] == FAILS


def test_seeds_that_do_not_learn_have_nothing_to_carry() -> None:
    assert judged(build(rnn=(10, 10, 10, 10)))[1] == HOLDS
    assert judged(build(rnn=(4, 4, 4, 4)))[1] == UNDECIDED  # too few
    found = judged(build(rnn=(0, 0, 0, 0)))
    assert (found[1], found[4], found[6]) == (UNDECIDED, UNDECIDED, UNDECIDED)


def test_a_seed_that_misses_one_trained_distance_has_not_learned() -> None:
    every = build()
    every["gru"][20] = Score(np.array([0.9] + [0.99] * 19), tuple(unseen.SEEDS))
    carried = unseen.of_learners(every)
    assert carried["gru"][400].seeds == tuple(range(1, 20))
    assert len(carried["lstm"][400].seeds) == 20


@pytest.mark.parametrize(
    ("claim", "ahead", "behind"), [(4, "lstm", "rnn"), (5, "lstm_chrono", "lstm_chrono_50"), (6, "rnn", "rnn_relu")]
)
def test_an_arm_is_ahead_at_each_distance_where_it_carries_more_often(claim: int, ahead: str, behind: str) -> None:
    assert judged(build(**{behind: (20, 0, 0, 0)}))[claim] == HOLDS
    assert judged(build(**{behind: (20, 20, 12, 12)}))[claim] == IN_PART
    assert judged(build(**{ahead: (20, 12, 0, 0), behind: (20, 0, 0, 0)}))[claim] == IN_PART  # neither carries 200
    assert judged(build(**{ahead: (20, 0, 0, 0)}))[claim] == FAILS
    assert judged(build(**{behind: (20, 20, 20, 16)}))[claim] == UNDECIDED


def test_p_values_are_corrected_for_nine_comparisons() -> None:
    carried = unseen.of_learners(build(rnn_relu=(20, 20, 20, 13)))
    assert min(adjusted_tests(unseen.COMPARISONS, carried).values()) == pytest.approx(9 * share_p(20, 20, 13, 20))


def test_an_arm_of_which_no_seed_learns_is_said_to_and_counts_among_the_tests() -> None:
    carried = unseen.of_learners(build(rnn=(0, 0, 0, 0), lstm_chrono_50=(20, 20, 20, 13)))
    adjusted = adjusted_tests(unseen.COMPARISONS, carried)
    found = unseen.verdicts(adjusted, carried, STYLES)
    assert {found[place].evidence for place in (0, 3, 5)} == {"No seed of RNN, orthogonal learns."}
    assert "20/20 (83 to 100 %) seeds of LSTM, chrono carry it" in found[4].evidence
    assert min(adjusted.values()) == pytest.approx(9 * share_p(20, 20, 13, 20))


def make_runs(arm: str, seeds: range, reviews: int = 10) -> list[RunResult]:
    """Runs that are right everywhere; a ReLU RNN is so up to 100 tokens, and a GRU with odd seeds."""
    distances = np.repeat(DISTANCES, reviews).astype(np.int32)
    label, color = style_of(arm)
    found = []
    for seed in seeds:
        right = distances <= 100 if arm == "rnn_relu" else np.full(len(distances), arm != "gru" or seed % 2 == 1)
        predictions = Predictions(
            np.where(right, 0.9, 0.1), np.ones(len(distances), np.int8), np.arange(len(distances)), distances
        )
        metrics = {"test/accuracy": float(right.mean()), "val/best_accuracy": 1.0}
        run = make_result(
            arm, seed=seed, predictions=predictions, metrics=metrics, label=label, color=color, max_distance=50
        )
        run.config.optimizer.gradient_clip_norm = 1.0
        found.append(run)
    return found


def runs_with(seeds: range) -> list[RunResult]:
    return [run for arm in ARMS for run in make_runs(arm, seeds)]


def test_what_is_measured_comes_back_as_findings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    give_runs(monkeypatch, {"unseen_search": runs_with(range(100, 101)), "unseen": runs_with(unseen.SEEDS)})
    measure_into(tmp_path / "unseen", unseen.STUDY)
    found = unseen.findings(tmp_path / "unseen")
    carried, accuracy, comparisons, shares, search = found.tables
    rows = {row[0]: row[1:] for row in carried.rows}
    all_seeds, none = "20/20 (83 to 100 %)", "0/20 (0 to 17 %)"
    assert rows["RNN, ReLU and identity"] == (all_seeds, all_seeds, none, none)
    assert rows["GRU"] == ("10/20 (27 to 73 %)", *["10/10 (69 to 100 %)"] * 3)
    assert accuracy.rows[2][1].startswith("100.0 % (69.")
    assert [row[0] for row in comparisons.rows] == [*"444555666"]
    assert shares.rows[2][1:] == ("10/20 (27 to 73 %)",) * len(DISTANCES) + ("0",)
    assert search.title.startswith("Mean validation accuracy [%] over four epochs up to 50 tokens")
    assert set(found.figures) == {"carried", "search_50"}
    assert [verdict.verdict for verdict in found.verdicts] == [HOLDS, HOLDS, HOLDS, UNDECIDED, UNDECIDED, IN_PART]
    assert found.verdicts[1].evidence.startswith("Of the seeds of GRU that learn, 10/10 (69 to 100 %) carry 100 tokens")


def test_parts_come_together_as_the_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, parts in (("parts", (range(10, 20), range(10))), ("whole", (unseen.SEEDS,))):
        for seeds in parts:
            give_runs(monkeypatch, {"unseen": runs_with(seeds)})
            measure_into(tmp_path / name, unseen.STUDY, ["unseen"])
    for file in (tmp_path / "whole").iterdir():
        assert file.read_bytes() == (tmp_path / "parts" / file.name).read_bytes(), file.name


def test_a_search_alone_is_shown_and_nothing_is_judged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    give_runs(monkeypatch, {"unseen_search": runs_with(range(100, 101))})
    measure_into(tmp_path / "unseen", unseen.STUDY)
    found = unseen.findings(tmp_path / "unseen")
    assert (len(found.tables), found.verdicts, set(found.figures)) == (1, [], {"search_50"})
