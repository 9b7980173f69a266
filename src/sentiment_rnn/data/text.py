"""Tokens and the vocabulary: torchtext's `basic_english` and `Vocab`."""

from collections import Counter
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from torchtext.data.utils import get_tokenizer
from torchtext.vocab import Vocab

TOKENIZER = "basic_english"
PADDING, UNKNOWN = "<pad>", "<unk>"
PADDING_ID, UNKNOWN_ID = 0, 1

tokenize = get_tokenizer(TOKENIZER)
"""Text → lower-case tokens, punctuation apart: `"Hot, today!"` → `["hot", ",", "today", "!"]`."""


def whole(text: str) -> str:
    """The text without halves of characters: lone surrogates, which no encoding has, become U+FFFD."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def build_vocabulary(documents: Iterable[list[str]], size: int, minimum_frequency: int) -> Vocab:
    """The most frequent tokens, ties in alphabetical order, after `<pad>` = 0 and `<unk>` = 1.

    Args:
        documents: the tokens of each text.
        size: entries at most, `<pad>` and `<unk>` included.
        minimum_frequency: rarer tokens are left out.
    """
    specials = [PADDING, UNKNOWN]
    counts = Counter(chain.from_iterable(documents))
    return Vocab(counts, max_size=size - len(specials), min_freq=minimum_frequency, specials=specials)


def encode(vocabulary: Vocab, tokens: Iterable[str]) -> list[int]:
    """The id of each token, `UNKNOWN_ID` for one that the vocabulary does not have."""
    ids = vocabulary.stoi  # a defaultdict: indexed, it would insert what it does not know
    return [ids.get(token, UNKNOWN_ID) for token in tokens]


def save_vocabulary(vocabulary: Vocab, path: Path) -> None:
    """Write one token per line; the line number is the id."""
    path.write_text("\n".join(vocabulary.itos) + "\n", encoding="utf-8")


def load_vocabulary(path: Path) -> Vocab:
    """Read what `save_vocabulary` wrote."""
    tokens = path.read_text(encoding="utf-8").split("\n")[:-1]
    # Vocab sorts by count, so counts that fall keep the order of the lines.
    return Vocab(Counter({token: len(tokens) - line for line, token in enumerate(tokens)}), specials=[])
