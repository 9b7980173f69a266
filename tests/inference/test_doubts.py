"""Warnings about texts that a model cannot be expected to judge."""

from typing import Any

import numpy as np

from sentiment_rnn.inference.package import Reading
from sentiment_rnn.inference.predictor import Doubts, Sentiments


def reading(**settings: Any) -> Reading:
    return Reading(400, "tail", 4, "float32", 1.0, "", **({"data": "imdb", "shortest": 3, "longest": 10} | settings))


def lines(known: list[int], unknown: list[int], **settings: Any) -> list[str]:
    """Warnings about texts with these numbers of known and unknown tokens, added in two parts."""
    doubts = Doubts(reading(**settings))
    for part in (slice(0, 1), slice(1, None)):
        counts = np.array(known[part]), np.array(unknown[part])
        doubts.add(Sentiments(np.full(len(counts[0]), 0.5), *counts))
    return doubts.lines()


def test_texts_like_those_in_training_raise_no_doubt() -> None:
    assert lines([3, 10, 7], [0, 0, 3]) == []


def test_texts_with_a_third_of_unknown_words_are_counted() -> None:
    assert lines([2, 4, 3], [1, 1, 3]) == ["warning: 2 of 3 texts: a third or more of the words are unknown"]


def test_texts_of_a_length_that_training_had_not_are_counted() -> None:
    assert lines([2, 11, 12, 5], [0, 0, 0, 0]) == [
        "warning: 1 of 4 texts: shorter than any text in training (3 tokens)",
        "warning: 2 of 4 texts: longer than any text in training (10 tokens)",
    ]


def test_a_text_without_tokens_counts_for_nothing() -> None:
    assert lines([0, 0], [0, 0], data="generated") == []


def test_a_model_of_generated_reviews_says_so() -> None:
    (note,) = lines([5, 5], [0, 0], data="generated")
    assert note.startswith("note: this model has read generated reviews alone")


def test_a_model_that_recorded_no_lengths_says_nothing_of_them() -> None:
    assert lines([2, 500], [0, 0], data="", shortest=0, longest=0) == []
