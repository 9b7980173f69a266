"""Means over seeds and shares, with their spread and intervals, and bins."""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.special import (  # scipy.stats, which has them too, takes half a second to load
    betaincinv as beta_quantile,
)
from scipy.special import (
    ndtri as normal_quantile,
)
from scipy.special import (
    stdtrit as student_t_quantile,
)

Values = Sequence[float] | np.ndarray
"""One number per seed."""
BySeed = Mapping[int, float]
"""One number per seed, by the seed."""


class Spread(NamedTuple):
    """A mean over seeds and the sample standard deviation (NaN for one seed, which has none)."""

    mean: float
    deviation: float


class Interval(NamedTuple):
    """An estimate and its 95 % interval.

    NaN bounds where there is none: of a single seed, or of two that differ so much that it would hold every value.
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


def percent(interval: Interval) -> str:
    """`88.1 % (87.6–88.5)`, or `88.1 %` where there is no interval."""
    return _bounded(interval, "{:.1f}", " %", factor=100)


def points(interval: Interval) -> str:
    """`+7.2 (+3.5 to +9.8)`, a difference in percentage points; `+7.2` where there is no interval."""
    return _bounded(interval, "{:+.1f}", factor=100, between=" to ")


def with_bounds(interval: Interval, places: int) -> str:
    """`0.88 (0.85–0.91)`, or `0.88` where there is no interval."""
    return _bounded(interval, f"{{:.{places}f}}")


def _bounded(interval: Interval, form: str, unit: str = "", factor: float = 1, between: str = "–") -> str:
    estimate, low, high = (form.format(factor * value) for value in (interval.estimate, interval.low, interval.high))
    return estimate + unit + (f" ({low}{between}{high})" if interval.known else "")


def t_interval(values: Values, low: float = -math.inf, high: float = math.inf) -> Interval:
    """Mean over seeds with Student's 95 % interval (n - 1 degrees of freedom), clipped to `low` and `high`.

    It is about another seed's training, on the same test reviews. NaN bounds for a single seed, which shows no spread.

    Outcomes can fall into two clusters, of seeds that learn and seeds that do not. Where all seeds may come from one
    cluster, it covers the mean less often than 95 % says: three seeds at even odds, or twenty of which nine in ten
    learn. Count the seeds then (`clopper_pearson`), or take `gaffke_interval`. A bootstrap over seeds and
    the reviews of each does no better.
    """
    mean, deviation = spread(values)
    if len(values) < 2:
        return Interval(mean, math.nan, math.nan)
    margin = float(student_t_quantile(len(values) - 1, 0.975)) * deviation / math.sqrt(len(values))
    return _clipped(mean, margin, low, high)


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


def welch_interval(first: Values, second: Values, low: float = -math.inf, high: float = math.inf) -> Interval:
    """Difference of two means over seeds, first - second, with a 95 % interval (Welch 1947).

    The seeds are not paired: seed 0 of one encoder has nothing in common with seed 0 of another but its number.
    NaN bounds where either has a single seed.
    """
    estimate = float(np.mean(first) - np.mean(second))
    if min(len(first), len(second)) < 2:
        return Interval(estimate, math.nan, math.nan)
    variances = np.array([np.var(values, ddof=1) / len(values) for values in (first, second)])
    total = float(variances.sum())
    if total == 0:
        return _clipped(estimate, 0.0, low, high)
    shares = variances / total  # the degrees of freedom do not underflow in this form
    freedom = 1 / sum(share**2 / (len(values) - 1) for share, values in zip(shares, (first, second), strict=True))
    return _clipped(estimate, float(student_t_quantile(freedom, 0.975)) * math.sqrt(total), low, high)


def _clipped(estimate: float, margin: float, low: float, high: float) -> Interval:
    if estimate - margin <= low and estimate + margin >= high:
        return Interval(estimate, math.nan, math.nan)
    return Interval(estimate, max(low, estimate - margin), min(high, estimate + margin))


def accuracy_interval(accuracies: Values) -> Interval:
    """Mean accuracy over seeds with its t interval, within 0 and 1."""
    return t_interval(accuracies, 0.0, 1.0)


def accuracy_difference(first: Values, second: Values) -> Interval:
    """Difference of mean accuracies, first - second, with Welch's interval, within -1 and 1."""
    return welch_interval(first, second, -1.0, 1.0)


def wilson_interval(correct: int, total: int) -> Interval:
    """Accuracy with its 95 % score interval (Wilson 1927)."""
    share, z = correct / total, float(normal_quantile(0.975))
    center = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    margin = z * math.sqrt(share * (1 - share) / total + (z / (2 * total)) ** 2) / (1 + z**2 / total)
    return Interval(share, center - margin if correct else 0.0, center + margin if correct < total else 1.0)


def clopper_pearson(successes: int, total: int) -> Interval:
    """A share with its exact 95 % interval (Clopper & Pearson 1934), which covers at least as often as it says."""
    low = beta_quantile(successes, total - successes + 1, 0.025) if successes else 0.0
    high = beta_quantile(successes + 1, total - successes, 0.975) if successes < total else 1.0
    return Interval(successes / total, float(low), float(high))


def share_difference(first: int, of_first: int, second: int, of_second: int) -> Interval:
    """Difference of two independent shares, first - second, with a 95 % interval (Agresti & Caffo 2000).

    Wald's interval after one success and one failure more in each group. With 10 and 20 in each group it covers 91.4 %
    and 92.4 % at the least, over true shares from 1 to 99 %. Newcombe's hybrid (1998) covers 87.9 % and 88.0 %.

    Args:
        first, second: successes.
        of_first, of_second: out of how many.
    """
    p, q = (first + 1) / (of_first + 2), (second + 1) / (of_second + 2)
    margin = float(normal_quantile(0.975)) * math.sqrt(p * (1 - p) / (of_first + 2) + q * (1 - q) / (of_second + 2))
    estimate = first / of_first - second / of_second
    return Interval(estimate, max(-1.0, p - q - margin), min(1.0, p - q + margin))


def counted(successes: int, total: int) -> str:
    """`18/20 (68–99 %)`, with the exact interval."""
    _, low, high = clopper_pearson(successes, total)
    return f"{successes}/{total} ({100 * low:.0f}–{100 * high:.0f} %)"


def logarithmic_bins(values: np.ndarray, bins: int) -> np.ndarray:
    """Edges of whole numbers, evenly spaced on a log axis, that hold every value; zeros have a bin of their own."""
    edges = np.geomspace(max(1, values.min()), values.max() + 1, bins + 1).round().astype(int)
    return np.unique([values.min(), *edges])


def quantile_bins(values: np.ndarray, bins: int) -> np.ndarray:
    """Edges [≤ bins + 1] that hold every value, about equally many in each bin."""
    lower = np.quantile(values, np.linspace(0, 1, bins, endpoint=False)).round().astype(int)
    return np.unique([*lower, values.max() + 1])


def binned(values: np.ndarray, edges: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
    """Bounds and members, bool [N], of each bin that holds a value; a bin is without its upper edge."""
    for low, high in pairwise(edges):
        inside = (values >= low) & (values < high)
        if inside.any():
            yield low, high, inside
