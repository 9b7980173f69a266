"""Errors that the person at the keyboard can mend, said in one line."""

import difflib
from collections.abc import Iterable, Sequence

from sentiment_rnn.masking import masked


class UserError(Exception):
    """Something the person at the keyboard can mend; its message is the one line they see, without secrets, and without
    what a stranger's file can say to a terminal."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(masked(message)))


def printable(text: str) -> str:
    """The text with control characters as escapes: a terminal would obey them."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


OTHER_NAMES = {"lr": "learning_rate"}
"""Keys by other names that people use for them."""


def unknown_key(key: str, known: Sequence[str], elsewhere: Sequence[str] = ()) -> str:
    """The one line for a key that is not declared.

    Args:
        key: may be a dotted path.
        known: its siblings.
        elsewhere: dotted paths of keys that it may be meant for, by their last word.
    """
    last = key.rpartition(".")[2]
    word = OTHER_NAMES.get(last, last)
    there = [path for path in elsewhere if path.rpartition(".")[2] == word]
    meant = f"did you mean {' or '.join(there)}?" if there else did_you_mean(word, known, "known keys: ")
    return f"{key}: no such key; {meant}"


def did_you_mean(word: str, known: Iterable[str], otherwise: str) -> str:
    """A question for the known word that is close, else all of them behind `otherwise`."""
    known = list(known)
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else otherwise + ", ".join(known)
