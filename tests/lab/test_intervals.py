"""Intervals of studies against published examples, and how often they hold the true value."""

import math
from collections.abc import Iterable
from itertools import product

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from scipy.stats import binom, norm

from experiments.lab.statistics import (
    clopper_pearson,
    clustered,
    gaffke_interval,
    paired_interval,
    share_difference,
)
from sentiment_rnn.report.statistics import Interval, welch_interval

counts = st.integers(1, 500).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))


@pytest.mark.parametrize(
    ("successes", "total", "low", "high"),
    # Newcombe (1998), Statistics in Medicine 17, table I, method 5.
    [(81, 263, 0.2527, 0.3676), (15, 148, 0.0578, 0.1617), (0, 20, 0.0, 0.1684), (1, 29, 0.0009, 0.1776)],
)
def test_the_exact_interval_equals_published_examples(successes: int, total: int, low: float, high: float) -> None:
    assert clopper_pearson(successes, total) == pytest.approx((successes / total, low, high), abs=5e-5)


SHARES = np.linspace(0.01, 0.99, 99)


def chances(total: int, share: float) -> np.ndarray:
    """float [total + 1], how likely each number of successes is."""
    return np.asarray(binom.pmf(np.arange(total + 1), total, share))


@pytest.mark.parametrize("total", [3, 10, 20])
def test_the_exact_interval_holds_any_share_at_least_as_often_as_it_says(total: int) -> None:
    intervals = [clopper_pearson(successes, total) for successes in range(total + 1)]
    for share in SHARES:
        assert chances(total, share) @ [found.low <= share <= found.high for found in intervals] >= 0.95


def coverage_of_difference(total: int, *pairs: tuple[float, float]) -> float:
    """How often the interval of a difference holds it, where that is least often."""
    places = list(product(range(total + 1), repeat=2))
    bounds = np.array([share_difference(one, total, other, total)[1:] for one, other in places])
    low, high = bounds.T.reshape(2, total + 1, total + 1)
    return min(
        float(np.outer(chances(total, p), chances(total, q))[(low <= p - q + 1e-9) & (p - q - 1e-9 <= high)].sum())
        for p, q in pairs
    )


@pytest.mark.parametrize(("total", "least"), [(10, 0.914), (20, 0.924)])
def test_a_difference_of_shares_is_held_about_as_often_as_its_interval_says(total: int, least: float) -> None:
    assert coverage_of_difference(total, *product(SHARES, repeat=2)) == pytest.approx(least, abs=1e-3)
    assert coverage_of_difference(total, *product((0.3, 0.5, 0.9), repeat=2)) >= 0.93


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


TRIALS = 2000


def coverage(intervals: Iterable[Interval], truth: float) -> float:
    """How often the intervals hold the true value."""
    return float(np.mean([found.low <= truth <= found.high for found in intervals]))


@pytest.mark.parametrize("seeds", [3, 10, 20])
def test_a_paired_interval_of_seeds_that_share_their_luck_holds_the_difference_and_is_narrower(seeds: int) -> None:
    random = np.random.default_rng(seeds)
    luck = random.normal(0, 0.05, (TRIALS, seeds))
    first, second = (random.normal(mean, 0.02, (TRIALS, seeds)) + luck for mean in (0.8, 0.7))
    paired = [paired_interval(by_seed(one), by_seed(other)) for one, other in zip(first, second, strict=True)]
    assert coverage(paired, 0.1) == pytest.approx(0.95, abs=0.012)
    unpaired = list(map(welch_interval, first, second))
    assert np.mean([found.high - found.low for found in paired]) < 0.7 * np.mean([u.high - u.low for u in unpaired])


def by_seed(values: Iterable[float]) -> dict[int, float]:
    return dict(enumerate(values))


@pytest.mark.parametrize("learns", [0.3, 0.5, 0.9])
@pytest.mark.parametrize("seeds", [10, 20])
def test_a_gaffke_interval_holds_the_mean_of_outcomes_in_two_clusters(seeds: int, learns: float) -> None:
    random = np.random.default_rng(seeds)
    outcomes = random.binomial(2000, np.where(random.random((100, seeds)) < learns, 1.0, 0.5)) / 2000
    assert coverage(map(gaffke_interval, outcomes), 0.5 + learns / 2) >= 0.95


@pytest.mark.parametrize(("successes", "total"), [(0, 20), (7, 20), (20, 20), (10, 10)])
def test_a_gaffke_interval_of_zeros_and_ones_is_the_exact_one_of_a_share(successes: int, total: int) -> None:
    exact = clopper_pearson(successes, total)
    found = gaffke_interval([1.0] * successes + [0.0] * (total - successes))
    assert found == pytest.approx(exact, abs=0.01 * (exact.high - exact.low))


def test_a_gaffke_interval_refuses_a_value_that_is_out_of_bounds() -> None:
    with pytest.raises(ValueError, match=r"values from 0\.5 to 1\.2, expected 0 to 1"):
        gaffke_interval([0.5, 1.2])


def test_a_paired_interval_takes_values_of_the_same_seeds_alone() -> None:
    found = paired_interval({0: 0.5, 1: 0.7}, {1: 0.6, 0: 0.4})
    assert found == pytest.approx((0.1, 0.1, 0.1))
    with pytest.raises(ValueError, match=r"seeds \[0\] and \[1\] are not pairs"):
        paired_interval({0: 0.5}, {1: 0.5})


def test_with_a_film_a_review_the_interval_is_the_normal_one() -> None:
    values = np.array([1.0, 0, 1, 1, 0, 1, 1, 0])
    found = clustered(values, np.arange(8))
    margin = norm.ppf(0.975) * values.std(ddof=1) / math.sqrt(8)
    assert (found.estimate, found.low, found.high) == pytest.approx((0.625, 0.625 - margin, 0.625 + margin))


def test_reviews_that_agree_within_films_count_as_one() -> None:
    values = np.array([1.0, 0, 1, 1])
    alone, doubled = clustered(values, np.arange(4)), clustered(values.repeat(2), np.arange(4).repeat(2))
    assert doubled == pytest.approx(alone)
    assert clustered(values.repeat(2), np.arange(8)).low > alone.low


def test_the_interval_over_films_covers_the_mean() -> None:
    draw, inside = np.random.default_rng(0), 0
    for _ in range(400):
        sizes = draw.integers(1, 30, 200)
        films = np.repeat(np.arange(200), sizes)
        values = (draw.random(len(films)) < np.repeat(draw.beta(7, 3, 200), sizes)).astype(float)
        found = clustered(values, films)
        inside += found.low < 0.7 < found.high
    assert 0.92 < inside / 400 < 0.98


def test_several_intervals_over_films_that_hold_together_are_wider() -> None:
    values, films = np.array([1.0, 0, 1, 1]), np.arange(4)
    one, four = clustered(values, films), clustered(values, films, comparisons=4)
    ratio = (four.high - four.low) / (one.high - one.low)
    assert ratio == pytest.approx(norm.ppf(1 - 0.0125 / 2) / norm.ppf(0.975))
