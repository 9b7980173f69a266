"""The linear classifier counts each n-gram of a review once, whatever the padding, and is the published one."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from experiments.best.linear import features_of, logistic
from sentiment_rnn.model.ngrams import NgramClassifier, fit_ngrams, longest_possible, ngrams_of

WORDS = 7
REVIEWS = st.lists(st.lists(st.integers(1, WORDS - 1), min_size=1, max_size=9), min_size=1, max_size=4)


def padded(reviews: list[list[int]], more: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens `[B, T + more]` and lengths `[B]`."""
    lengths = torch.tensor([len(review) for review in reviews])
    tokens = torch.zeros(len(reviews), int(lengths.max()) + more, dtype=torch.int64)
    for row, review in enumerate(reviews):
        tokens[row, : len(review)] = torch.tensor(review)
    return tokens, lengths


@given(REVIEWS, st.integers(1, 4), st.integers(0, 3))
def test_the_numbers_of_a_review_are_those_of_its_distinct_ngrams(
    reviews: list[list[int]], longest: int, more: int
) -> None:
    numbers = ngrams_of(*padded(reviews, more), WORDS, longest)
    ids_of = NgramClassifier(WORDS, longest, 1).ids_of
    for review, row in zip(reviews, numbers, strict=True):
        assert all(before <= after for before, after in pairwise(row.tolist()))
        found = [tuple(ids_of(number)) for number in row.tolist() if number]
        expected = {
            tuple(review[start : start + width])
            for width in range(1, longest + 1)
            for start in range(len(review) - width + 1)
        }
        assert len(found) == len(expected)
        assert set(found) == expected


@pytest.fixture
def labelled() -> tuple[list[list[int]], np.ndarray]:
    """Forty reviews of other lengths, and labels."""
    random = np.random.default_rng(0)
    return [random.integers(1, WORDS, random.integers(1, 12)).tolist() for _ in range(40)], random.integers(0, 2, 40)


@pytest.mark.parametrize("longest", [1, 2, 3])
def test_it_is_the_published_classifier(labelled: tuple[list[list[int]], np.ndarray], longest: int) -> None:
    """`experiments/best/linear.py` counts words by scikit-learn's vectorizer, and reaches the published accuracy."""
    reviews, labels = labelled
    classifier = fit_ngrams([padded(reviews[:25]), padded(reviews[25:])], labels, WORDS, longest)
    texts = [[str(word) for word in review] for review in reviews]
    pipeline = features_of(longest)
    expected = logistic(1.0).fit(pipeline.fit_transform(texts, labels), labels)
    unseen = [[1, 1, 2, 6, 3], [5], [4, 4, 4, 2]]
    for asked in (reviews, unseen):
        features = pipeline.transform([[str(word) for word in review] for review in asked])
        np.testing.assert_allclose(classifier(*padded(asked)), expected.decision_function(features), atol=1e-4)


def test_the_mix_follows_the_classifier_that_is_right() -> None:
    labels = np.tile([0, 1], 50)
    right, noise = np.where(labels == 1, 2.0, -2.0), np.random.default_rng(0).normal(size=100)
    ngrams = NgramClassifier(WORDS, 1, 1)
    ngrams.choose_mix(right, noise, labels)
    assert ngrams.mix[0] > 5 * abs(ngrams.mix[1])
    ngrams.choose_mix(noise, right, labels)
    assert ngrams.mix[1] > 5 * abs(ngrams.mix[0])


def test_the_longest_possible_ngram_has_a_number() -> None:
    longest = longest_possible(30_000)
    last = 29_999
    tokens = torch.full((1, longest), last)
    number = int(ngrams_of(tokens, torch.tensor([longest]), 30_000, longest)[0, -1])
    assert NgramClassifier(30_000, longest, 1).ids_of(number) == [last] * longest
    assert 30_001 ** (longest + 1) >= 2**63
