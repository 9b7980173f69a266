"""The statistics of studies are what publications say: intervals hold the true value, p values are their tests'."""

from collections.abc import Iterable
from itertools import combinations, product

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from scipy.stats import binom, norm

from experiments.lab.statistics import (
    clopper_pearson,
    clustered,
    holm,
    repeated,
    repeated_difference,
    share_difference,
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


def test_the_interval_over_films_covers_the_mean() -> None:
    draw, found = np.random.default_rng(0), []
    for _ in range(400):
        sizes = draw.integers(1, 30, 200)
        films = np.repeat(np.arange(200), sizes)
        values = (draw.random(len(films)) < np.repeat(draw.beta(7, 3, 200), sizes)).astype(float)
        found.append(clustered(values, films))
    assert 0.92 < coverage(found, 0.7) < 0.98


def test_reviews_that_agree_within_films_count_as_one() -> None:
    values, films = np.array([1.0, 0, 1, 1]), np.arange(4)
    alone = clustered(values, films)
    margin = norm.ppf(0.975) * values.std(ddof=1) / 2
    assert alone == pytest.approx((0.75, 0.75 - margin, 0.75 + margin))
    assert clustered(values.repeat(2), films.repeat(2)) == pytest.approx(alone)


@given(p_values=st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_bonferroni_on_every_set_of_comparisons_that_holds_one(p_values: list[float]) -> None:
    # The closure of Bonferroni's test: the largest p value over all sets (Marcus, Peritz & Gabriel 1976).
    adjusted, everything = holm(dict(enumerate(p_values))), range(len(p_values))
    assert list(adjusted) == list(everything)
    for name in everything:
        sets = [s for size in range(1, len(p_values) + 1) for s in combinations(everything, size) if name in s]
        expected = max(min(1.0, len(s) * min(p_values[i] for i in s)) for s in sets)
        assert adjusted[name] == pytest.approx(expected)


def test_the_interval_over_repetitions_and_films_covers_the_mean_of_both() -> None:
    """Three repetitions, which differ about as much as films do: so neither part alone would be enough."""
    draw, found, narrow = np.random.default_rng(0), [], []
    films = np.repeat(np.arange(100), 5)
    for _ in range(600):
        of_film, of_run = draw.normal(0, 0.3, 100)[films], draw.normal(0, 0.05, (3, 1))
        values = 0.5 + of_run + of_film + draw.normal(0, 0.1, (3, 500))
        found.append(repeated(values, films))
        narrow.append(clustered(values.mean(0), films))
    assert coverage(found, 0.5) == pytest.approx(0.95, abs=0.03)
    assert coverage(narrow, 0.5) < 0.9


def test_repetitions_that_are_equal_leave_the_interval_over_films() -> None:
    films, values = np.repeat(np.arange(2000), 2), np.random.default_rng(1).normal(size=4000)
    assert repeated(np.stack([values] * 3), films) == pytest.approx(clustered(values, films), abs=1e-4)
    assert repeated(values[None], films) == pytest.approx(clustered(values, films), abs=1e-3), "one draws nothing"


def test_a_difference_of_independent_repetitions_is_held_about_as_often_as_its_interval_says() -> None:
    draw, films, found = np.random.default_rng(0), np.repeat(np.arange(300), 2), []
    for _ in range(300):
        of_films = np.repeat(draw.normal(size=300), 2)
        first, second = (
            center + spread * draw.normal(size=(3, 1)) + 0.3 * of_films * sign + draw.normal(size=(3, 600))
            for center, spread, sign in ((0.5, 0.1, 1), (0.2, 0.02, -1))
        )
        found.append(repeated_difference(first, second, films))
    assert coverage(found, 0.3) == pytest.approx(0.95, abs=0.03)


def test_what_draws_nothing_adds_no_error_to_a_difference() -> None:
    draw, films = np.random.default_rng(2), np.arange(500)
    first, second = draw.normal(size=(3, 500)), draw.normal(size=(1, 500))
    assert repeated_difference(first, second, films) == pytest.approx(repeated(first - second, films))
