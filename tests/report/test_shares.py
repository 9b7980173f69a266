"""Intervals of shares against published examples, and how often they hold the true value, to the last outcome."""

from collections.abc import Callable
from itertools import product

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from scipy.stats import binom

from sentiment_rnn.report.statistics import Interval, clopper_pearson, counted, share_difference, wilson_interval

counts = st.integers(1, 500).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))


@pytest.mark.parametrize(
    ("correct", "total", "low", "high"),
    # Newcombe (1998), Statistics in Medicine 17, table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_interval_equals_published_examples(correct: int, total: int, low: float, high: float) -> None:
    interval = wilson_interval(correct, total)
    assert interval.estimate == correct / total
    assert interval.low == pytest.approx(low, abs=5e-5)
    assert interval.high == pytest.approx(high, abs=5e-5)


@given(data=st.data(), total=st.integers(1, 500))
def test_wilson_interval_holds_its_estimate(data: st.DataObject, total: int) -> None:
    interval = wilson_interval(data.draw(st.integers(0, total)), total)
    assert 0 <= interval.low <= interval.estimate <= interval.high <= 1


@pytest.mark.parametrize(
    ("successes", "total", "low", "high"),
    # Newcombe (1998), Statistics in Medicine 17, table I, method 5.
    [(81, 263, 0.2527, 0.3676), (15, 148, 0.0578, 0.1617), (0, 20, 0.0, 0.1684), (1, 29, 0.0009, 0.1776)],
)
def test_the_exact_interval_equals_published_examples(successes: int, total: int, low: float, high: float) -> None:
    assert clopper_pearson(successes, total) == pytest.approx((successes / total, low, high), abs=5e-5)


def test_a_share_is_shown_as_a_count_with_its_interval() -> None:
    assert [counted(18, 20), counted(0, 20)] == ["18/20 (68–99 %)", "0/20 (0–17 %)"]


SHARES = np.linspace(0.01, 0.99, 99)


def chances(total: int, share: float) -> np.ndarray:
    """float [total + 1], how likely each number of successes is."""
    return np.asarray(binom.pmf(np.arange(total + 1), total, share))


@pytest.mark.parametrize("total", [3, 10, 20])
def test_the_exact_interval_holds_any_share_at_least_as_often_as_it_says(total: int) -> None:
    intervals = [clopper_pearson(successes, total) for successes in range(total + 1)]
    for share in SHARES:
        assert chances(total, share) @ [found.low <= share <= found.high for found in intervals] >= 0.95


def coverage_of_difference(
    of: Callable[[int, int, int, int], Interval], total: int, *pairs: tuple[float, float]
) -> float:
    """How often an interval of a difference holds it, where that is least often."""
    places = list(product(range(total + 1), repeat=2))
    bounds = np.array([of(one, total, other, total)[1:] for one, other in places])
    low, high = bounds.T.reshape(2, total + 1, total + 1)
    return min(
        float(np.outer(chances(total, p), chances(total, q))[(low <= p - q + 1e-9) & (p - q - 1e-9 <= high)].sum())
        for p, q in pairs
    )


def newcombe(first: int, of_first: int, second: int, of_second: int) -> Interval:
    """The hybrid score interval (Newcombe 1998, method 10), which the project has no use for."""
    p, q = wilson_interval(first, of_first), wilson_interval(second, of_second)
    estimate = p.estimate - q.estimate
    return Interval(
        estimate,
        estimate - float(np.hypot(p.estimate - p.low, q.high - q.estimate)),
        estimate + float(np.hypot(p.high - p.estimate, q.estimate - q.low)),
    )


@pytest.mark.parametrize(("total", "least", "newcombes"), [(10, 0.914, 0.879), (20, 0.924, 0.880)])
def test_a_difference_of_shares_is_held_about_as_often_as_its_interval_says(
    total: int, least: float, newcombes: float
) -> None:
    everywhere = list(product(SHARES, repeat=2))
    assert coverage_of_difference(share_difference, total, *everywhere) == pytest.approx(least, abs=1e-3)
    assert coverage_of_difference(newcombe, total, *everywhere) == pytest.approx(newcombes, abs=1e-3)
    assert coverage_of_difference(share_difference, total, *product((0.3, 0.5, 0.9), repeat=2)) >= 0.93


def test_the_difference_of_two_shares_by_hand() -> None:
    # (9 + 1) / 12 - (3 + 1) / 12 = 0.5, and 1.96 √((10/12 · 2/12 + 4/12 · 8/12) / 12) = 0.34.
    assert share_difference(9, 10, 3, 10) == pytest.approx((0.6, 0.16, 0.84), abs=1e-3)


@given(first=counts, second=counts)
def test_an_interval_of_a_difference_holds_its_estimate_and_changes_its_sign(
    first: tuple[int, int], second: tuple[int, int]
) -> None:
    found, other = share_difference(*first, *second), share_difference(*second, *first)
    assert -1 <= found.low <= found.estimate <= found.high <= 1
    assert found == pytest.approx((-other.estimate, -other.high, -other.low))
