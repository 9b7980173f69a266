"""S(k), the probability that a search of k draws succeeds, is what its definition says, and its interval covers it.

`test_reach_from_protocol` compares all else that is estimated.
"""

import itertools

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from experiments.lab.reach import (
    DrawnRuns,
    search_success,
    success_interval,
)

FEW = st.lists(
    st.tuples(
        *[st.sampled_from([np.nan, 0.5, 0.9, 1.0])] * 2, *[st.sampled_from([450, 1800])] * 2, *[st.booleans()] * 2
    ),
    min_size=4, max_size=7,
)  # fmt: skip
"""Validation accuracy, steps and success of both seeds of some draws, with many ties."""


def runs_of(values: list[tuple[float, float, int, int, bool, bool]]) -> DrawnRuns:
    """Runs with these values; of what diverged nothing else is known."""
    accuracy, steps, succeeds = (np.array([of[start : start + 2] for of in values]) for start in (0, 2, 4))
    diverged = np.isnan(accuracy)
    return DrawnRuns(
        tuple(range(len(values))), accuracy, np.where(diverged, 0, steps), succeeds.astype(bool) & ~diverged
    )


def drawn(*succeeds: tuple[int, int]) -> DrawnRuns:
    """Runs that are as good on validation as on test."""
    return runs_of([(0.5 + 0.5 * a, 0.5 + 0.5 * b, 1800, 1800, bool(a), bool(b)) for a, b in succeeds])


def by_brute_force(runs: DrawnRuns, k: int) -> float:
    """The same, subset by subset."""
    found = []
    for role, subset in itertools.product((0, 1), itertools.combinations(range(len(runs.draws)), k)):

        def rank(draw: int, role: int = role) -> tuple[float, int, int]:
            accuracy = runs.accuracy[draw, role]
            return (np.inf if np.isnan(accuracy) else -accuracy), int(runs.steps[draw, role]), draw

        found.append(runs.succeeds[min(subset, key=rank), 1 - role])
    return float(np.mean(found))


@given(FEW, st.integers(1, 4))
def test_s_is_the_mean_over_all_subsets_and_both_roles(
    values: list[tuple[float, float, int, int, bool, bool]], k: int
) -> None:
    runs = runs_of(values)
    assert search_success(runs, k) == pytest.approx(by_brute_force(runs, k))


def test_intervals_cover_in_most_experiments() -> None:
    # Windows that are bad, middling and good; the truth is S(4) of 10,000 draws.
    random = np.random.default_rng(0)
    for window in (0.1, 0.4, 0.8):

        def experiment(count: int, window: float = window) -> DrawnRuns:
            good = random.random(count) < window
            seeds = good[:, None] & (random.random((count, 2)) < 0.85)
            return drawn(*map(tuple, seeds.astype(int)))

        many = experiment(10_000)
        truth = search_success(many, 4)
        inside = [low <= truth <= high for _, low, high in (success_interval(experiment(32), 4) for _ in range(40))]
        assert np.mean(inside) > 0.85
