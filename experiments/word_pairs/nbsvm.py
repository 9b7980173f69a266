"""A linear classifier of words, pairs and triples: NBSVM (Wang & Manning, ACL 2012) and the SVM that it is made of."""

import warnings
from collections.abc import Sequence
from itertools import chain

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.svm import LinearSVC

SMOOTHING = 1.0
"""α of the log-count ratio."""
INTERPOLATION = 0.25
"""β: the part of a weight that is its own; the rest is the mean magnitude of all."""


def grams(tokens: Sequence[str], longest: int) -> list[str]:
    """All runs of 1 to `longest` tokens, joined by a space."""
    return list(chain.from_iterable(
        (" ".join(tokens[start : start + size]) for start in range(len(tokens) - size + 1))
        for size in range(1, longest + 1)
    ))  # fmt: skip


class Grams:
    """Which n-grams of the training reviews a review has.

    Args:
        reviews: the tokens of the training reviews.
        longest: tokens of the longest n-gram.
    """

    def __init__(self, reviews: Sequence[Sequence[str]], longest: int) -> None:
        self._vectorizer = CountVectorizer(analyzer=lambda tokens: grams(tokens, longest), binary=True)
        self.train: csr_matrix = self._vectorizer.fit_transform(reviews).astype(np.float32)
        """float32 [reviews, n-grams], 1 where the review has it."""

    def of(self, reviews: Sequence[Sequence[str]]) -> csr_matrix:
        """float32 [reviews, n-grams] of other reviews; n-grams that training did not see are left out."""
        return self._vectorizer.transform(reviews).astype(np.float32)


class LinearClassifier:
    """An SVM of n-grams, with their log-count ratios (NBSVM) or without.

    Args:
        features: float32 [N, V], 0 or 1.
        labels: int [N], 0 or 1.
        cost: C of the SVM.
        ratios: weight each n-gram by its log-count ratio, and interpolate the weights.

    Raises:
        ConvergenceWarning: the SVM does not converge.
    """

    def __init__(self, features: csr_matrix, labels: np.ndarray, cost: float, ratios: bool) -> None:
        self.ratios = log_count_ratios(features, labels) if ratios else np.ones(features.shape[1], np.float32)
        svm = LinearSVC(C=cost, dual=True, random_state=0, max_iter=10_000)
        with warnings.catch_warnings():
            # Coordinates are visited in a random order: only where it converges does the result not depend on it.
            warnings.simplefilter("error", ConvergenceWarning)
            svm.fit(features.multiply(self.ratios).tocsr(), labels)
        own = svm.coef_[0]
        self.weights = INTERPOLATION * own + (1 - INTERPOLATION) * np.abs(own).mean() if ratios else own
        self.bias = float(svm.intercept_[0])

    def predict(self, features: csr_matrix) -> np.ndarray:
        """int [N], 1 for positive."""
        return (features @ (self.ratios * self.weights) + self.bias > 0).astype(int)


def log_count_ratios(features: csr_matrix, labels: np.ndarray) -> np.ndarray:
    """float32 [V], log((p / |p|) / (q / |q|)); p and q are the smoothed counts in positive and negative reviews."""
    p, q = (SMOOTHING + np.asarray(features[labels == label].sum(0)).ravel() for label in (1, 0))
    return np.asarray(np.log(p / p.sum()) - np.log(q / q.sum()), np.float32)
