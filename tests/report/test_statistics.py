"""Spreads, intervals and paired tests against numbers known from elsewhere."""

from collections.abc import Callable
from itertools import pairwise

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from sentiment_rnn.report.statistics import (
    bootstrap_accuracy,
    bootstrap_difference,
    logarithmic_bins,
    mcnemar,
    quantile_bins,
    spread,
    wilson_interval,
)

whole_numbers = st.lists(st.integers(1, 3000), min_size=1, max_size=60).map(np.array)
outcomes = st.integers(1, 40).flatmap(
    lambda n: st.tuples(*[st.lists(st.booleans(), min_size=n, max_size=n).map(np.array)] * 2)
)


@given(values=st.lists(st.floats(-100, 100), min_size=2, max_size=10))
def test_spread_is_the_mean_and_the_sample_standard_deviation(values: list[float]) -> None:
    mean, deviation = spread(values)
    expected = sum(values) / len(values)
    variance = sum((value - expected) ** 2 for value in values) / (len(values) - 1)
    assert mean == pytest.approx(expected, abs=1e-9)
    assert deviation == pytest.approx(variance**0.5, abs=1e-9)
    assert (mean, deviation) == (np.mean(values), np.std(values, ddof=1))


def test_a_single_seed_has_no_deviation() -> None:
    mean, deviation = spread([0.7])
    assert mean == 0.7
    assert np.isnan(deviation)


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


