"""Statistics of studies: intervals of shares, of differences and of means; p values of comparisons, and their
correction for multiple tests."""

import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
from scipy.special import betaincinv as beta_quantile
from scipy.special import ndtri as normal_quantile
from scipy.special import stdtrit as t_quantile
from scipy.stats import binomtest, fisher_exact

from sentiment_rnn.report.statistics import Interval, Values, bounded, t_interval

Name = TypeVar("Name")
LEVEL = 0.05
"""Significance level of all tests of a protocol together."""


def points(interval: Interval) -> str:
    """`+7.2 (+3.5 to +9.8)`, a difference in percentage points; `+7.2` where there is no interval."""
    return bounded(interval, "{:+.1f}", factor=100, between=" to ")


def with_bounds(interval: Interval, places: int) -> str:
    """`0.88 (0.85–0.91)`, or `0.88` where there is no interval."""
    return bounded(interval, f"{{:.{places}f}}")


def clustered(values: np.ndarray, clusters: np.ndarray) -> Interval:
    """Mean with its 95 % interval for values in clusters, by the sandwich estimator. The clusters are independent.

    Reviews of one film are similar, so they carry less information than as many reviews of different films.

    Args:
        values: float [N].
        clusters: int [N].
    """
    mean, margin = float(values.mean()), float(normal_quantile(0.975)) * clustered_error(values, clusters)
    return Interval(mean, mean - margin, mean + margin)


def clustered_error(values: np.ndarray, clusters: np.ndarray) -> float:
    """Standard error of the mean of values in clusters, by the sandwich estimator."""
    sums = np.bincount(clusters, values - values.mean())
    return float(np.sqrt(len(sums) / (len(sums) - 1) * (sums**2).sum()) / len(values))


def repeated(values: np.ndarray, clusters: np.ndarray) -> Interval:
    """Mean with its 95 % interval where repetitions and clusters could both have been others.

    The squared error is that over repetitions plus that over clusters, and its degrees of freedom are Satterthwaite's
    (1946). A single row draws nothing: its interval is over clusters alone.

    Args:
        values: float [R, N], a row for each repetition.
        clusters: int [N].
    """
    return satterthwaite(values.mean(0), clusters, [values])


def repeated_difference(first: np.ndarray, second: np.ndarray, clusters: np.ndarray) -> Interval:
    """Difference of two means, first - second, with its 95 % interval where repetitions of each, independent of each
    other, and clusters could have been others. A single row draws nothing, and adds no error.

    Args:
        first, second: float [R, N] and [S, N], a row for each repetition.
        clusters: int [N].
    """
    return satterthwaite(first.mean(0) - second.mean(0), clusters, [first, second])


def satterthwaite(values: np.ndarray, clusters: np.ndarray, drawn: Sequence[np.ndarray]) -> Interval:
    """Mean of values in clusters with a 95 % interval, whose squared error is that over clusters plus those over the
    repetitions in `drawn`. Its degrees of freedom are Satterthwaite's (1946).

    Args:
        values: float [N].
        clusters: int [N].
        drawn: float [R, N] for each part; one of a single row adds no error.
    """
    errors = [(clustered_error(values, clusters) ** 2, int(clusters.max()))]
    errors += [(rows.mean(1).var(ddof=1) / len(rows), len(rows) - 1) for rows in drawn if len(rows) > 1]
    squared, mean = sum(error for error, _ in errors), float(values.mean())
    freedom = squared**2 / sum(error**2 / of for error, of in errors) if squared else 1.0
    margin = float(t_quantile(freedom, 0.975)) * math.sqrt(squared)
    return Interval(mean, mean - margin, mean + margin)


def geometric_interval(values: Values) -> Interval:
    """Geometric mean over seeds of positive numbers that differ by factors, with a t interval on the log scale."""
    return Interval(*(math.exp(bound) for bound in t_interval([math.log(value) for value in values])))


def clopper_pearson(successes: int, total: int) -> Interval:
    """A share with its exact 95 % interval (Clopper & Pearson 1934), whose coverage is at least 95 %."""
    low = beta_quantile(successes, total - successes + 1, 0.025) if successes else 0.0
    high = beta_quantile(successes + 1, total - successes, 0.975) if successes < total else 1.0
    return Interval(successes / total, float(low), float(high))


def share_difference(first: int, of_first: int, second: int, of_second: int) -> Interval:
    """Difference of two independent shares, first - second, with a 95 % interval (Agresti & Caffo 2000).

    It is Wald's interval after adding one success and one failure to each group. For true shares from 1 to 99 %, its
    coverage is at least 91.4 % with groups of 10, and at least 92.4 % with groups of 20.

    Args:
        first, second: numbers of successes.
        of_first, of_second: sizes of the groups.
    """
    p, q = (first + 1) / (of_first + 2), (second + 1) / (of_second + 2)
    margin = float(normal_quantile(0.975)) * math.sqrt(p * (1 - p) / (of_first + 2) + q * (1 - q) / (of_second + 2))
    estimate = first / of_first - second / of_second
    return Interval(estimate, max(-1.0, p - q - margin), min(1.0, p - q + margin))


def holm(p_values: Mapping[Name, float]) -> dict[Name, float]:
    """p values by the name of the comparison, adjusted for their number by Holm's step-down procedure (1979).

    If comparisons with adjusted p of at most 0.05 are rejected, the probability of any false rejection is at most 5 %,
    whatever the dependences between tests. The i-th smallest of m values is multiplied by m - i + 1, and raised to the
    previous one if that is larger.
    """
    ordered = sorted(p_values, key=lambda name: p_values[name])
    scaled = [(len(ordered) - place) * p_values[name] for place, name in enumerate(ordered)]
    adjusted = dict(zip(ordered, np.minimum(1.0, np.maximum.accumulate(scaled)).tolist(), strict=True))
    return {name: adjusted[name] for name in p_values}


def sign_p(successes: int, total: int) -> float:
    """Two-sided p value for a share of one half (the exact sign test). It assumes no distribution of the values."""
    return float(binomtest(successes, total).pvalue)


def fisher_p(first: int, of_first: int, second: int, of_second: int) -> float:
    """Two-sided p value for equality of two shares (Fisher's exact test)."""
    return float(fisher_exact([[first, of_first - first], [second, of_second - second]]).pvalue)
