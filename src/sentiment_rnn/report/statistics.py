"""Means over seeds, shares, their spread and intervals, and bins."""

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

Values = Sequence[float] | np.ndarray
"""One number per seed."""


class Spread(NamedTuple):
    """A mean over seeds and the sample standard deviation (NaN for one seed, which has none)."""

    mean: float
    deviation: float


class Interval(NamedTuple):
    """An estimate and its 95 % interval.

    The bounds are NaN if there is none: for a single seed, or for two so different that it would hold all values.
    """

    estimate: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether the estimate has an interval."""
        return not (math.isnan(self.low) or math.isnan(self.high))


def spread(values: Values) -> Spread:
    """Mean and standard deviation (n - 1) of one number a seed."""
    return Spread(float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else float("nan"))


def with_deviation(value: Spread, places: int) -> str:
    """`0.881 ± 0.002`, or `0.881` of a single seed."""
    return f"{value.mean:.{places}f}" + ("" if np.isnan(value.deviation) else f" ± {value.deviation:.{places}f}")


def percent(interval: Interval, unit: str = " %") -> str:
    """`88.1 % (87.6–88.5)`, or `88.1 %` where there is no interval."""
    return bounded(interval, "{:.1f}", unit, factor=100)


def bounded(interval: Interval, form: str, unit: str = "", factor: float = 1, between: str = "–") -> str:
    """An estimate, with its interval in brackets if there is one; `form` formats each number."""
    estimate, low, high = (form.format(factor * value) for value in (interval.estimate, interval.low, interval.high))
    return estimate + unit + (f" ({low}{between}{high})" if interval.known else "")


def t_interval(values: Values, low: float = -math.inf, high: float = math.inf) -> Interval:
    """Mean over seeds with Student's 95 % interval (n - 1 degrees of freedom), clipped to `low` and `high`.

    It is about training with other seeds, on the same test reviews. The bounds are NaN for a single seed, which shows
    no spread.

    Outcomes can fall into two clusters, seeds that learn and seeds that do not. If all seeds may come from one cluster,
    the interval covers the mean less often than in 95 % of cases: for example with three seeds at even odds, or with
    twenty if nine in ten learn. Count the seeds that learn instead.
    """
    return _clipped(float(np.mean(values)), lambda: stats.ttest_1samp(values, 0), low, high)


def welch_interval(first: Values, second: Values, low: float = -math.inf, high: float = math.inf) -> Interval:
    """Difference of two means over seeds, first - second, with a 95 % interval (Welch 1947).

    The seeds are not paired: seed 0 of one encoder shares nothing but its number with seed 0 of another. The bounds are
    NaN if either has a single seed.
    """
    estimate = float(np.mean(first) - np.mean(second))
    return _clipped(estimate, lambda: stats.ttest_ind(first, second, equal_var=False), low, high)


def _clipped(estimate: float, test: Callable[[], Any], low: float, high: float) -> Interval:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # for a single seed, and for seeds with equal scores
        bounds = test().confidence_interval()
    if bounds.low <= low and bounds.high >= high:
        return Interval(estimate, math.nan, math.nan)
    return Interval(estimate, max(float(bounds.low), low), min(float(bounds.high), high))


def accuracy_interval(accuracies: Values) -> Interval:
    """Mean accuracy over seeds with its t interval, within 0 and 1."""
    return t_interval(accuracies, 0.0, 1.0)


def accuracy_difference(first: Values, second: Values) -> Interval:
    """Difference of mean accuracies, first - second, with Welch's interval, within -1 and 1."""
    return welch_interval(first, second, -1.0, 1.0)


def wilson_interval(correct: int, total: int) -> Interval:
    """Accuracy with its 95 % score interval (Wilson 1927)."""
    bounds = stats.binomtest(correct, total).proportion_ci(method="wilson")
    return Interval(correct / total, float(bounds.low), float(bounds.high))


def logarithmic_bins(values: np.ndarray, bins: int) -> np.ndarray:
    """Whole-number edges of bins, evenly spaced on a log axis, that cover every value; zeros have their own bin."""
    edges = np.geomspace(max(1, values.min()), values.max() + 1, bins + 1).round().astype(int)
    return np.unique([values.min(), *edges])


def quantile_bins(values: np.ndarray, bins: int) -> np.ndarray:
    """Edges [≤ bins + 1] of bins that cover every value, with about equally many values in each."""
    lower = np.quantile(values, np.linspace(0, 1, bins, endpoint=False)).round().astype(int)
    return np.unique([*lower, values.max() + 1])


def binned(values: np.ndarray, edges: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
    """Bounds and members, bool [N], of each bin that has a value. A bin does not include its upper edge."""
    for low, high in pairwise(edges):
        inside = (values >= low) & (values < high)
        if inside.any():
            yield low, high, inside
