"""Which intervals contain the share of other seeds, and how many should."""

import numpy as np
import pytest
from made_studies import learners, table_of

from experiments.lab.findings import findings_of
from experiments.lab.rules import FAILS, HOLDS, UNDECIDED
from experiments.lab.study import find_study
from experiments.lab.table import joined, read_results
from experiments.lag.replication import Repeated, number_contained, verdict

PLANNED = 36
"""Twelve arms at three lags."""


def repeated(first: int, second: int, seeds: int = 20) -> Repeated:
    return Repeated("rnn", "20", (first, seeds), (second, seeds))


def test_a_share_is_contained_where_it_lies_in_the_exact_interval_of_the_first() -> None:
    # 20/20 has an interval from 0.832, and 10/20 one from 0.272 to 0.728.
    assert [repeated(20, second).contained for second in (20, 17, 16)] == [True, True, False]
    assert [repeated(10, second).contained for second in (5, 6, 14, 15)] == [False, True, True, False]


@pytest.mark.parametrize(("first", "second"), [(10, 10), (19, 17), (3, 1)])
def test_the_probability_is_that_of_two_draws_with_one_share(first: int, second: int) -> None:
    drawn = np.random.default_rng(0).binomial(20, (first + second) / 40, (4000, 2))
    found = np.mean([repeated(int(one), int(other)).contained for one, other in drawn])
    assert abs(repeated(first, second).probability - found) < 4 * np.sqrt(0.25 / 4000)


def test_where_no_seed_or_every_one_learns_the_share_is_surely_contained() -> None:
    assert repeated(0, 0).probability == repeated(20, 20).probability == pytest.approx(1)


def test_the_number_of_intervals_is_a_sum_of_independent_events() -> None:
    sure, unsure = repeated(20, 20), repeated(10, 10)
    p = unsure.probability
    assert 0.8 < p < 1
    assert number_contained([sure, unsure, unsure]) == pytest.approx([0, (1 - p) ** 2, 2 * p * (1 - p), p**2])


def everywhere(first: int, second: int) -> list[Repeated]:
    """Twelve arms at each of three lags."""
    return [repeated(first, second)] * PLANNED


def test_the_verdict_asks_for_the_quantile() -> None:
    assert verdict(everywhere(20, 20), PLANNED).verdict == HOLDS
    assert verdict(everywhere(10, 15), PLANNED).verdict == FAILS
    said = verdict([*everywhere(10, 10)[:34], repeated(10, 4), repeated(10, 4)], PLANNED)
    assert (said.verdict, said.rows[0].number) == (HOLDS, "34 of 36 intervals")


def test_nothing_is_decided_before_every_arm_was_run_at_all_lags() -> None:
    assert verdict([], PLANNED).verdict == UNDECIDED
    assert verdict(everywhere(10, 15)[1:], PLANNED).verdict == UNDECIDED


def test_other_seeds_of_each_arm_are_held_against_the_first_at_the_rate_of_that_lag() -> None:
    lag = find_study("lag")
    table = read_results(lag.folder)
    found = findings_of(lag, lag.protocols["replication"], table)
    assert [len(found.tables[name].rows) for name in ("mixed", "pairs")] == [7, 36]
    assert found.verdicts["intervals"].verdict == HOLDS
    fewer = table[(table.protocol != "replication") | (table.condition == "5")]
    some = findings_of(lag, lag.protocols["replication"], fewer)
    assert some.verdicts["intervals"].verdict == UNDECIDED
    assert "intervals" not in findings_of(lag, lag.protocols["replication"], table[:0]).verdicts


def test_an_arm_that_lacks_seeds_is_no_pair() -> None:
    lag = find_study("lag")
    first = table_of(lag, {("rnn", "5"): learners(20), ("lstm", "5"): learners(20)}, "learnability")
    again = table_of(lag, {("rnn", "5"): learners(20), ("lstm", "5"): learners(19, of=19)}, "replication")
    found = findings_of(lag, lag.protocols["replication"], joined(first, again))
    assert [row[0] for row in found.tables["pairs"].rows] == ["RNN, orthogonal"]
