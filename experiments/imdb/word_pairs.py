"""Value of word order to a linear classifier of IMDb, by `protocols/2026-11-26_word_pairs.md`.

The features are words, pairs and triples, or pairs of shuffled reviews. The classifiers are NBSVM (Wang & Manning, ACL
2012) and the SVM in it. All of them take a quarter of an hour.
"""

import hashlib
import io
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from scipy.stats import norm
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.svm import LinearSVC
from tqdm import tqdm

from experiments.lab.findings import Findings
from experiments.lab.rules import Evidence, Numbers, Verdict, above, judged
from experiments.lab.statistics import points
from experiments.lab.study import Protocol, Study
from experiments.lab.sweeps import Measured
from experiments.lab.table import Correct, read_correct, values_of
from sentiment_rnn.config.loading import source_of
from sentiment_rnn.config.run import ReviewConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.data.review import SPLITS
from sentiment_rnn.data.tokenizer import splitter
from sentiment_rnn.errors import UserError
from sentiment_rnn.report.statistics import Interval, percent
from sentiment_rnn.report.tables import Table
from sentiment_rnn.tracking.store import Store

SWEEP = "word_pairs"
FILMS = "films.npy"
"""The film of each test review."""
COSTS = (0.01, 0.1, 1.0, 10.0)
"""Values of C from which validation chooses."""
SMOOTHING = 1.0
"""α of the log-count ratio."""
INTERPOLATION = 0.25
"""β: the part of a weight that is its own; the rest is the mean magnitude of all."""
WORTH = 0.01
"""Difference in accuracy from which a classifier counts as better."""


class Classifier(NamedTuple):
    """Features of a linear classifier."""

    longest: int
    """Tokens of the longest n-gram."""
    ratios: bool = True
    """Log-count ratios: NBSVM."""
    shuffled: bool = False


CLASSIFIERS = {
    "NBSVM, words": Classifier(1),
    "NBSVM, words and pairs": Classifier(2),
    "NBSVM, words, pairs and triples": Classifier(3),
    "NBSVM, words and pairs, shuffled": Classifier(2, shuffled=True),
    "SVM, words": Classifier(1, ratios=False),
    "SVM, words and pairs": Classifier(2, ratios=False),
}
COMPARED = {
    "pairs": ("NBSVM, words and pairs", "NBSVM, words"),
    "order": ("NBSVM, words and pairs", "NBSVM, words and pairs, shuffled"),
    "triples": ("NBSVM, words, pairs and triples", "NBSVM, words and pairs"),
    "ratios": ("SVM, words and pairs", "SVM, words"),
}
"""By claim."""

Tokens = Mapping[str, Sequence[Sequence[str]]]
"""Tokens of the reviews of each split."""
Labels = Mapping[str, np.ndarray]
"""int [N] of each split, 1 for positive."""


def measure(study: Study, protocol: Protocol, store: Store | None = None, overrides: Sequence[str] = ()) -> Measured:
    """Train and test every classifier; `overrides` can name other reviews than IMDb's."""
    config: ReviewConfig = run_config("data=imdb", *overrides)
    reviews, split = source_of(config.data).read(), splitter(config.data.tokenizer)
    tokens = {name: [split(review.text) for review in tqdm(reviews[name], f"tokens, {name}")] for name in SPLITS}
    labels = {name: np.array([review.label for review in reviews[name]]) for name in SPLITS}
    digest = hashlib.sha256(repr([(review.name, review.label) for review in reviews["test"]]).encode()).hexdigest()
    found = Measured()
    for name, classifier in tqdm(CLASSIFIERS.items(), "classifiers"):
        cost, validation, right = train_and_test(name, classifier, tokens, labels)
        found.correct[SWEEP, name, "", 0] = Correct(right, digest)
        measures = ("train", "C", cost), ("validation", "accuracy", validation), ("test", "accuracy", right.mean())
        found.rows += [(SWEEP, protocol.name, name, "", 0, None, *measure) for measure in measures]
    _, films = np.unique([review.group for review in reviews["test"]], return_inverse=True)
    np.save(content := io.BytesIO(), films.astype("<u2"))
    found.files[FILMS] = content.getvalue()
    return found


