"""Means over seeds with their spread and intervals, and bins."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import binomtest
from scipy.stats import t as student_t

Values = Sequence[float] | np.ndarray
"""One number per seed."""


class Spread(NamedTuple):
    """A mean over seeds and the sample standard deviation (NaN for one seed, which has none)."""

    mean: float
    deviation: float


class Interval(NamedTuple):
    """An estimate and its 95 % interval; NaN bounds where there is none, as of a single seed."""

    estimate: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether there is an interval."""
        return not (math.isnan(self.low) or math.isnan(self.high))


def spread(values: Values) -> Spread:
    """Mean and standard deviation (n - 1) of one number a seed."""
    return Spread(float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else float("nan"))


def with_deviation(value: Spread, places: int) -> str:
    """`0.881 ± 0.002`, or `0.881` of a single seed."""
    return f"{value.mean:.{places}f}" + ("" if np.isnan(value.deviation) else f" ± {value.deviation:.{places}f}")


def percent(interval: Interval) -> str:
    """`88.1 % (87.6 to 88.5)`, or `88.1 %` where there is no interval."""
    return _bounded(interval, "{:.1f}", " %", factor=100)


def points(interval: Interval) -> str:
    """`+7.2 (+3.5 to +9.8)`, a difference in percentage points; `+7.2` where there is no interval."""
    return _bounded(interval, "{:+.1f}", factor=100)


def with_bounds(interval: Interval, places: int) -> str:
    """`0.88 (0.85 to 0.91)`, or `0.88` where there is no interval."""
    return _bounded(interval, f"{{:.{places}f}}")


def _bounded(interval: Interval, form: str, unit: str = "", factor: float = 1) -> str:
    estimate, low, high = (form.format(factor * value) for value in (interval.estimate, interval.low, interval.high))
    return estimate + unit + (f" ({low} to {high})" if interval.known else "")


def wilson_interval(correct: int, total: int) -> Interval:
    """Accuracy with its 95 % score interval (Wilson 1927)."""
    result = binomtest(correct, total).proportion_ci(0.95, method="wilson")
    return Interval(correct / total, result.low, result.high)


def t_interval(values: Values, low: float = -math.inf, high: float = math.inf) -> Interval:
    """Mean over seeds with Student's 95 % interval (n - 1 degrees of freedom), clipped to `low` and `high`.

    It is about another seed's training, on the same test reviews. NaN bounds for a single seed, which shows no spread.
    Where outcomes fall into two heaps (seeds that learn and seeds that do not), three seeds cover the mean less often
    than 95 % says: they can all come from one heap.
    """
    mean, deviation = spread(values)
    if len(values) < 2:
        return Interval(mean, math.nan, math.nan)
    margin = float(student_t.ppf(0.975, len(values) - 1)) * deviation / math.sqrt(len(values))
    return _clipped(mean, margin, low, high)


def geometric_interval(values: Values) -> Interval:
    """Geometric mean over seeds of positive numbers that differ by factors, with a t interval of its logarithm."""
    return Interval(*(math.exp(bound) for bound in t_interval([math.log(value) for value in values])))


def welch_interval(first: Values, second: Values, low: float = -math.inf, high: float = math.inf) -> Interval:
    """Difference of two means over seeds, first - second, with a 95 % interval (Welch 1947).

    The seeds are not paired: seed 0 of one encoder has nothing in common with seed 0 of another but its number.
    NaN bounds where either has a single seed.
    """
    return contrast_interval([(first, 1.0), (second, -1.0)], low, high)


def contrast_interval(
    groups: Sequence[tuple[Values, float]], low: float = -math.inf, high: float = math.inf
) -> Interval:
    """A weighted sum of means over seeds with a 95 % interval, Welch's for any number of groups (Satterthwaite 1946).

    Args:
        groups: the values of each, one per seed, and its weight.
    """
    estimate = float(sum(weight * np.mean(values) for values, weight in groups))
    if min(len(values) for values, _ in groups) < 2:
        return Interval(estimate, math.nan, math.nan)
    variances = np.array([weight**2 * np.var(values, ddof=1) / len(values) for values, weight in groups])
    total = float(variances.sum())
    if total == 0:
        return _clipped(estimate, 0.0, low, high)
    shares = variances / total  # the degrees of freedom do not underflow in this form
    freedom = 1 / sum(share**2 / (len(values) - 1) for share, (values, _) in zip(shares, groups, strict=True))
    return _clipped(estimate, float(student_t.ppf(0.975, freedom)) * math.sqrt(total), low, high)


def _clipped(estimate: float, margin: float, low: float, high: float) -> Interval:
    return Interval(estimate, max(low, estimate - margin), min(high, estimate + margin))


def accuracy_interval(accuracies: Values) -> Interval:
    """Mean accuracy over seeds with its t interval, within 0 and 1."""
    return t_interval(accuracies, 0.0, 1.0)


def accuracy_difference(first: Values, second: Values) -> Interval:
    """Difference of mean accuracies, first - second, with Welch's interval, within -1 and 1."""
    return welch_interval(first, second, -1.0, 1.0)


def logarithmic_bins(values: np.ndarray, bins: int) -> np.ndarray:
    """Edges [≤ bins + 1] of whole numbers, evenly spaced on a log axis, that hold every value ≥ 1."""
    edges = np.geomspace(values.min(), values.max() + 1, bins + 1).round().astype(int)
    return np.unique(edges)


def quantile_bins(values: np.ndarray, bins: int) -> np.ndarray:
    """Edges [≤ bins + 1] that hold every value, about equally many in each bin."""
    lower = np.quantile(values, np.linspace(0, 1, bins, endpoint=False)).round().astype(int)
    return np.unique([*lower, values.max() + 1])
