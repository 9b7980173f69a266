"""The linear classifiers are those that were published: features, weights and loss."""

from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from experiments.best.linear import (
    CLASSIFIERS,
    COSTS,
    Classifier,
    LogCountRatios,
    logistic,
    measure,
    train_and_test,
)
from experiments.lab.results import check_correct, rows_of
from experiments.lab.study import find_study

STUDY = find_study("best")
PROTOCOL = STUDY.protocol("linear")


def test_features_are_weighted_by_the_ratios_of_their_smoothed_counts() -> None:
    features = csr_matrix(np.array([[1.0, 0, 1], [1, 0, 0], [0, 1, 0]]))
    p, q = np.array([3, 1, 2]) / 6, np.array([1, 2, 1]) / 4
    weighted = LogCountRatios().fit_transform(features, np.array([1, 1, 0])).toarray()
    assert weighted == pytest.approx(features.toarray() * np.log(p / q))


def test_the_weights_are_the_optimum_of_the_published_loss() -> None:
    """The gradient of |w|² / 2 + C Σ log(1 + exp(-y x·w)) is 0, and there is no intercept."""
    features, y = np.random.default_rng(0).normal(size=(50, 3)), np.tile([1, -1], 25)
    model = logistic(10.0).set_params(tol=1e-8).fit(features, y)
    (weights,) = model.coef_
    pull = 10 * ((y / (1 + np.exp(y * (features @ weights))))[:, None] * features).sum(0)
    assert weights == pytest.approx(pull, rel=1e-4)
    assert model.intercept_ == 0


def test_as_published_the_validation_reviews_are_trained_on_and_choose_nothing() -> None:
    splits = {"train": [["good"], ["bad"]], "validation": [["warm"], ["dull"]], "test": [["warm"], ["dull"]]}
    labels = dict.fromkeys(splits, np.array([1, 0]))
    cost, validation, right = train_and_test(Classifier(1, published=True), splits, labels)
    assert (cost, right.tolist()) == (1, [True, True])
    assert np.isnan(validation)
    cost, validation, right = train_and_test(Classifier(1), splits, labels)
    assert (cost, validation, right.tolist()) == (min(COSTS), 0.5, [False, True]), "unknown words: negative"


def test_order_is_worth_much_to_a_linear_classifier_where_it_decides(tmp_path: Path) -> None:
    """In generated reviews a bag of words is at chance: a pair, and still more a triple, says more."""
    overrides = ("data=generated", "data.train_reviews=2000", "data.test_reviews=1000", "data.max_lag=5")
    measured = measure(STUDY, PROTOCOL, overrides=(*overrides, f"data.directory={tmp_path}"))
    table = rows_of("best", measured.rows)
    check_correct(table[table.value.notna()], measured.correct, tmp_path)
    tested = table[(table.split == "test") & (table.metric == "accuracy")].set_index("arm").value
    assert list(tested.index) == list(CLASSIFIERS)
    words, pairs, triples, shuffled, *published = tested
    assert abs(words - 0.5) < 0.05
    assert abs(shuffled - 0.5) < 0.05
    assert words + 0.05 < pairs < triples - 0.05
    assert published == pytest.approx([words, pairs, triples], abs=0.05)
