"""An interval over films. Reviews of one film are alike, so they say less than as many reviews of different films."""

import math

import numpy as np
from scipy.stats import norm

from sentiment_rnn.report.statistics import Interval


def clustered(values: np.ndarray, clusters: np.ndarray, comparisons: int = 1) -> Interval:
    """Mean with its 95 % interval, for clusters that are drawn as a whole, by the sandwich estimator.

    Args:
        values: float [N].
        clusters: int [N].
        comparisons: so many intervals hold together in 95 % (Bonferroni).
    """
    mean = float(values.mean())
    sums = np.bincount(clusters, values - mean)
    number = len(sums)
    margin = float(norm.ppf(1 - 0.025 / comparisons)) * math.sqrt(number / (number - 1) * float((sums**2).sum()))
    return Interval(mean, mean - margin / len(values), mean + margin / len(values))
