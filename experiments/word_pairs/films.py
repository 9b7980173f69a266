"""An interval over films: the reviews of one film are alike, so that they count for less than as many of many films."""

import math

import numpy as np
from scipy.stats import norm

from sentiment_rnn.report.statistics import Interval


def clustered(values: np.ndarray, clusters: np.ndarray, comparisons: int = 1) -> Interval:
    """Mean with its 95 % interval over clusters, of which all or none are drawn, by the sandwich estimator.

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
