"""S(k), the probability that a search of k draws succeeds: by brute force, with its intervals and comparisons."""

import itertools

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from experiments.lab.reach import (
    RESAMPLES,
    DrawnRuns,
    best_draw,
    bootstrapped,
    resamples,
    search_success,
    success_difference,
    success_interval,
    success_p,
    window_interval,
    window_p,
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


@given(FEW, st.integers(1, 4))
def test_s_of_a_resample_is_s_of_its_draws_with_their_copies(
    values: list[tuple[float, float, int, int, bool, bool]], k: int
) -> None:
    runs, copies = runs_of(values), resamples(len(values), 0)
    found = bootstrapped(runs, k)
    for row in (0, 1, RESAMPLES - 1):
        assert found[row] == pytest.approx(by_brute_force(runs_of(np.repeat(values, copies[row], axis=0).tolist()), k))


def test_resamples_are_those_that_the_protocol_names() -> None:
    drawn_again = np.random.default_rng(0).integers(0, 32, size=(10_000, 32))
    assert resamples(32, 0)[3].tolist() == np.bincount(drawn_again[3], minlength=32).tolist()
    assert not np.array_equal(resamples(32, 0), resamples(32, 1))


def test_one_seed_chooses_and_the_other_is_judged() -> None:
    runs = runs_of([(0.9, 0.6, 1800, 1800, False, True), (0.6, 0.9, 1800, 1800, False, False)])
    assert search_success(runs, 2) == 0.5, "role 0 chooses the first draw, whose other seed succeeds"


def test_where_no_run_succeeds_the_bound_is_what_the_draws_leave_possible() -> None:
    never, always = drawn(*[(0, 0)] * 32), drawn(*[(1, 1)] * 32)
    u = 1 - 0.025 ** (1 / 32)
    assert success_interval(never, 4) == pytest.approx((0, 0, 1 - (1 - u) ** 4))
    assert success_interval(always, 4) == pytest.approx((1, (1 - u) ** 4, 1))
    assert success_interval(never, 1).high == pytest.approx(window_interval(never).high), "that of Clopper and Pearson"


def test_the_interval_has_the_percentiles_of_the_bootstrap() -> None:
    runs = drawn(*[(1, 1)] * 8, *[(1, 0)] * 4, *[(0, 0)] * 20)
    low, high = np.quantile(bootstrapped(runs, 4), [0.025, 0.975])
    assert success_interval(runs, 4) == pytest.approx((search_success(runs, 4), low, high))
    assert 0 < low < search_success(runs, 4) < high < 1


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


def test_equal_arms_do_not_differ_and_the_better_of_two_does() -> None:
    good, bad = drawn(*[(1, 1)] * 28, *[(0, 0)] * 4), drawn(*[(1, 1)] * 4, *[(0, 0)] * 28)
    assert success_p(good, good) == window_p(good, good) == 1
    assert success_difference(good, good) == (0, 0, 0)
    assert success_p(good, bad) == success_p(bad, good) == pytest.approx(2 / (RESAMPLES + 1))
    assert success_difference(good, bad).low > 0 > success_difference(bad, good).high
    assert window_p(good, bad) == pytest.approx(2 * 0.5**24), "24 draws are in the window of one alone"


def test_a_replication_is_resampled_by_itself() -> None:
    runs = drawn(*[(1, 1)] * 8, *[(0, 0)] * 24)
    again = success_difference(runs, runs, again=True)
    assert again.estimate == 0
    assert again.low < -0.1 < 0.1 < again.high


def test_the_best_draw_has_the_best_mean_then_fewer_steps_then_the_lower_number() -> None:
    runs = [
        (1.0, np.nan, 450, 0, True, False), (0.9, 0.8, 1800, 1800, False, False),
        (0.85, 0.85, 1800, 450, False, False), (0.85, 0.85, 450, 1800, False, False),
    ]  # fmt: skip
    assert best_draw(runs_of(runs)) == 2
    assert best_draw(runs_of(runs[:2])) == 1