def train_and_test(
    name: str, classifier: Classifier, tokens: Tokens, labels: Labels
) -> tuple[float, float, np.ndarray]:
    """The chosen C, its validation accuracy, and bool [N], which test reviews it classifies correctly."""
    if classifier.shuffled:
        draw = np.random.default_rng(0)
        tokens = {split: [list(draw.permutation(review)) for review in tokens[split]] for split in SPLITS}
    grams = grams_of(classifier.longest)
    train, validation = grams.fit_transform(tokens["train"]), grams.transform(tokens["validation"])
    found = []
    for cost in COSTS:
        with suppress(ConvergenceWarning):  # then it is none to choose from
            model = trained(train, labels["train"], cost, classifier.ratios)
            found.append((model.score(validation, labels["validation"]), -cost, model))
    if not found:
        raise UserError(f"{name}: the SVM converges with none of C = {COSTS}; give it other reviews")
    accuracy, cost, model = max(found, key=lambda one: one[:2])
    return -cost, accuracy, model.predict(grams.transform(tokens["test"])) == labels["test"]


def grams_of(longest: int) -> CountVectorizer:
    """Says of reviews, lists of tokens, which n-grams of training they have: float32 [reviews, n-grams], 0 or 1."""
    return CountVectorizer(
        preprocessor=list, tokenizer=list, token_pattern=None, ngram_range=(1, longest), binary=True, dtype=np.float32
    )  # fmt: skip


def trained(features: csr_matrix, labels: np.ndarray, cost: float, ratios: bool) -> LinearSVC:
    """An SVM of features, float32 [N, V], with log-count ratios (NBSVM) or without.

    Raises:
        ConvergenceWarning: the SVM does not converge.
    """
    scale = log_count_ratios(features, labels) if ratios else np.ones(features.shape[1], np.float32)
    svm = LinearSVC(C=cost, dual=True, random_state=0, max_iter=10_000)
    with warnings.catch_warnings():
        # Coordinates are visited in a random order: only where it converges does the result not depend on it.
        warnings.simplefilter("error", ConvergenceWarning)
        svm.fit(features.multiply(scale).tocsr(), labels)
    if ratios:
        svm.coef_ = INTERPOLATION * svm.coef_ + (1 - INTERPOLATION) * np.abs(svm.coef_).mean()
    svm.coef_ = scale * svm.coef_  # so that it takes features as they are
    return svm


def log_count_ratios(features: csr_matrix, labels: np.ndarray) -> np.ndarray:
    """float32 [V], log((p / |p|) / (q / |q|)); p and q are the smoothed counts in positive and negative reviews."""
    p, q = (SMOOTHING + np.asarray(features[labels == label].sum(0)).ravel() for label in (1, 0))
    return np.asarray(np.log(p / p.sum()) - np.log(q / q.sum()), np.float32)


def findings(evidence: Evidence, table: pd.DataFrame) -> Findings:
    """Accuracies and verdicts, from which test reviews were classified correctly, and their films."""
    rows = table[table.protocol == evidence.protocol.name]
    if rows.empty:
        return Findings()
    costs, validation = values_of(rows, "C", "train"), values_of(rows, "accuracy", "validation")
    runs, films = read_correct(evidence.study.output), np.load(evidence.study.output / FILMS)
    right = {name: runs[SWEEP, name, "", 0].right.astype(float) for name, _ in costs}
    accuracies = [
        (name, f"{costs[name, ''][0]:g}", f"{100 * validation[name, ''][0]:.1f} %", percent(clustered(of, films)))
        for name, of in right.items()
    ]
    found = {}
    for claim in evidence.protocol.claims:
        first, second = COMPARED[claim.id]
        difference = clustered(right[first] - right[second], films, comparisons=len(COMPARED))
        one, other = ((name, percent(clustered(right[name], films))) for name in (first, second))
        found[claim.id] = Verdict(judged(above(difference, WORTH)), (Numbers("", *one, *other, points(difference)),))
    columns = ("classifier", "C", "validation", "test")
    return Findings({"accuracy": Table("Accuracy, with 95 % intervals over films", columns, accuracies)}, found)


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
    margin = float(norm.ppf(1 - 0.025 / comparisons) * error)
    return Interval(mean, mean - margin, mean + margin)
