"""The study of replication judges by how many intervals should contain the share of other seeds."""

import numpy as np
import pytest

from experiments.lab.rules import FAILS, HOLDS
from experiments.lag.replication import Repeated, verdict

PLANNED = 36
"""Twelve arms at three lags."""


def repeated(first: int, second: int, seeds: int = 20) -> Repeated:
    return Repeated("rnn", "20", (first, seeds), (second, seeds))


@pytest.mark.parametrize(("first", "second"), [(10, 10), (19, 17), (3, 1)])
def test_the_probability_is_that_of_two_draws_with_one_share(first: int, second: int) -> None:
    drawn = np.random.default_rng(0).binomial(20, (first + second) / 40, (4000, 2))
    found = np.mean([repeated(int(one), int(other)).contained for one, other in drawn])
    assert abs(repeated(first, second).probability - found) < 4 * np.sqrt(0.25 / 4000)


def everywhere(first: int, second: int) -> list[Repeated]:
    """Twelve arms at each of three lags."""
    return [repeated(first, second)] * PLANNED


def test_the_verdict_asks_for_the_quantile() -> None:
    assert verdict(everywhere(20, 20), PLANNED).verdict == HOLDS
    assert verdict(everywhere(10, 15), PLANNED).verdict == FAILS
    said = verdict([*everywhere(10, 10)[:34], repeated(10, 4), repeated(10, 4)], PLANNED)
    assert (said.verdict, said.rows[0].number) == (HOLDS, "34 of 36 intervals")
