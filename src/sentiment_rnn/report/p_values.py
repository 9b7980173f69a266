"""p values of a study's comparisons, and their correction for how many they are."""

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
from scipy.stats import binomtest, fisher_exact

Name = TypeVar("Name")


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


def share_p(first: int, of_first: int, second: int, of_second: int) -> float:
    """Two-sided p value of two equal shares (Fisher's exact test)."""
    return float(fisher_exact([[first, of_first - first], [second, of_second - second]]).pvalue)
