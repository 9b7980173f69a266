"""Logistic regression on log-count ratios of n-grams, by hand and on generated reviews."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from experiments.best.linear import (
    CLASSIFIERS,
    COSTS,
    Classifier,
    LogCountRatios,
    features_of,
    findings,
    logistic,
    measure,
    train_and_test,
)
from experiments.best.pretrained import IN_TRAIN
from experiments.imdb.word_pairs import FILMS
from experiments.lab.rules import evidence_of
from experiments.lab.study import find_study
from experiments.lab.table import CORRECT, Correct, check_correct, correct_file, rows_of

STUDY = find_study("best")
PROTOCOL = STUDY.protocol("linear")
REVIEWS = [["not", "good"], ["good"], ["good", "not"], ["bad"]]
LABELS = np.array([0, 1, 1, 0])


def test_n_grams_are_runs_of_tokens_as_they_are() -> None:
    grams = features_of(3)[0].fit([["Not", "very", "good", "."], []])
    assert sorted(grams.vocabulary_) == [
        ".", "Not", "Not very", "Not very good", "good", "good .", "very", "very good", "very good .",
    ]  # fmt: skip


def test_features_say_whether_a_review_has_an_n_gram_of_training() -> None:
    grams = features_of(2)[0]
    assert grams.fit_transform(REVIEWS).toarray().tolist() == [
        [0, 1, 0, 1, 1],
        [0, 1, 0, 0, 0],
        [0, 1, 1, 1, 0],
        [1, 0, 0, 0, 0],
    ]  # bad, good, good not, not, not good
    assert grams.transform([["bad", "bad", "not", "new"]]).toarray().tolist() == [[1, 0, 0, 1, 0]]


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


def test_a_classifier_of_pairs_learns_what_one_of_words_cannot() -> None:
    splits = dict.fromkeys(("train", "validation", "test"), REVIEWS)
    for longest, learns in ((1, False), (2, True)):
        *_, right = train_and_test(Classifier(longest), splits, dict.fromkeys(splits, LABELS))
        assert right.all() == learns


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


def test_the_table_has_the_chosen_cost_and_the_accuracy_without_known_texts(tmp_path: Path) -> None:
    films = np.load(find_study("imdb").folder / FILMS)
    known = np.arange(1000, dtype="<u2")
    np.save(tmp_path / IN_TRAIN, known)
    names = list(CLASSIFIERS)[:2]
    right = np.arange(len(films)) < 0.8 * len(films)
    runs = {("linear", name, "", 0): Correct(right, "reviews") for name in names}
    (tmp_path / CORRECT).write_bytes(correct_file(runs))
    rows = [
        ("linear", "linear", name, "", 0, None, split, metric, value)
        for name, *values in ((names[0], 0.1, 0.85), (names[1], 1, None))
        for (split, metric), value in zip([("train", "C"), ("validation", "accuracy")], values, strict=True) if value
    ]  # fmt: skip
    table = rows_of("best", rows)
    study = replace(STUDY, output=tmp_path)
    table_of = findings(evidence_of(study, PROTOCOL, table), table).tables["accuracy"]
    assert table_of.columns[-1] == "without 1000 reviews in train"
    chosen, published = table_of.rows
    assert chosen[:3] == (names[0], "0.1", "85.0")
    assert published[:3] == (names[1], "1", "")
    assert chosen[3].startswith("80.0 (")
    assert chosen[4].startswith("79.2 ("), "19,000 of 24,000"
