"""Linear classifiers of n-grams on IMDb: logistic regression on log-count ratios, by `protocols/2026-12-02_linear.md`.

The features are Wang & Manning's (ACL 2012), the classifier is Mesnil et al.'s (arXiv:1412.5335). Training all
classifiers takes ten minutes.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from tqdm import tqdm

from experiments.best import pretrained
from experiments.best.pretrained import FILMS, IN_TRAIN, in_train
from experiments.lab.findings import Findings
from experiments.lab.results import Correct, read_correct, values_of
from experiments.lab.rules import Evidence
from experiments.lab.statistics import clustered
from experiments.lab.study import Protocol, Study, find_study
from experiments.lab.sweeps import Measured
from sentiment_rnn.config.loading import source_of
from sentiment_rnn.config.run import ReviewConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.data.review import SPLITS
from sentiment_rnn.data.tokenizer import splitter
from sentiment_rnn.report.statistics import percent
from sentiment_rnn.report.tables import Table
from sentiment_rnn.tracking.store import Store

COSTS = (0.1, 1.0, 10.0)
"""Values of C from which validation chooses, the smallest first."""
PUBLISHED_COST = 1.0
"""C of Mesnil et al."""
SMOOTHING = 1.0
"""α of the log-count ratio."""


class Classifier(NamedTuple):
    """Input and training of a logistic regression."""

    longest: int
    """Tokens of the longest n-gram."""
    published: bool = False
    """Whether it is also trained on the validation reviews, with `PUBLISHED_COST`; otherwise these choose C."""
    shuffled: bool = False
    """Whether the tokens of each review are in a random order."""


CLASSIFIERS = {
    "NB logistic, words": Classifier(1),
    "NB logistic, words and pairs": Classifier(2),
    "NB logistic, words, pairs and triples": Classifier(3),
    "NB logistic, words and pairs, shuffled": Classifier(2, shuffled=True),
    "NB logistic, words, as published": Classifier(1, published=True),
    "NB logistic, words and pairs, as published": Classifier(2, published=True),
    "NB logistic, words, pairs and triples, as published": Classifier(3, published=True),
}
Tokens = Mapping[str, Sequence[Sequence[str]]]
"""Tokens of the reviews of each split."""
Labels = Mapping[str, np.ndarray]
"""int [N] of each split, 1 for positive."""


def measure(study: Study, protocol: Protocol, store: Store | None = None, overrides: Sequence[str] = ()) -> Measured:
    """Train and test every classifier; `overrides` can choose reviews other than IMDb's."""
    config: ReviewConfig = run_config("data=imdb", *overrides)
    reviews, split = source_of(config.data).read(), splitter(config.data.tokenizer)
    tokens = {name: [split(review.text) for review in tqdm(reviews[name], f"tokens, {name}")] for name in SPLITS}
    labels = {name: np.array([review.label for review in reviews[name]]) for name in SPLITS}
    digest = hashlib.sha256(repr([(review.name, review.label) for review in reviews["test"]]).encode()).hexdigest()
    measured = Measured()
    for name, classifier in tqdm(CLASSIFIERS.items(), "classifiers"):
        cost, validation, right = train_and_test(classifier, tokens, labels)
        measured.correct[protocol.name, name, "", 0] = Correct(right, digest)
        measures = ("train", "C", cost), ("validation", "accuracy", validation), ("test", "accuracy", right.mean())
        measured.rows += [(protocol.name, protocol.name, name, "", 0, None, *row) for row in measures]
    measured.files[IN_TRAIN] = in_train(reviews)
    return measured


def train_and_test(classifier: Classifier, tokens: Tokens, labels: Labels) -> tuple[float, float, np.ndarray]:
    """C, the validation accuracy (NaN where it was trained on these reviews), and bool [N], which test reviews are
    classified correctly."""
    if classifier.shuffled:
        draw = np.random.default_rng(0)
        tokens = {split: [list(draw.permutation(review)) for review in tokens[split]] for split in SPLITS}
    features = features_of(classifier.longest)
    if classifier.published:
        every_label = np.concatenate([labels["train"], labels["validation"]])
        every = features.fit_transform([*tokens["train"], *tokens["validation"]], every_label)
        model, validation = logistic(PUBLISHED_COST).fit(every, every_label), np.nan
    else:
        train = features.fit_transform(tokens["train"], labels["train"])
        held_out = features.transform(tokens["validation"])
        models = [logistic(cost).fit(train, labels["train"]) for cost in COSTS]
        accuracies = [model.score(held_out, labels["validation"]) for model in models]
        validation = max(accuracies)
        model = models[accuracies.index(validation)]  # ties go to the smaller C
    return model.C, validation, model.predict(features.transform(tokens["test"])) == labels["test"]


def features_of(longest: int) -> Pipeline:
    """Pipeline from reviews (lists of tokens) to features float64 [reviews, n-grams]: the log-count ratio of an n-gram
    if the review contains it, else 0. Only n-grams of the training reviews count."""
    grams = CountVectorizer(
        preprocessor=list, tokenizer=list, token_pattern=None, ngram_range=(1, longest), binary=True, dtype=np.float64
    )
    return make_pipeline(grams, LogCountRatios())


class LogCountRatios(TransformerMixin, BaseEstimator):
    """Multiplies features, 0 or 1 [N, V], by r = log((p / |p|) / (q / |q|)) of Wang & Manning's equation 3.

    p and q are the smoothed numbers of positive and negative training reviews that have a feature.
    """

    def fit(self, features: csr_matrix, labels: np.ndarray) -> "LogCountRatios":
        """Count in training reviews; labels are 1 for positive, else 0."""
        p, q = (SMOOTHING + np.asarray(features[labels == label].sum(0)).ravel() for label in (1, 0))
        self.ratios_ = np.log(p / p.sum()) - np.log(q / q.sum())
        return self

    def transform(self, features: csr_matrix) -> csr_matrix:
        """float64 [N, V]."""
        return features.multiply(self.ratios_).tocsr()


def logistic(cost: float) -> LogisticRegression:
    """Mesnil et al.'s `liblinear -s 0`: L2 penalty, no intercept. Newton's method uses no random numbers."""
    return LogisticRegression(C=cost, solver="liblinear", fit_intercept=False)


def findings(evidence: Evidence, table: pd.DataFrame) -> Findings:
    """The verdicts, and the accuracies of the linear classifiers, with the C that was chosen."""
    rows = table[table.protocol == evidence.protocol.name]
    costs, validation = values_of(rows, "C", "train"), values_of(rows, "accuracy", "validation")
    runs, films = read_correct(evidence.study.output), np.load(find_study("imdb").folder / FILMS)
    others = np.setdiff1d(np.arange(len(films)), double := np.load(evidence.study.folder / IN_TRAIN))
    chosen = {name: f"{100 * by_seed[0]:.1f}" for (name, _), by_seed in validation.items()}
    lines = []
    for name, _ in costs:
        right = runs[evidence.protocol.name, name, "", 0].right.astype(float)
        tested = [percent(clustered(right[some], films[some]), unit="") for some in (slice(None), others)]
        lines.append((name, f"{costs[name, ''][0]:g}", chosen.get(name, ""), *tested))
    columns = ("classifier", "C", "validation", "test", f"without {len(double)} reviews in train")
    title = "Accuracy [%], with 95 % intervals over films"
    return Findings({"accuracy": Table(title, columns, lines)}, pretrained.findings(evidence, table).verdicts)
