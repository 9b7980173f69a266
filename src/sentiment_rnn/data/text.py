"""Tokens and the vocabulary: torchtext's `basic_english` and `build_vocab_from_iterator`."""

import warnings
from collections.abc import Iterable
from pathlib import Path

with warnings.catch_warnings():
    # torchtext says at import that no release will follow; pyproject.toml pins the last one for that reason.
    warnings.simplefilter("ignore")
    from torchtext.data.utils import get_tokenizer
    from torchtext.vocab import Vocab, build_vocab_from_iterator, vocab

from collections import OrderedDict

TOKENIZER = "basic_english"
PADDING, UNKNOWN = "<pad>", "<unk>"
PADDING_ID, UNKNOWN_ID = 0, 1

tokenize = get_tokenizer(TOKENIZER)
"""Text → lower-case tokens, punctuation apart: `"Hot, today!"` → `["hot", ",", "today", "!"]`."""


def whole(text: str) -> str:
    """The text without halves of characters: lone surrogates, which no encoding has, become U+FFFD."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def build_vocabulary(documents: Iterable[list[str]], size: int, minimum_frequency: int) -> Vocab:
    """The `size` most frequent tokens (ties by alphabet), `<pad>` = 0, `<unk>` = 1 and the default of all others."""
    vocabulary = build_vocab_from_iterator(
        documents, min_freq=minimum_frequency, specials=[PADDING, UNKNOWN], max_tokens=size
    )
    vocabulary.set_default_index(UNKNOWN_ID)
    return vocabulary


def save_vocabulary(vocabulary: Vocab, path: Path) -> None:
    """Write a token a line, the line number being the id."""
    path.write_text("\n".join(vocabulary.get_itos()) + "\n", encoding="utf-8")


def load_vocabulary(path: Path) -> Vocab:
    """Read what `save_vocabulary` wrote."""
    tokens = path.read_text(encoding="utf-8").split("\n")[:-1]
    loaded = vocab(OrderedDict.fromkeys(tokens, 1))
    loaded.set_default_index(UNKNOWN_ID)
    return loaded
