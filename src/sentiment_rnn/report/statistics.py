"""Means with their spread, and paired tests between encoders that read the same reviews."""

from typing import NamedTuple

import numpy as np
from scipy.stats import binomtest


class Spread(NamedTuple):
    """A mean over seeds and the sample standard deviation (NaN for one seed, which has none)."""

    mean: float
    deviation: float


class Interval(NamedTuple):
    """An estimate and its 95 % interval."""

    estimate: float
    low: float
    high: float


def spread(values: np.ndarray | list[float]) -> Spread:
    """Mean and standard deviation (n - 1) of one number a seed."""
    return Spread(float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else float("nan"))


def with_deviation(value: Spread, places: int) -> str:
    """`0.881 ± 0.002`, or `0.881` of a single seed."""
    return f"{value.mean:.{places}f}" + ("" if np.isnan(value.deviation) else f" ± {value.deviation:.{places}f}")


def percent(interval: Interval) -> str:
    """`88.1 % (87.6 to 88.5)`."""
    return f"{100 * interval.estimate:.1f} % ({100 * interval.low:.1f} to {100 * interval.high:.1f})"


def wilson_interval(correct: int, total: int) -> Interval:
    """Accuracy with its 95 % score interval (Wilson 1927)."""
    result = binomtest(correct, total).proportion_ci(0.95, method="wilson")
    return Interval(correct / total, result.low, result.high)


def mcnemar(first: np.ndarray, second: np.ndarray) -> float:
    """Exact two-sided p-value (McNemar 1947) that two classifiers err equally often on the same reviews.

    Args:
        first, second: bool [N], whether each review was classified rightly.
    """
    only_first = int(np.sum(first & ~second))
    only_second = int(np.sum(second & ~first))
    if only_first + only_second == 0:
        return 1.0
    return float(binomtest(only_first, only_first + only_second, 0.5).pvalue)


def bootstrap_difference(first: np.ndarray, second: np.ndarray, resamples: int, seed: int = 0) -> Interval:
    """Difference of mean accuracy, first - second, with a 95 % percentile interval (Efron 1979).

    Both what is read and what was trained are resampled: the reviews jointly for both, since they are the same,
    and the seeds of each on their own.

    Args:
        first, second: bool [seeds, N], whether each review was classified rightly.
    """
    random = np.random.default_rng(seed)
    drawn = np.array([_drawn_accuracies(random, first, second) for _ in range(resamples)])
    low, high = np.quantile(drawn[:, 0] - drawn[:, 1], [0.025, 0.975])
    return Interval(float(first.mean() - second.mean()), float(low), float(high))


def bootstrap_accuracy(correct: np.ndarray, resamples: int = 2000, seed: int = 0) -> Interval:
    """Mean accuracy with a 95 % percentile interval over seeds and reviews, both resampled.

    Args:
        correct: bool [seeds, N], whether each review was classified rightly.
    """
    random = np.random.default_rng(seed)
    means = [_drawn_accuracies(random, correct)[0] for _ in range(resamples)]
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(correct.mean()), float(low), float(high))


def _drawn_accuracies(random: np.random.Generator, *encoders: np.ndarray) -> list[float]:
    """Mean accuracy of each on reviews drawn for all of them, and on seeds drawn for each."""
    reviews = encoders[0].shape[1]
    # How often each review is drawn: the same as gathering N drawn columns, and faster.
    weights = np.bincount(random.integers(0, reviews, reviews), minlength=reviews)
    return [float((e[random.integers(0, len(e), len(e))] @ weights).mean() / reviews) for e in encoders]


def logarithmic_bins(values: np.ndarray, bins: int) -> np.ndarray:
    """Edges [≤ bins + 1] of whole numbers, evenly spaced on a log axis, that hold every value ≥ 1."""
    edges = np.geomspace(values.min(), values.max() + 1, bins + 1).round().astype(int)
    return np.unique(edges)


def quantile_bins(values: np.ndarray, bins: int) -> np.ndarray:
    """Edges [≤ bins + 1] that hold every value, about equally many in each bin."""
    lower = np.quantile(values, np.linspace(0, 1, bins, endpoint=False)).round().astype(int)
    return np.unique([*lower, values.max() + 1])
