"""A trained model promises each text one answer, whatever stands beside it, and a line where the answer is in doubt."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentiment_rnn.cli.trained_model import shortened
from sentiment_rnn.inference.package import Package, Reading
from sentiment_rnn.inference.predictor import Doubts, Predictor, Sentiments
from sentiment_rnn.inference.pyfunc import SentimentModel


@pytest.fixture
def predictor(build_package: Callable[..., Package]) -> Predictor:
    return Predictor(build_package())


STRANGE = [
    "", " \t\n", None, "zzz qqq", "good", "good " * 100_000, "x" * 100_000, "😀 👍🏽 שלום עולם", "<b>good</b><br />",
    "go\0od", "\ud800 good", "\ud83d\ude00", "5", "\u202egood", "\x1b[31mgood",
]  # fmt: skip


def test_every_text_gets_an_answer_and_one_without_a_token_none(predictor: Predictor) -> None:
    found = predictor.predict(STRANGE)
    assert [label is None for label in found.labels] == [True] * 3 + [False] * (len(STRANGE) - 3)
    assert np.isnan(found.probabilities).tolist() == [True] * 3 + [False] * (len(STRANGE) - 3)
    assert found.known.tolist()[:6] == [0, 0, 0, 0, 1, 100_000]
    assert found.unknown.tolist()[:6] == [0, 0, 0, 2, 0, 0]


@settings(max_examples=30, deadline=None)
@given(texts=st.lists(st.text(st.sampled_from("good bad.!\n"), max_size=40), max_size=12), seed=st.integers(0, 9))
def test_neither_order_nor_company_changes_an_answer(build_package: Callable, texts: list[str], seed: int) -> None:
    predictor = Predictor(build_package())
    together = predictor.predict(texts).probabilities
    order = np.random.default_rng(seed).permutation(len(texts))
    shuffled = predictor.predict([texts[index] for index in order]).probabilities
    np.testing.assert_allclose(shuffled, together[order], atol=1e-6)
    alone = [predictor.predict([text]).probabilities[0] for text in texts]
    np.testing.assert_allclose(alone, together, atol=1e-6)


def test_a_model_of_shuffled_words_reads_a_text_in_one_order_that_is_another(
    build_package: Callable[..., Package],
) -> None:
    text = "the film was bad . i liked it , a b film good !"
    kept, shuffled = (Predictor(build_package(shuffle_span=span)) for span in (0, 20))
    alone, behind_others = (shuffled.predict(texts).probabilities[-1] for texts in ([text], ["good", "a b", text]))
    assert alone == pytest.approx(behind_others, abs=1e-6)
    assert abs(alone - kept.predict([text]).probabilities[0]) > 1e-4


@pytest.mark.parametrize(("keep", "same"), [("tail", "end"), ("head", "start"), ("both", "ends")])
def test_only_the_part_that_it_was_trained_to_read_decides(
    build_package: Callable[..., Package], keep: str, same: str
) -> None:
    predictor = Predictor(build_package(keep=keep, max_tokens=4))
    short = {"end": "a b film good", "start": "the film was bad", "ends": "the film film good"}[same]
    long = "the film was bad . i liked it . a b film good"
    left, right = predictor.predict([long, short]).probabilities
    assert left == right


def test_a_data_frame_in_is_a_data_frame_out_with_its_index(predictor: Predictor) -> None:
    frame = pd.DataFrame({"text": ["good", "", 5, None], "more": 1}, index=[7, 8, 9, 9])
    found = SentimentModel(predictor).predict(frame)
    assert list(found.columns) == ["label", "probability", "known_tokens", "unknown_tokens"]
    assert list(found.index) == [7, 8, 9, 9]
    assert found["probability"].tolist()[1:] == [None] * 3
    assert found["label"].tolist()[1:] == [None] * 3
    full = SentimentModel(predictor).predict(frame.iloc[:1])
    assert full["probability"].dtype == np.float64


def test_a_line_for_a_terminal_has_no_control_characters_and_fits() -> None:
    assert shortened("a\x1b[31m\r\nb\tc\u202e", 40) == "a [31m b c"
    assert shortened("word " * 50, 12) == "word word w…"
    assert len(shortened("映画はとても良かった" * 9, 20)) <= 11


def doubts(known: list[int], unknown: list[int], **reading: Any) -> list[str]:
    """Warnings about texts with these numbers of known and unknown tokens, added in two parts."""
    settings = {"data": "imdb", "shortest": 3, "longest": 10} | reading
    counted = Doubts(Reading(400, "tail", 4, "float32", 1.0, "", **settings))
    for part in (slice(0, 1), slice(1, None)):
        counts = np.array(known[part]), np.array(unknown[part])
        counted.add(Sentiments(np.full(len(counts[0]), 0.5), *counts))
    return counted.lines()


def test_texts_unlike_those_in_training_are_counted() -> None:
    assert doubts([3, 10, 7], [0, 0, 3]) == []
    assert doubts([2, 11, 12, 3], [1, 0, 0, 3]) == [
        "warning: 2 of 4 texts: a third or more of the words are unknown",
        "warning: 2 of 4 texts: longer than any text in training (10 tokens)",
    ]
    assert doubts([2, 5], [0, 0]) == ["warning: 1 of 2 texts: shorter than any text in training (3 tokens)"]
    assert doubts([2, 500], [0, 0], data="", shortest=0, longest=0) == [], "a model that recorded no lengths"


def test_a_model_of_generated_reviews_says_so_of_texts_with_tokens() -> None:
    assert doubts([0, 0], [0, 0], data="generated") == []
    (note,) = doubts([5, 5], [0, 0], data="generated")
    assert note.startswith("note: this model has read generated reviews alone")
