"""A text has the same ids in training and prediction; a model's file names no function but a tokenizer."""

import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentiment_rnn import data
from sentiment_rnn.config.loading import source_of
from sentiment_rnn.config.sections import DataConfig
from sentiment_rnn.data.corpus import load_corpus
from sentiment_rnn.data.tokenizer import (
    PADDING,
    TORCHTEXT,
    UNKNOWN,
    UNKNOWN_ID,
    Tokenizer,
    build_vocabulary,
    check_splitter,
    load_vocabulary,
    save_vocabulary,
    splitter,
    splitter_version,
)
from sentiment_rnn.errors import UserError

LAW = settings(deadline=None)
WORDS = st.lists(st.sampled_from("abcdefgh"), max_size=30)
# Any text, and texts with what a file format would trip over.
TEXTS = st.text() | st.text(alphabet="#\"'\\%,;:<>/\t é\u00a0\u2028\u0085\ufeff😀İß漢")


def build_tokenizer(documents: list[list[str]], name: str = "basic_english") -> Tokenizer:
    """With every token of the documents in its vocabulary."""
    return Tokenizer(name, build_vocabulary(documents, size=1000, minimum_frequency=1))


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
    assert splitter("basic_english")(text) == tokens


def test_a_text_with_the_word_of_padding_has_an_unknown_word_there() -> None:
    assert build_tokenizer([["good"]]).encode("good <pad> <unk>").tolist() == [2, 1, 1]


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
@given(st.lists(TEXTS.map(splitter("basic_english")), max_size=6))
def test_a_saved_vocabulary_is_the_same_when_loaded(documents: list[list[str]]) -> None:
    vocabulary = build_vocabulary(documents, size=1000, minimum_frequency=1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vocabulary.txt"
        save_vocabulary(vocabulary, path)
        loaded = load_vocabulary(path)
        lines = path.read_text(encoding="utf-8").split("\n")
    assert loaded.itos == vocabulary.itos == lines[:-1], "a line for each id"
    before, after = (Tokenizer("basic_english", entries) for entries in (vocabulary, loaded))
    assert all(np.array_equal(after.ids(tokens), before.ids(tokens)) for tokens in documents)
    assert after.ids(["a word that no document has"]).tolist() == [UNKNOWN_ID]


@pytest.mark.parametrize("token", ["\n", "a\nb", "a\r", "\r\n"])
def test_a_token_with_a_line_break_is_in_no_vocabulary(token: str) -> None:
    assert build_vocabulary([[token, "a"]], size=10, minimum_frequency=1).itos == [PADDING, UNKNOWN, "a"]


# A tokenizer: a way of splitting, and a vocabulary


@LAW
@given(WORDS, WORDS)
def test_a_token_comes_back_as_itself_where_it_is_known_and_as_unknown_elsewhere(
    known: list[str], words: list[str]
) -> None:
    decoded = build_tokenizer([known]).decode(build_tokenizer([known]).encode(" ".join(words)))
    assert decoded == [word if word in known else UNKNOWN for word in words]


@pytest.fixture
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's module with two ways of splitting a text; nobody has imported it yet."""
    path = tmp_path / "my_splitters.py"
    path.write_text(
        "from sentiment_rnn.data.tokenizer import tokenizer\n\n\n"
        "@tokenizer\ndef characters(text: str) -> list[str]:\n    return list(text)\n\n\n"
        "@tokenizer\ndef lines(text: str) -> list[str]:\n    return text.splitlines(keepends=True)\n\n\nLIMIT = 3\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, path.stem, raising=False)
    return path


def test_a_function_of_ones_own_splits_a_corpus_into_tokens_or_ids(
    own_module: Path, generated_config: Callable[..., DataConfig]
) -> None:
    config = generated_config(tokenizer="my_splitters.characters")
    source = source_of(config)
    corpus = load_corpus(source, config)
    assert corpus.splits["test"].lengths.tolist() == [len(review.text) for review in source.read()["test"]]
    assert corpus.digest == load_corpus(source, generated_config()).digest, "the same reviews, in a cache of their own"
    own_module.write_text(own_module.read_text().replace("list(text)", "list(map(ord, text))"))
    sys.modules.pop("my_splitters")
    assert build_tokenizer([["97", "98"]], "my_splitters.characters").encode("abc").tolist() == [2, 3, 1]


def test_the_version_of_a_splitter_changes_with_the_function_and_with_the_module_that_has_it(own_module: Path) -> None:
    def versions() -> list[str]:
        return [splitter_version(name) for name in ("basic_english", "my_splitters.characters", "my_splitters.lines")]

    before = versions()
    assert len(set(before)) == 3
    assert versions() == before
    own_module.write_text(own_module.read_text().replace("list(text)", "list(text.lower())"))
    after = versions()
    assert after[0] == before[0]
    assert not set(after[1:]) & set(before)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("basic_englisch", "cannot be imported .* expected basic_english, moses, .* or a function"),
        ("", "cannot be imported"),
        ("nowhere.split", "cannot be imported"),
        ("my_splitters.word", "cannot be imported"),
        ("my_splitters.LIMIT", "not marked as a tokenizer; expected a function from a text to a list of tokens"),
        ("os.system", "not marked as a tokenizer"),
    ],
)
def test_a_name_of_no_function_is_refused_in_one_line(own_module: Path, name: str, said: str) -> None:
    with pytest.raises(UserError, match=f"^data.tokenizer={name}: {said}") as refused:
        splitter(name)
    assert "\n" not in str(refused.value)


def test_a_models_file_may_name_a_tokenizer_that_its_user_has_imported_or_that_is_of_this_package(
    own_module: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_splitter("basic_english")
    for name in ("builtins.eval", "os.system", "subprocess.getoutput"):
        with pytest.raises(UserError, match="not marked as a tokenizer"):
            check_splitter(name)
    with pytest.raises(UserError, match=r"my_splitters.characters is of another package; import my_splitters first"):
        check_splitter("my_splitters.characters")
    assert "my_splitters" not in sys.modules
    splitter("my_splitters.characters")
    check_splitter("my_splitters.characters")
    check_splitter("my_splitters:characters")
    monkeypatch.setattr(data, "__path__", [*data.__path__, str(own_module.parent)])
    check_splitter("sentiment_rnn.data.my_splitters.characters")
    monkeypatch.delitem(sys.modules, "sentiment_rnn.data.my_splitters")
    with pytest.raises(UserError, match="is not in this version of sentiment_rnn"):
        check_splitter("sentiment_rnn.data.nowhere.characters")


@pytest.mark.parametrize("name", TORCHTEXT)
def test_a_tokenizer_of_torchtext_splits_a_text_or_says_what_is_missing(name: str) -> None:
    try:
        tokens = splitter(name)("Good film")
    except UserError as error:
        assert str(error).startswith(f"data.tokenizer={name}: torchtext cannot load it")  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert "film" in "".join(tokens).lower()
