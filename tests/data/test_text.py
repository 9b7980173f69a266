"""The tokenizer and the vocabulary."""

import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentiment_rnn.data.text import (
    PADDING,
    PADDING_ID,
    UNKNOWN,
    UNKNOWN_ID,
    build_vocabulary,
    encode,
    load_vocabulary,
    save_vocabulary,
    tokenize,
)

LAW = settings(deadline=None)
WORDS = st.lists(st.sampled_from("abcdefgh"), max_size=30)
# Any text, and texts with what a file format would trip over.
TEXTS = st.text() | st.text(alphabet="#\"'\\%,;:<>/\t é\u00a0\u2028\u0085\ufeff😀İß漢")


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Hot, today!", ["hot", ",", "today", "!"]),
        ("It's  GOOD.", ["it", "'", "s", "good", "."]),
        ("one<br /><br />two", ["one", "two"]),
        ('the "best" film; (really?)', ["the", "best", "film", "(", "really", "?", ")"]),
        ("Amélie №1 #oscars", ["amélie", "№1", "#oscars"]),
        ("  \n\t ", []),
    ],
)
def test_the_tokenizer_lowers_case_and_parts_punctuation(text: str, tokens: list[str]) -> None:
    assert tokenize(text) == tokens


def test_padding_is_zero_and_unknown_is_one() -> None:
    vocabulary = build_vocabulary([["b", "b", "a"]], size=10, minimum_frequency=1)
    assert (PADDING_ID, UNKNOWN_ID) == (0, 1)
    assert vocabulary[PADDING] == 0
    assert vocabulary[UNKNOWN] == 1
    assert encode(vocabulary, ["b", "a"]) == [2, 3]


def test_a_word_outside_the_vocabulary_is_unknown() -> None:
    vocabulary = build_vocabulary([["a"]], size=10, minimum_frequency=1)
    assert encode(vocabulary, ["never", "a", ""]) == [1, 2, 1]


def test_frequent_words_come_first_and_ties_by_alphabet() -> None:
    vocabulary = build_vocabulary([["z", "c", "b"], ["c", "z", "a"]], size=10, minimum_frequency=1)
    assert vocabulary.itos == [PADDING, UNKNOWN, "c", "z", "a", "b"]


@LAW
@given(st.lists(WORDS, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_documents_does_not_change_the_vocabulary(documents: list[list[str]], random: object) -> None:
    shuffled = list(documents)
    random.shuffle(shuffled)
    build = [build_vocabulary(order, size=8, minimum_frequency=1).itos for order in (documents, shuffled)]
    assert build[0] == build[1]


@LAW
@given(st.lists(WORDS, max_size=8), st.integers(3, 12), st.integers(1, 4))
def test_the_vocabulary_keeps_the_most_frequent_words_that_are_frequent_enough(
    documents: list[list[str]], size: int, minimum_frequency: int
) -> None:
    vocabulary = build_vocabulary(documents, size, minimum_frequency)
    counts = Counter(word for document in documents for word in document)
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    expected = [word for word in ranked[: size - 2] if counts[word] >= minimum_frequency]
    assert vocabulary.itos == [PADDING, UNKNOWN, *expected]
    assert len(vocabulary) <= size


@LAW
@given(st.lists(TEXTS.map(tokenize), max_size=6))
def test_a_saved_vocabulary_is_the_same_when_loaded(documents: list[list[str]]) -> None:
    vocabulary = build_vocabulary(documents, size=1000, minimum_frequency=1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vocabulary.txt"
        save_vocabulary(vocabulary, path)
        loaded = load_vocabulary(path)
    assert loaded.itos == vocabulary.itos
    assert all(encode(loaded, tokens) == encode(vocabulary, tokens) for tokens in documents)
    assert encode(loaded, ["a word that no document has"]) == [UNKNOWN_ID]


def test_the_line_number_in_the_saved_file_is_the_id(tmp_path: Path) -> None:
    vocabulary = build_vocabulary([["#tag", "é", "é", '"']], size=10, minimum_frequency=1)
    save_vocabulary(vocabulary, tmp_path / "vocabulary.txt")
    lines = (tmp_path / "vocabulary.txt").read_text(encoding="utf-8").splitlines()
    assert lines == [PADDING, UNKNOWN, "é", '"', "#tag"]
