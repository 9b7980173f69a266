"""Intervals promise a reader to equal published examples, and to hold the true value about as often as they say."""

from collections.abc import Callable, Iterable
from itertools import pairwise

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from sentiment_rnn.report.statistics import (
    Interval,
    accuracy_difference,
    accuracy_interval,
    logarithmic_bins,
    percent,
    quantile_bins,
    spread,
    t_interval,
    welch_interval,
    wilson_interval,
    with_deviation,
)

whole_numbers = st.lists(st.integers(1, 3000), min_size=1, max_size=60).map(np.array)


def test_the_t_interval_equals_a_published_example() -> None:
    # Ten additional hours of sleep of Student (1908), as R documents t.test on them: 0.7001142 to 2.4598858.
    hours = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]
    interval = t_interval(hours)
    assert interval.estimate == pytest.approx(1.58)
    assert (interval.low, interval.high) == pytest.approx((0.7001142, 2.4598858))


def normal(random: np.random.Generator, shape: tuple[int, int], mean: float) -> np.ndarray:
    """Accuracies [trials, seeds] of seeds that differ by little."""
    return random.normal(mean, 0.02, shape)


def coverage(intervals: Iterable[Interval], truth: float) -> float:
    """How often the intervals hold the true value."""
    return float(np.mean([interval.low <= truth <= interval.high for interval in intervals]))


TRIALS, SEEDS = 1000, 5


def test_of_normal_outcomes_intervals_hold_the_true_value_about_as_often_as_they_say() -> None:
    random = np.random.default_rng(0)
    first, second = (normal(random, (TRIALS, SEEDS), mean) for mean in (0.8, 0.7))
    assert coverage(map(t_interval, first), 0.8) == pytest.approx(0.95, abs=0.02)
    # With few seeds Welch's interval is a little too wide, never too narrow.
    assert 0.94 <= coverage(map(welch_interval, first, second), 0.1) <= 0.98


def test_an_accuracy_and_a_difference_stay_in_their_bounds() -> None:
    lottery = [0.5, 1.0, 1.0]
    assert t_interval(lottery).high > 1
    assert accuracy_interval(lottery)[1:] == (pytest.approx(0.116, abs=1e-3), 1.0)
    assert accuracy_difference([0.1, 0.2], [0.8, 0.9])[1:] == (-1.0, pytest.approx(-0.396, abs=1e-3))


def test_an_interval_that_would_hold_every_value_is_none() -> None:
    for interval in (accuracy_interval([0.45, 0.55]), accuracy_difference([0.0, 1.0], [0.0, 1.0])):
        assert not interval.known


def test_a_single_seed_has_no_interval() -> None:
    one, pair = t_interval([0.7]), welch_interval([0.7], [0.5, 0.6])
    assert (one.estimate, one.known) == (0.7, False)
    assert (pair.estimate, pair.known) == (pytest.approx(0.15), False)
    assert percent(one) == "70.0 %"
    assert with_deviation(spread([0.7]), 1) == "0.7"
    assert with_deviation(spread([0.6, 0.8]), 2) == "0.70 ± 0.14"
    assert not accuracy_interval([0.9, float("nan")]).known


def test_seeds_that_agree_leave_an_interval_without_width() -> None:
    assert t_interval([1.0, 1.0, 1.0]) == (1.0, 1.0, 1.0)
    assert welch_interval([1.0, 1.0], [0.5, 0.5, 0.5]) == (0.5, 0.5, 0.5)


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


BINS = pytest.mark.parametrize("bins_of", [logarithmic_bins, quantile_bins])


@BINS
@given(values=whole_numbers, bins=st.integers(1, 12))
@settings(deadline=None)
def test_every_value_is_in_exactly_one_bin(
    bins_of: Callable[[np.ndarray, int], np.ndarray], values: np.ndarray, bins: int
) -> None:
    edges = bins_of(values, bins)
    assert 2 <= len(edges) <= bins + 1
    inside = [(values >= low) & (values < high) for low, high in pairwise(edges)]
    assert (np.sum(inside, axis=0) == 1).all()


def test_logarithmic_bins_are_evenly_spaced_on_a_log_axis() -> None:
    assert logarithmic_bins(np.arange(1, 1000), 3).tolist() == [1, 10, 100, 1000]
    assert logarithmic_bins(np.arange(1000), 3).tolist() == [0, 1, 10, 100, 1000]
    assert logarithmic_bins(np.zeros(5, int), 3).tolist() == [0, 1]


def test_quantile_bins_hold_about_equally_many() -> None:
    values = np.random.default_rng(0).permutation(1000) ** 2 + 1
    counts, _ = np.histogram(values, quantile_bins(values, 10))
    assert counts.tolist() == pytest.approx([100] * 10, abs=1)
