"""The study of other seeds: which intervals contain the second share, and how many should."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from made_results import give_runs, make_learner, measure_into
from sentiment_rnn.studies import learnability, own_rate, replication
from sentiment_rnn.studies.kit.verdicts import FAILS, HOLDS, UNDECIDED
from sentiment_rnn.studies.replication import Repeated, number_contained

ARMS = ("rnn", "gru", "lstm")


def repeated(first: int, second: int, seeds: int = 20) -> Repeated:
    return Repeated("rnn", 20, (first, seeds), (second, seeds))


def test_a_share_is_contained_where_it_lies_in_the_exact_interval_of_the_first() -> None:
    # 20/20 has an interval from 0.832, and 10/20 one from 0.272 to 0.728.
    assert [repeated(20, second).contained for second in (20, 17, 16)] == [True, True, False]
    assert [repeated(10, second).contained for second in (5, 6, 14, 15)] == [False, True, True, False]


@pytest.mark.parametrize(("first", "second"), [(10, 10), (19, 17), (3, 1)])
def test_the_probability_is_that_of_two_draws_with_one_share(first: int, second: int) -> None:
    share, draw = (first + second) / 40, np.random.default_rng(0)
    drawn = draw.binomial(20, share, (20_000, 2))
    found = np.mean([repeated(int(one), int(other)).contained for one, other in drawn[:4000]])
    assert abs(repeated(first, second).probability - found) < 4 * np.sqrt(0.25 / 4000)


def test_where_no_seed_or_every_one_learns_the_share_is_surely_contained() -> None:
    assert repeated(0, 0).probability == repeated(20, 20).probability == pytest.approx(1)


def test_the_number_of_intervals_is_a_sum_of_independent_events() -> None:
    sure, unsure = repeated(20, 20), repeated(10, 10)
    p = unsure.probability
    assert 0.8 < p < 1
    expected = [0, (1 - p) ** 2, 2 * p * (1 - p), p**2]
    assert number_contained([sure, unsure, unsure]) == pytest.approx(expected)


def everywhere(first: int, second: int) -> list[Repeated]:
    """Twelve arms at each distance."""
    pairs = [repeated(first, second)._replace(distance=distance) for distance in replication.DISTANCES]
    return pairs * 12


def test_the_verdict_asks_for_the_quantile() -> None:
    assert replication.verdict(everywhere(20, 20)).verdict == HOLDS
    assert replication.verdict(everywhere(10, 15)).verdict == FAILS
    said = replication.verdict([*everywhere(10, 10)[:34], repeated(10, 4), repeated(10, 4)])
    assert said.evidence.startswith("Of 36 intervals 34 contain the share of the other seeds; 3")
    assert said.verdict == HOLDS


def test_nothing_is_decided_before_all_distances_were_run() -> None:
    assert replication.verdict([]).verdict == UNDECIDED
    assert replication.verdict([repeated(10, 15)] * 24).verdict == UNDECIDED


def test_what_is_measured_comes_back_as_findings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def sweep(distance: int, seeds: range, learning: int) -> list[Any]:
        return [make_learner(arm, distance, s, s - seeds.start < learning) for arm in ARMS for s in seeds]

    low, high = range(20), range(20, 40)
    sweeps = {"learn_5": sweep(5, low, 20), "learn_20": sweep(20, low, 20), "learn_50": sweep(50, low, 0)}
    sweeps |= {"own_rate_search_50": sweep(50, range(100, 101), 1), "own_rate_50": sweep(50, high, 18)}
    sweeps |= {"again_5": sweep(5, high, 20), "again_20": sweep(20, high, 10), "again_50": sweep(50, low, 17)}
    give_runs(monkeypatch, sweeps)
    for study in (learnability.STUDY, own_rate.STUDY, replication.STUDY):
        measure_into(tmp_path / study.name, study)
    found = replication.findings(tmp_path / "replication")
    _, pairs = found.tables
    assert [row[1:5] for row in pairs.rows[:3]] == [
        ("5", "20/20 (83 to 100 %)", "20/20 (83 to 100 %)", "yes"),
        ("20", "20/20 (83 to 100 %)", "10/20 (27 to 73 %)", "no"),
        ("50", "18/20 (68 to 99 %)", "17/20 (62 to 97 %)", "yes"),
    ]
    assert found.verdicts[0].evidence.startswith("Of 9 intervals 6 contain the share of the other seeds; ")
    assert set(found.figures) == {"shares", "steps"}
