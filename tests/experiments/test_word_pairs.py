"""The linear classifier of n-grams by hand, and the interval over films."""

import math

import numpy as np
import pytest
from films import clustered
from nbsvm import Grams, LinearClassifier, grams, log_count_ratios
from scipy.sparse import csr_matrix
from scipy.stats import norm
from sklearn.svm import LinearSVC

REVIEWS = [["not", "good"], ["good"], ["good", "not"], ["bad"]]
LABELS = np.array([0, 1, 1, 0])


def test_grams_are_runs_of_tokens() -> None:
    assert grams(["not", "very", "good"], 2) == ["not", "very", "good", "not very", "very good"]
    assert grams(["not", "very", "good"], 3)[-1] == "not very good"
    assert grams([], 3) == []


def test_features_say_whether_a_review_has_an_n_gram_of_training() -> None:
    features = Grams(REVIEWS, 2)
    assert features.train.toarray().tolist() == [
        [0, 1, 0, 1, 1],
        [0, 1, 0, 0, 0],
        [0, 1, 1, 1, 0],
        [1, 0, 0, 0, 0],
    ]  # bad, good, good not, not, not good
    assert features.of([["bad", "bad", "not", "new"]]).toarray().tolist() == [[1, 0, 0, 1, 0]]


def test_ratios_are_those_of_the_smoothed_counts() -> None:
    features = csr_matrix(np.array([[1, 0, 1], [1, 0, 0], [0, 1, 0]], np.float32))
    found = log_count_ratios(features, np.array([1, 1, 0]))
    p, q = np.array([3, 1, 2]) / 6, np.array([1, 2, 1]) / 4
    assert found == pytest.approx(np.log(p / q), rel=1e-6)


@pytest.mark.parametrize("ratios", [True, False])
def test_a_classifier_of_pairs_learns_what_one_of_words_cannot(ratios: bool) -> None:
    for longest, right in ((1, False), (2, True)):
        features = Grams(REVIEWS, longest)
        said = LinearClassifier(features.train, LABELS, 10.0, ratios).predict(features.train)
        assert (said == LABELS).all() == right


def test_the_weights_of_nbsvm_are_drawn_to_their_mean_magnitude() -> None:
    features = Grams(REVIEWS, 1).train
    drawn = LinearClassifier(features, LABELS, 1.0, ratios=True)
    own = LinearSVC(C=1.0, dual=True, random_state=0, max_iter=10_000)
    (weights,) = own.fit(features.multiply(drawn.ratios), LABELS).coef_
    assert drawn.weights == pytest.approx(0.25 * weights + 0.75 * np.abs(weights).mean(), rel=1e-4)
    plain = LinearClassifier(features, LABELS, 1.0, ratios=False)
    (weights,) = own.fit(features, LABELS).coef_
    assert plain.weights == pytest.approx(weights, rel=1e-4)


def test_with_a_film_a_review_the_interval_is_the_normal_one() -> None:
    values = np.array([1.0, 0, 1, 1, 0, 1, 1, 0])
    found = clustered(values, np.arange(8))
    margin = norm.ppf(0.975) * values.std(ddof=1) / math.sqrt(8)
    assert (found.estimate, found.low, found.high) == pytest.approx((0.625, 0.625 - margin, 0.625 + margin))


def test_reviews_that_agree_within_films_count_as_one() -> None:
    values = np.array([1.0, 0, 1, 1])
    alone, doubled = clustered(values, np.arange(4)), clustered(values.repeat(2), np.arange(4).repeat(2))
    assert doubled == pytest.approx(alone)
    assert clustered(values.repeat(2), np.arange(8)).low > alone.low


def test_the_interval_over_films_covers_the_mean() -> None:
    draw, inside = np.random.default_rng(0), 0
    for _ in range(400):
        sizes = draw.integers(1, 30, 200)
        films = np.repeat(np.arange(200), sizes)
        values = (draw.random(len(films)) < np.repeat(draw.beta(7, 3, 200), sizes)).astype(float)
        found = clustered(values, films)
        inside += found.low < 0.7 < found.high
    assert 0.92 < inside / 400 < 0.98


def test_several_intervals_that_hold_together_are_wider() -> None:
    values, films = np.array([1.0, 0, 1, 1]), np.arange(4)
    one, four = clustered(values, films), clustered(values, films, comparisons=4)
    ratio = (four.high - four.low) / (one.high - one.low)
    assert ratio == pytest.approx(norm.ppf(1 - 0.0125 / 2) / norm.ppf(0.975))
