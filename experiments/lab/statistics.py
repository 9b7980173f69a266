"""Statistics of studies: intervals of shares, of paired seeds and of means about which nothing is assumed."""

import math
from functools import lru_cache

import numpy as np
from scipy.special import betaincinv as beta_quantile
from scipy.special import ndtri as normal_quantile

from experiments.lab.table import BySeed
from sentiment_rnn.report.statistics import Interval, Values, bounded, t_interval


def points(interval: Interval) -> str:
    """`+7.2 (+3.5 to +9.8)`, a difference in percentage points; `+7.2` where there is no interval."""
    return bounded(interval, "{:+.1f}", factor=100, between=" to ")


def with_bounds(interval: Interval, places: int) -> str:
    """`0.88 (0.85–0.91)`, or `0.88` where there is no interval."""
    return bounded(interval, f"{{:.{places}f}}")


DRAWS = 100_000
"""Draws of `gaffke_interval`: its bounds then have a standard error below 1 % of the interval's width."""


def gaffke_interval(values: Values) -> Interval:
    """Mean over seeds of numbers from 0 to 1, with a 95 % interval that assumes nothing else.

    It is Gaffke's (2005; Learned-Miller & Thomas 2019, arXiv:1905.06208): quantiles of a Dirichlet-weighted mean of the
    values and one more, which is 0 for the lower bound and 1 for the upper. Of zeros and ones it is the exact
    interval of a share. It is wide where all values agree, since a cluster of which no seed was seen may exist. The
    weights are drawn, always the same ones.

    Raises:
        ValueError: a value is outside of the bounds.
    """
    ordered = np.sort(np.asarray(values, float))
    if ordered[0] < 0 or ordered[-1] > 1:
        raise ValueError(f"values from {ordered[0]:g} to {ordered[-1]:g}, expected 0 to 1")
    weights = _weights(len(ordered) + 1)
    lower = np.quantile(weights @ np.append(0.0, ordered), 0.025)
    upper = np.quantile(weights @ np.append(ordered, 1.0), 0.975)
    return Interval(float(ordered.mean()), float(lower), float(upper))


@lru_cache(maxsize=2)
def _weights(count: int) -> np.ndarray:
    """float [DRAWS, count], each row uniform among those that sum to 1."""
    return np.random.default_rng(0).dirichlet(np.ones(count), DRAWS)


def clustered(values: np.ndarray, clusters: np.ndarray, comparisons: int = 1) -> Interval:
    """Mean with its 95 % interval, for clusters that are drawn as a whole, by the sandwich estimator.

    Reviews of one film are alike, so they say less than as many reviews of different films.

    Args:
        values: float [N].
        clusters: int [N].
        comparisons: so many intervals hold together in 95 % (Bonferroni).
    """
    mean = float(values.mean())
    sums = np.bincount(clusters, values - mean)
    error = np.sqrt(len(sums) / (len(sums) - 1) * (sums**2).sum()) / len(values)
    margin = float(normal_quantile(1 - 0.025 / comparisons) * error)
    return Interval(mean, mean - margin, mean + margin)


def paired_interval(first: BySeed, second: BySeed) -> Interval:
    """Mean difference, first - second, with the t interval of the differences by seed.

    For values that share what the seed decides: two readings of one trained model, or two models with the same data,
    order and initialization. For others take `welch_interval`.

    Raises:
        ValueError: the two do not have the same seeds.
    """
    if first.keys() != second.keys():
        raise ValueError(f"seeds {sorted(first)} and {sorted(second)} are not pairs")
    return t_interval([first[seed] - second[seed] for seed in first])


def geometric_interval(values: Values) -> Interval:
    """Geometric mean over seeds of positive numbers that differ by factors, with a t interval of its logarithm."""
    return Interval(*(math.exp(bound) for bound in t_interval([math.log(value) for value in values])))


def clopper_pearson(successes: int, total: int) -> Interval:
    """A share with its exact 95 % interval (Clopper & Pearson 1934), which covers at least as often as it says."""
    low = beta_quantile(successes, total - successes + 1, 0.025) if successes else 0.0
    high = beta_quantile(successes + 1, total - successes, 0.975) if successes < total else 1.0
    return Interval(successes / total, float(low), float(high))


def share_difference(first: int, of_first: int, second: int, of_second: int) -> Interval:
    """Difference of two independent shares, first - second, with a 95 % interval (Agresti & Caffo 2000).

    Wald's interval after one success and one failure more in each group. With 10 and 20 in each group it covers 91.4 %
    and 92.4 % at the least, over true shares from 1 to 99 %.

    Args:
        first, second: successes.
        of_first, of_second: out of how many.
    """
    p, q = (first + 1) / (of_first + 2), (second + 1) / (of_second + 2)
    margin = float(normal_quantile(0.975)) * math.sqrt(p * (1 - p) / (of_first + 2) + q * (1 - q) / (of_second + 2))
    estimate = first / of_first - second / of_second
    return Interval(estimate, max(-1.0, p - q - margin), min(1.0, p - q + margin))
