"""What the person at the keyboard can mend, said in one line."""

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


def unknown_key(key: str, known: Sequence[str]) -> str:
    """The one line for a key that is not declared; `key` may be a dotted path, `known` are its siblings."""
    return f"{key}: no such key; {did_you_mean(key.rpartition('.')[2], known, 'known keys: ')}"


def did_you_mean(word: str, known: Iterable[str], otherwise: str) -> str:
    """A question for the known word that is close, else all of them behind `otherwise`."""
    known = list(known)
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else otherwise + ", ".join(known)
