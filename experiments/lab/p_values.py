"""p values of a study's comparisons, and their correction for multiple tests."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
from scipy.stats import binomtest, fisher_exact, rankdata
from scipy.stats import t as student_t

Name = TypeVar("Name")
Groups = Sequence[tuple[Sequence[float], Sequence[float]]]
"""Pairs of samples, each pair with values of its own: those of the first kind, and those of the second."""
LEVEL = 0.05
"""Level of the tests of a protocol, all together."""
DRAWS = 100_000
"""Draws of `rank_p`: near 0.05 its standard error is 0.0007."""


def holm(p_values: Mapping[Name, float]) -> dict[Name, float]:
    """p values adjusted for their number by Holm's step-down procedure (1979), by the comparison's name.

    Rejecting those that are at most 0.05 keeps the chance of any false rejection at 5 %, whatever depends on what. The
    i-th smallest of m is multiplied by m - i + 1, and none is smaller than one before it.
    """
    ordered = sorted(p_values, key=lambda name: p_values[name])
    scaled = [(len(ordered) - place) * p_values[name] for place, name in enumerate(ordered)]
    adjusted = dict(zip(ordered, np.minimum(1.0, np.maximum.accumulate(scaled)).tolist(), strict=True))
    return {name: adjusted[name] for name in p_values}


def sign_p(successes: int, total: int) -> float:
    """Two-sided p value of a share of one half (the exact sign test); it assumes nothing of how values are spread."""
    return float(binomtest(successes, total).pvalue)


def fisher_p(first: int, of_first: int, second: int, of_second: int) -> float:
    """Two-sided p value of two equal shares (Fisher's exact test)."""
    return float(fisher_exact([[first, of_first - first], [second, of_second - second]]).pvalue)


def spread_p(first: Sequence[float], second: Sequence[float], margin: float = 0.0) -> float:
    """Two-sided p value of a difference of two means that equals the margin, by the spread of seeds (Student's t test).

    The variance is pooled, so one kind may have a single seed: its spread is then taken to be that of the other. Of two
    single seeds nothing is known, and p is 1.
    """
    one, other = np.asarray(first, float), np.asarray(second, float)
    freedom = len(one) + len(other) - 2
    if not freedom:
        return 1.0
    squares = ((one - one.mean()) ** 2).sum() + ((other - other.mean()) ** 2).sum()
    error = np.sqrt(squares / freedom * (1 / len(one) + 1 / len(other)))
    difference = one.mean() - other.mean() - margin
    if not error:
        return float(difference == 0)
    return float(2 * student_t.sf(abs(difference) / error, freedom))


def probability_of_superiority(groups: Groups) -> float:
    """Pairs are made within each group, of a value of the first kind and one of the second. This is the share of all
    pairs in which the first is higher; equal ones count as half."""
    higher = sum(_higher(rankdata([*first, *second]), len(first)) for first, second in groups)
    return float(higher / sum(len(first) * len(second) for first, second in groups))


def _higher(ranks: np.ndarray, first: int) -> np.ndarray:
    """Number of pairs in which the first is higher, from ranks `[..., N]`, those of the first kind first."""
    return np.asarray(ranks[..., :first].sum(-1) - first * (first + 1) / 2)


def rank_p(groups: Groups) -> float:
    """Two-sided p value of a `probability_of_superiority` of one half: the kinds are dealt out anew within each group.

    It is the rank-sum test over several groups, with each pair counted once. `DRAWS` deals are drawn, always the same.

    Raises:
        ValueError: a value is no number, and has no rank.
    """
    if np.isnan([value for group in groups for kind in group for value in kind]).any():
        raise ValueError("a value is no number: it has no rank")
    random = np.random.default_rng(0)
    dealt, found = np.zeros(DRAWS), 0.0  # pairs in which the first is higher, beyond half of them
    for first, second in groups:
        ranks, half = rankdata([*first, *second]), len(first) * len(second) / 2
        dealt += _higher(random.permuted(np.tile(ranks, (DRAWS, 1)), axis=1), len(first)) - half
        found += float(_higher(ranks, len(first))) - half
    return float((1 + (np.abs(dealt) >= abs(found)).sum()) / (1 + DRAWS))
