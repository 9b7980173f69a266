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


def test_a_word_outside_the_vocabulary_is_unknown() -> None:
    tokenizer = build_tokenizer([["a"]])
    assert tokenizer.ids(["never", "a", ""]).tolist() == [1, 2, 1]
    assert tokenizer.encode("a never A").tolist() == [2, 1, 2]
    assert len(tokenizer) == 3  # what is unknown does not enter the vocabulary


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
    assert loaded.itos == vocabulary.itos
    before, after = (Tokenizer("basic_english", entries) for entries in (vocabulary, loaded))
    assert all(np.array_equal(after.ids(tokens), before.ids(tokens)) for tokens in documents)
    assert after.ids(["a word that no document has"]).tolist() == [UNKNOWN_ID]


def test_the_line_number_in_the_saved_file_is_the_id(tmp_path: Path) -> None:
    vocabulary = build_vocabulary([["#tag", "é", "é", '"']], size=10, minimum_frequency=1)
    save_vocabulary(vocabulary, tmp_path / "vocabulary.txt")
    lines = (tmp_path / "vocabulary.txt").read_text(encoding="utf-8").splitlines()
    assert lines == [PADDING, UNKNOWN, "é", '"', "#tag"]


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


def test_a_function_of_ones_own_may_give_ids(own_module: Path) -> None:
    own_module.write_text(own_module.read_text().replace("list(text)", "list(map(ord, text))"))
    tokenizer = build_tokenizer([["97", "98"]], "my_splitters.characters")
    assert tokenizer.encode("abc").tolist() == [2, 3, 1]


def test_the_version_of_a_splitter_changes_with_the_function_and_with_the_module_that_has_it(own_module: Path) -> None:
    def versions() -> list[str]:
        return [splitter_version(name) for name in ("basic_english", "my_splitters.characters", "my_splitters.lines")]

    before = versions()
    assert len(set(before)) == 3
    assert versions() == before
    own_module.write_text(own_module.read_text().replace("list(text)", "list(lowered(text))"))
    own_module.write_text("from my_letters import lowered\n" + own_module.read_text())
    helper = own_module.with_name("my_letters.py")
    helper.write_text("def lowered(text): return text.lower()\n")
    after = versions()
    assert after[0] == before[0]
    assert not set(after[1:]) & set(before)
    helper.write_text("def lowered(text): return text.casefold()\n")
    assert not set(versions()[1:]) & set(after), "what the module imports counts too"


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


@pytest.mark.parametrize("name", TORCHTEXT)
def test_a_tokenizer_of_torchtext_splits_a_text_or_says_what_is_missing(name: str) -> None:
    try:
        tokens = splitter(name)("Good film")
    except UserError as error:
        assert str(error).startswith(f"data.tokenizer={name}: torchtext cannot load it")  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert "film" in "".join(tokens).lower()


def test_checking_the_tokenizer_of_a_file_imports_nothing(own_module: Path) -> None:
    with pytest.raises(UserError, match=r"my_splitters.characters is of another package; import my_splitters first"):
        check_splitter("my_splitters.characters")
    assert "my_splitters" not in sys.modules
    splitter("my_splitters.characters")
    check_splitter("my_splitters.characters")
    check_splitter("my_splitters:characters")
    check_splitter("basic_english")


def test_a_file_may_name_a_tokenizer_of_this_package_that_nobody_has_imported(
    own_module: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "__path__", [*data.__path__, str(own_module.parent)])
    check_splitter("sentiment_rnn.data.my_splitters.characters")
    monkeypatch.delitem(sys.modules, "sentiment_rnn.data.my_splitters")
    with pytest.raises(UserError, match="not marked as a tokenizer"):
        check_splitter("sentiment_rnn.data.my_splitters.LIMIT")
    with pytest.raises(UserError, match="is not in this version of sentiment_rnn"):
        check_splitter("sentiment_rnn.data.nowhere.characters")


@pytest.mark.parametrize("name", ["builtins.eval", "os.system", "subprocess.getoutput"])
def test_a_function_that_runs_what_it_reads_is_no_tokenizer_of_a_file(name: str) -> None:
    with pytest.raises(UserError, match=f"^data.tokenizer={name}: not marked as a tokenizer"):
        check_splitter(name)


def test_a_corpus_is_split_by_a_function_of_ones_own(
    own_module: Path, generated_config: Callable[..., DataConfig]
) -> None:
    config = generated_config(tokenizer="my_splitters.characters")
    source = source_of(config)
    corpus = load_corpus(source, config)
    assert corpus.tokenizer.name == "my_splitters.characters"
    for split, reviews in source.read().items():
        bounds = corpus.splits[split].offsets
        assert corpus.splits[split].lengths.tolist() == [len(review.text) for review in reviews]
        first = corpus.splits[split].tokens[bounds[0] : bounds[1]]
        assert "".join(corpus.tokenizer.decode(first)) == reviews[0].text
    by_words = load_corpus(source, generated_config())
    assert by_words.digest == corpus.digest  # the same reviews, in a cache of their own
    assert len(by_words.tokenizer) != len(corpus.tokenizer)