def discordant(only_first: int, only_second: int, both: int = 30, neither: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes of two classifiers with so many reviews in each cell of their table."""
    first = [True] * only_first + [False] * only_second + [True] * both + [False] * neither
    second = [False] * only_first + [True] * only_second + [True] * both + [False] * neither
    return np.array(first), np.array(second)


@pytest.mark.parametrize(
    ("only_first", "only_second", "p_value"),
    [
        (8, 2, 2 * (1 + 10 + 45) / 2**10),
        (5, 0, 2 / 2**5),
        (1, 0, 1.0),
        (3, 3, 1.0),
        (4, 1, 2 * (1 + 5) / 2**5),
    ],
)
def test_mcnemar_equals_the_binomial_sum_by_hand(only_first: int, only_second: int, p_value: float) -> None:
    assert mcnemar(*discordant(only_first, only_second)) == pytest.approx(p_value, rel=1e-9)


def test_mcnemar_is_one_without_a_discordant_review() -> None:
    assert mcnemar(*discordant(0, 0)) == 1.0


@given(pair=outcomes)
def test_mcnemar_is_symmetric_and_a_probability(pair: tuple[np.ndarray, np.ndarray]) -> None:
    first, second = pair
    assert mcnemar(first, second) == pytest.approx(mcnemar(second, first))
    assert 0 < mcnemar(first, second) <= 1


def test_mcnemar_does_not_look_at_reviews_that_both_judge_alike() -> None:
    assert mcnemar(*discordant(8, 2, both=0, neither=0)) == mcnemar(*discordant(8, 2, both=1000, neither=300))


def simulated(random: np.random.Generator, seeds: int, reviews: int) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes of two encoders whose accuracies differ by 0.10; both find the same reviews hard."""
    hardness = random.uniform(-0.15, 0.15, reviews)
    return random.random((seeds, reviews)) < 0.8 + hardness, random.random((seeds, reviews)) < 0.7 + hardness


def test_bootstrap_intervals_contain_the_true_difference_about_as_often_as_they_say() -> None:
    random = np.random.default_rng(0)
    held = 0
    for trial in range(80):
        interval = bootstrap_difference(*simulated(random, 3, 300), resamples=200, seed=trial)
        held += interval.low <= 0.10 <= interval.high
    assert held / 80 >= 0.9


def test_bootstrap_estimate_is_first_minus_second() -> None:
    first, second = simulated(np.random.default_rng(1), 3, 2000)
    interval = bootstrap_difference(first, second, resamples=200)
    assert interval.estimate == pytest.approx(first.mean() - second.mean())
    assert 0 < interval.low < interval.estimate < interval.high
    swapped = bootstrap_difference(second, first, resamples=200)
    assert swapped.estimate == pytest.approx(-interval.estimate)
    assert swapped.high < 0


def test_bootstrap_depends_on_its_seed_alone() -> None:
    first, second = simulated(np.random.default_rng(2), 3, 200)
    np.random.seed(1)
    one = bootstrap_difference(first, second, resamples=200, seed=7)
    np.random.seed(2)
    assert bootstrap_difference(first, second, resamples=200, seed=7) == one
    assert bootstrap_difference(first, second, resamples=200, seed=8) != one


def test_bootstrap_interval_narrows_with_more_reviews() -> None:
    random = np.random.default_rng(3)
    widths = []
    for reviews in (100, 1_600):
        interval = bootstrap_difference(*simulated(random, 3, reviews), resamples=400)
        widths.append(interval.high - interval.low)
    assert widths[1] == pytest.approx(widths[0] / 4, rel=0.35)


def test_bootstrap_interval_widens_where_seeds_disagree() -> None:
    random = np.random.default_rng(4)
    steady = random.random((4, 1000)) < 0.8
    unsteady = random.random((4, 1000)) < np.array([0.5, 0.9, 0.9, 0.9])[:, None]
    second = random.random((4, 1000)) < 0.7

    def width(first: np.ndarray) -> float:
        interval = bootstrap_difference(first, second, resamples=400)
        return interval.high - interval.low

    assert width(unsteady) > 2 * width(steady)


def test_bootstrap_compares_reviews_in_pairs() -> None:
    # The same outcomes, so no difference, whichever reviews are drawn.
    outcome = np.random.default_rng(5).random((1, 500)) < 0.8
    assert bootstrap_difference(outcome, outcome, resamples=100) == (0.0, 0.0, 0.0)


BINS = pytest.mark.parametrize("bins_of", [logarithmic_bins, quantile_bins])


@BINS
@given(values=whole_numbers, bins=st.integers(1, 12))
@settings(deadline=None)
def test_every_value_is_in_exactly_one_bin(
    bins_of: Callable[[np.ndarray, int], np.ndarray], values: np.ndarray, bins: int
) -> None:
    edges = bins_of(values, bins)
    inside = [(values >= low) & (values < high) for low, high in pairwise(edges)]
    assert (np.sum(inside, axis=0) == 1).all()


@BINS
@given(values=whole_numbers, bins=st.integers(1, 12))
@settings(deadline=None)
def test_edges_increase_and_are_no_more_than_asked_for(
    bins_of: Callable[[np.ndarray, int], np.ndarray], values: np.ndarray, bins: int
) -> None:
    edges = bins_of(values, bins)
    assert (np.diff(edges) > 0).all()
    assert 2 <= len(edges) <= bins + 1
    assert edges.dtype.kind == "i"


@BINS
def test_equal_values_share_the_one_bin(bins_of: Callable[[np.ndarray, int], np.ndarray]) -> None:
    assert bins_of(np.full(20, 7), 10).tolist() == [7, 8]


def test_logarithmic_bins_are_evenly_spaced_on_a_log_axis() -> None:
    assert logarithmic_bins(np.arange(1, 1000), 3).tolist() == [1, 10, 100, 1000]


def test_quantile_bins_hold_about_equally_many() -> None:
    values = np.random.default_rng(0).permutation(1000) ** 2 + 1
    counts, _ = np.histogram(values, quantile_bins(values, 10))
    assert counts.tolist() == pytest.approx([100] * 10, abs=1)


def test_the_interval_of_an_accuracy_is_near_wilsons_where_seeds_agree() -> None:
    correct = np.tile(np.arange(1000) < 900, (3, 1))
    found, expected = bootstrap_accuracy(correct), wilson_interval(900, 1000)
    assert found == pytest.approx(expected, abs=0.004)


def test_seeds_that_differ_widen_the_interval_of_an_accuracy() -> None:
    correct = np.stack([np.arange(1000) < right for right in (500, 900, 1000)])
    found = bootstrap_accuracy(correct)
    assert found.estimate == 0.8
    assert found.low < 0.55
    assert found.high > 0.95
