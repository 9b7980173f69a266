"""The statistics of studies are what publications say: intervals hold the true value, p values are their tests'."""

import math
from collections.abc import Iterable
from itertools import combinations, product

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from scipy.stats import binom, mannwhitneyu, norm, ttest_ind
from scipy.stats import t as student_t

from experiments.lab.statistics import (
    clopper_pearson,
    clustered,
    gaffke_interval,
    holm,
    probability_of_superiority,
    rank_p,
    share_difference,
    spread_p,
)
from sentiment_rnn.report.statistics import Interval


@pytest.mark.parametrize(
    ("successes", "total", "low", "high"),
    # Newcombe (1998), Statistics in Medicine 17, table I, method 5.
    [(81, 263, 0.2527, 0.3676), (15, 148, 0.0578, 0.1617), (0, 20, 0.0, 0.1684), (1, 29, 0.0009, 0.1776)],
)
def test_the_exact_interval_equals_published_examples(successes: int, total: int, low: float, high: float) -> None:
    assert clopper_pearson(successes, total) == pytest.approx((successes / total, low, high), abs=5e-5)


def chances(total: int, share: float) -> np.ndarray:
    """float [total + 1], how likely each number of successes is."""
    return np.asarray(binom.pmf(np.arange(total + 1), total, share))


def test_a_difference_of_shares_is_held_about_as_often_as_its_interval_says() -> None:
    # (9 + 1) / 12 - (3 + 1) / 12 = 0.5, and 1.96 √((10/12 · 2/12 + 4/12 · 8/12) / 12) = 0.34.
    assert share_difference(9, 10, 3, 10) == pytest.approx((0.6, 0.16, 0.84), abs=1e-3)
    bounds = np.array([share_difference(one, 10, other, 10)[1:] for one, other in product(range(11), repeat=2)])
    low, high = bounds.T.reshape(2, 11, 11)
    assert bounds.min() >= -1
    assert bounds.max() <= 1
    held = [
        float(np.outer(chances(10, p), chances(10, q))[(low <= p - q + 1e-9) & (p - q - 1e-9 <= high)].sum())
        for p, q in product(np.linspace(0.01, 0.99, 99), repeat=2)
    ]
    assert min(held) == pytest.approx(0.914, abs=1e-3)


def coverage(intervals: Iterable[Interval], truth: float) -> float:
    """How often the intervals hold the true value."""
    return float(np.mean([found.low <= truth <= found.high for found in intervals]))


@pytest.mark.parametrize("learns", [0.3, 0.9])
def test_a_gaffke_interval_holds_the_mean_of_outcomes_in_two_clusters(learns: float) -> None:
    random = np.random.default_rng(10)
    outcomes = random.binomial(2000, np.where(random.random((60, 10)) < learns, 1.0, 0.5)) / 2000
    assert coverage(map(gaffke_interval, outcomes), 0.5 + learns / 2) >= 0.95


@pytest.mark.parametrize(("successes", "total"), [(0, 20), (7, 20), (10, 10)])
def test_a_gaffke_interval_of_zeros_and_ones_is_the_exact_one_of_a_share(successes: int, total: int) -> None:
    exact = clopper_pearson(successes, total)
    found = gaffke_interval([1.0] * successes + [0.0] * (total - successes))
    assert found == pytest.approx(exact, abs=0.01 * (exact.high - exact.low))
    with pytest.raises(ValueError, match=r"values from 0\.5 to 1\.2, expected 0 to 1"):
        gaffke_interval([0.5, 1.2])


def test_the_interval_over_films_covers_the_mean() -> None:
    draw, found = np.random.default_rng(0), []
    for _ in range(400):
        sizes = draw.integers(1, 30, 200)
        films = np.repeat(np.arange(200), sizes)
        values = (draw.random(len(films)) < np.repeat(draw.beta(7, 3, 200), sizes)).astype(float)
        found.append(clustered(values, films))
    assert 0.92 < coverage(found, 0.7) < 0.98


def test_reviews_that_agree_within_films_count_as_one_and_several_intervals_together_are_wider() -> None:
    values, films = np.array([1.0, 0, 1, 1]), np.arange(4)
    alone, four = clustered(values, films), clustered(values, films, comparisons=4)
    margin = norm.ppf(0.975) * values.std(ddof=1) / 2
    assert alone == pytest.approx((0.75, 0.75 - margin, 0.75 + margin))
    assert clustered(values.repeat(2), films.repeat(2)) == pytest.approx(alone)
    ratio = (four.high - four.low) / (alone.high - alone.low)
    assert ratio == pytest.approx(norm.ppf(1 - 0.0125 / 2) / norm.ppf(0.975))


@given(p_values=st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_bonferroni_on_every_set_of_comparisons_that_holds_one(p_values: list[float]) -> None:
    # The closure of Bonferroni's test: the largest p value over all sets (Marcus, Peritz & Gabriel 1976).
    adjusted, everything = holm(dict(enumerate(p_values))), range(len(p_values))
    assert list(adjusted) == list(everything)
    for name in everything:
        sets = [s for size in range(1, len(p_values) + 1) for s in combinations(everything, size) if name in s]
        expected = max(min(1.0, len(s) * min(p_values[i] for i in s)) for s in sets)
        assert adjusted[name] == pytest.approx(expected)


def test_the_rank_test_of_one_group_is_wilcoxons_and_of_several_it_compares_within_groups() -> None:
    first, second = [1.1, 2.2, 3.3, 4.4, 9.9], [0.5, 1.0, 2.0, 5.0]
    exact = float(mannwhitneyu(first, second, method="exact").pvalue)
    assert rank_p([(first, second)]) == pytest.approx(exact, abs=0.005)
    # In each group the first is higher; thrown together, it is mostly lower.
    groups = [([1.1] * 8, [1.0] * 2), ([9.1] * 2, [9.0] * 8)]
    assert probability_of_superiority(groups) == 1
    assert rank_p(groups) == pytest.approx(1 / 45**2, abs=2e-4)
    assert probability_of_superiority([([1, 2], [1])]) == pytest.approx(3 / 4), "equal values count as half"
    with pytest.raises(ValueError, match="no number"):
        rank_p([([1.0, math.nan], [0.5])])


def test_a_difference_is_tested_by_the_pooled_spread_of_seeds_of_which_one_kind_may_be_single() -> None:
    one, other = [92.57, 92.84, 92.69], [91.44, 91.66, 91.65]
    assert spread_p(one, other, 1.0) == pytest.approx(ttest_ind([value - 1 for value in one], other).pvalue)
    # A prediction interval: mean ± t(0.975, 2) · s · √(1 + 1/3).
    assert spread_p([0.0], [1.0, 2.0, 3.0]) == pytest.approx(2 * student_t.sf(2 / math.sqrt(1 + 1 / 3), 2))
    assert spread_p([0.0], [1.0]) == 1, "two single seeds tell nothing"
    assert (spread_p([0.0], [1.0, 1.0]), spread_p([1.0], [1.0, 1.0])) == (0, 1)
