"""Conversion of texts to token ids and back: torchtext's ways of splitting a text, and its vocabulary."""

from collections import Counter
from collections.abc import Callable, Iterable
from functools import cached_property
from itertools import chain
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import numpy as np
from torchtext.data.utils import get_tokenizer
from torchtext.vocab import Vocab

from sentiment_rnn.config.code import target_digest
from sentiment_rnn.config.components import named_by_file
from sentiment_rnn.errors import UserError

PADDING, UNKNOWN = "<pad>", "<unk>"
PADDING_ID, UNKNOWN_ID = 0, 1
SPECIALS = [PADDING, UNKNOWN]
MANY_UNKNOWN = 1 / 3
"""Share of unknown tokens from which on an answer is little more than a guess."""
TORCHTEXT = ("basic_english", "moses", "revtok", "spacy", "subword", "toktok")
"""Names that `get_tokenizer` knows. All but the first need a package of their own."""

Splitter = Callable[[str], list[str]]
"""A text's tokens, in their order."""


class Tokenizer:
    """A way to split texts into tokens, and a vocabulary of tokens with ids.

    >>> tokenizer.decode(tokenizer.encode("Hot, today!"))
    ['hot', ',', 'today', '!']

    Args:
        name: one of `TORCHTEXT`, or the import path of a function that is marked by `tokenizer`.
        vocabulary: `<pad>` first, then `<unk>`.
    """

    def __init__(self, name: str, vocabulary: Vocab) -> None:
        self.name = name
        self.vocabulary = vocabulary

    def __len__(self) -> int:
        return len(self.vocabulary)

    @cached_property
    def split(self) -> Splitter:
        """Text → tokens; loaded when it is first needed, since some need much memory."""
        return splitter(self.name)

    def encode(self, text: str) -> np.ndarray:
        """int32 [tokens], the ids of a text."""
        return self.ids(self.split(text))

    def ids(self, tokens: Iterable[str]) -> np.ndarray:
        """int32 [tokens], the id of each token; `UNKNOWN_ID` for one that the vocabulary does not have."""
        known = self.vocabulary.stoi  # a defaultdict: indexed, it would insert what it does not know
        # A text may have the word <pad>, whose id is that of padding.
        return np.array([known.get(token) or UNKNOWN_ID for token in tokens], dtype=np.int32)

    def decode(self, ids: Iterable[int]) -> list[str]:
        """The tokens of ids."""
        return [self.vocabulary.itos[index] for index in ids]


def tokenizer(function: Splitter) -> Splitter:
    """Mark a function from a text to its tokens as a tokenizer. A model's file cannot name an unmarked function."""
    function.is_tokenizer = True  # type: ignore[attr-defined]
    return function


def splitter(name: str) -> Splitter:
    """The function called `name` that splits a text.

    Raises:
        UserError: there is none, it is not marked by `tokenizer`, or it needs a package that is not installed.
    """
    if name in TORCHTEXT:
        try:
            return get_tokenizer(name)
        except (ImportError, AttributeError, OSError, LookupError) as error:
            reason = str(error).splitlines()[0]
            raise UserError(
                f"data.tokenizer={name}: torchtext cannot load it ({reason}); install what it needs"
            ) from error
    try:
        found = resolve_name(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(
            f"data.tokenizer={name}: cannot be imported ({error}); expected {', '.join(TORCHTEXT)}, or a function from "
            "a text to a list of tokens, such as my_package.characters"
        ) from error
    return _marked(found, name)


def _marked(function: Any, name: str) -> Splitter:
    if not callable(function) or not getattr(function, "is_tokenizer", False):
        raise UserError(
            f"data.tokenizer={name}: not marked as a tokenizer; expected a function from a text to a list of tokens, "
            "with @sentiment_rnn.data.tokenizer.tokenizer above it"
        )

    def split(text: str) -> list[str]:
        return list(map(str, function(text)))  # of ids too, which some libraries give

    return split


def splitter_version(name: str) -> str:
    """A name for a splitter's behaviour; a user's own splitter has a digest of its code in the name."""
    if name in TORCHTEXT:
        return name
    splitter(name)
    return f"{name} {target_digest(name)[:16]}"


def check_splitter(name: str) -> None:
    """Refuse a file's tokenizer that torchtext does not know and that is not marked as a tokenizer.

    Raises:
        UserError: the name is refused here, or by `named_by_file`.
    """
    if name in TORCHTEXT:
        return
    _marked(named_by_file("tokenizer", name, ("sentiment_rnn.data.",)), name)


def whole(text: str) -> str:
    """The text with U+FFFD in place of lone surrogates (halves of characters), which cannot be encoded."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def build_vocabulary(documents: Iterable[list[str]], size: int, minimum_frequency: int) -> Vocab:
    """The most frequent tokens, ties in alphabetical order, after `<pad>` = 0 and `<unk>` = 1.

    Args:
        documents: the tokens of each text.
        size: entries at most, `<pad>` and `<unk>` included.
        minimum_frequency: rarer tokens are left out, as are those with a line break in them.
    """
    counts = Counter(chain.from_iterable(documents))
    for token in [token for token in counts if "\n" in token or "\r" in token]:  # the file has one token per line
        del counts[token]
    return Vocab(counts, max_size=size - len(SPECIALS), min_freq=minimum_frequency, specials=SPECIALS)


def save_vocabulary(vocabulary: Vocab, path: Path) -> None:
    """Write one token per line; the line number is the id."""
    path.write_text("\n".join(vocabulary.itos) + "\n", encoding="utf-8")


def load_vocabulary(path: Path) -> Vocab:
    """Read a file that `save_vocabulary` wrote."""
    tokens = path.read_text(encoding="utf-8").split("\n")[:-1]
    # Vocab sorts by count, so decreasing counts keep the order of the lines.
    return Vocab(Counter({token: len(tokens) - line for line, token in enumerate(tokens)}), specials=[])
