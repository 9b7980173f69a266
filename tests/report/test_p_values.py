"""p values agree with the intervals of the same comparison, and Holm's correction with what it is short for."""

from itertools import combinations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from sentiment_rnn.report.p_values import holm, paired_p, share_p, sign_p, welch_p
from sentiment_rnn.report.statistics import paired_interval, welch_interval

values = st.lists(st.integers(0, 20), min_size=2, max_size=8).map(lambda numbers: [number / 20 for number in numbers])


@given(p_values=st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_bonferroni_on_every_set_of_comparisons_that_holds_one(p_values: list[float]) -> None:
    # The closure of Bonferroni's test: the largest p value over all sets (Marcus, Peritz & Gabriel 1976).
    adjusted = holm(dict(enumerate(p_values)))
    everything = range(len(p_values))
    for name in everything:
        sets = [s for size in range(1, len(p_values) + 1) for s in combinations(everything, size) if name in s]
        expected = max(min(1.0, len(s) * min(p_values[i] for i in s)) for s in sets)
        assert adjusted[name] == pytest.approx(expected)


def test_holm_keeps_the_order_of_the_comparisons() -> None:
    # R: p.adjust(c(0.04, 0.01, 0.03), "holm").
    assert list(holm({"c": 0.04, "a": 0.01, "b": 0.03}).items()) == [
        ("c", pytest.approx(0.06)), ("a", pytest.approx(0.03)), ("b", pytest.approx(0.06)),
    ]  # fmt: skip
    assert holm({}) == {}


@given(first=values, second=values)
def test_a_p_value_is_below_five_percent_where_the_interval_leaves_zero_out(
    first: list[float], second: list[float]
) -> None:
    interval, p = welch_interval(first, second), welch_p(first, second)
    if abs(p - 0.05) > 1e-6:
        assert (p < 0.05) == (not interval.low <= 0 <= interval.high)


@given(differences=values.filter(lambda numbers: np.ptp(numbers) > 0))
def test_a_paired_p_value_is_below_five_percent_where_the_interval_leaves_zero_out(differences: list[float]) -> None:
    first, second = dict(enumerate(differences)), dict.fromkeys(range(len(differences)), 0.0)
    interval, p = paired_interval(first, second), paired_p(first, second)
    if abs(p - 0.05) > 1e-6:
        assert (p < 0.05) == (not interval.low <= 0 <= interval.high)


def test_seeds_that_agree_leave_no_doubt_and_one_seed_says_nothing() -> None:
    assert (welch_p([1.0, 1.0], [1.0, 1.0]), welch_p([1.0, 1.0], [0.5, 0.5])) == (1.0, 0.0)
    assert (paired_p({0: 0.5, 1: 0.75}, {0: 0.25, 1: 0.5}), paired_p({0: 0.5, 1: 1.0}, {0: 0.5, 1: 1.0})) == (0.0, 1.0)
    assert np.isnan(welch_p([0.7], [0.5, 0.6]))
    assert np.isnan(paired_p({0: 0.7}, {0: 0.5}))


def test_the_sign_test_counts_the_outcomes_that_are_as_far_from_a_half() -> None:
    assert sign_p(10, 10) == sign_p(0, 10) == pytest.approx(2 / 2**10)
    assert sign_p(9, 10) == pytest.approx(2 * (1 + 10) / 2**10)
    assert sign_p(5, 10) == 1.0


def test_the_p_value_of_two_shares_is_fishers() -> None:
    # The lady tasting tea: 3 of 4 cups each way, as R documents fisher.test on it, two-sided.
    assert share_p(3, 4, 1, 4) == pytest.approx(0.4857, abs=1e-4)
    assert share_p(20, 20, 20, 20) == 1.0
