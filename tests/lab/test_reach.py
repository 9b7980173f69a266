"""Whoever reads S(4) can trust its interval: it covers the truth in most experiments.

`test_reach_from_protocol` compares all that is estimated with the protocol's definition.
"""

import numpy as np
import pytest

from experiments.lab.reach import DrawnRuns, search_success, success_interval


def experiment(random: np.random.Generator, draws: int, window: float) -> DrawnRuns:
    """Runs that are as good on validation as on test; in a window of the draws most seeds succeed."""
    good = random.random(draws) < window
    succeeds = good[:, None] & (random.random((draws, 2)) < 0.85)
    return DrawnRuns(tuple(range(draws)), 0.5 + 0.5 * succeeds, np.full((draws, 2), 1800), succeeds)


@pytest.mark.parametrize("window", [0.1, 0.4, 0.8])
def test_intervals_cover_in_most_experiments(window: float) -> None:
    random = np.random.default_rng(0)
    truth = search_success(experiment(random, 10_000, window), 4)
    intervals = [success_interval(experiment(random, 32, window), 4) for _ in range(40)]
    assert np.mean([low <= truth <= high for _, low, high in intervals]) > 0.85


def test_four_draws_say_little_where_no_search_or_every_search_succeeds() -> None:
    never = np.zeros((4, 2), bool)
    never[3, 1] = True  # the other seed of its draw fails
    for succeeds in (never, np.ones((4, 2), bool)):
        estimate, low, high = success_interval(
            DrawnRuns(tuple(range(4)), 0.5 + 0.5 * succeeds, np.full((4, 2), 9), succeeds), 4
        )
        assert high - low > 0.9
        assert low <= estimate <= high
