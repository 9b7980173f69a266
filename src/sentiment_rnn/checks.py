"""Values out of bounds and unknown keys, each refused in one line: what was given and what was expected."""

import difflib
from collections.abc import Sequence


class UserError(Exception):
    """Something the person at the keyboard can mend; its message is the one line they see."""


def refuse(name: str, given: object, expected: str) -> None:
    """Raise the one line for a value out of bounds."""
    raise UserError(f"{name}={given}: expected {expected}")


def unknown_key(key: str, known: Sequence[str]) -> str:
    """The one line for a key that is not declared; `key` may be a dotted path, `known` are its siblings."""
    close = difflib.get_close_matches(key.rpartition(".")[2], known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known keys: {', '.join(known)}"
    return f"{key}: no such key; {hint}"


def at_least(name: str, given: float, bound: float) -> None:
    """Refuse a number below `bound`."""
    if not given >= bound:
        refuse(name, given, f"a number of at least {bound}")


def one_of(name: str, given: str, choices: tuple[str, ...]) -> None:
    """Refuse a word that is not among `choices`."""
    if given not in choices:
        refuse(name, given, f"one of {', '.join(choices)}")


def probability(name: str, given: float) -> None:
    """Refuse a number outside [0, 1)."""
    if not 0 <= given < 1:
        refuse(name, given, "a probability of at least 0 and below 1")
