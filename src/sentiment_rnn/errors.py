"""Errors that the person at the keyboard can mend, said in one line."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn


class UserError(Exception):
    """An error that the person at the keyboard can mend. Its message is the one line they see; control characters,
    which a file of a stranger may contain, are escaped."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


def printable(text: str) -> str:
    """The text with control characters as escapes: a terminal would obey them."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def refuse(key: str, value: object, expected: str) -> NoReturn:
    """Raise a `UserError` for a value that no run can use."""
    raise UserError(f"{key}={as_given(value)}: expected {expected}")


def as_given(value: object) -> str:
    """A value as it is written on the command line."""
    words = {None: "null", True: "true", False: "false", "": "''"}
    return words[value] if isinstance(value, bool | str | None) and value in words else str(value)


def unknown_key(key: str, known: Iterable[str], sections: Mapping[str, Any] | None = None) -> str:
    """The one line for a key that is not declared.

    Args:
        key: may be a dotted path.
        known: its siblings.
        sections: sections by name, one of which may have the key; other values are ignored.
    """
    word = key.rpartition(".")[2]
    nested = {name: keys for name, keys in (sections or {}).items() if isinstance(keys, Mapping)}
    places = [f"{section}.{word}" for section, keys in nested.items() if word in keys]
    meant = f"did you mean {' or '.join(places)}?" if places else did_you_mean(word, known, "known keys: ")
    return f"{key}: no such key; {meant}"


def did_you_mean(word: str, known: Iterable[str], otherwise: str) -> str:
    """ "did you mean …?" with the closest known word; if none is close, all known words after `otherwise`."""
    known = list(known)
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else otherwise + ", ".join(known)
