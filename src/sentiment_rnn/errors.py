"""What the person at the keyboard can mend, said in one line."""

import difflib
from collections.abc import Sequence


class UserError(Exception):
    """Something the person at the keyboard can mend; its message is the one line they see."""


def unknown_key(key: str, known: Sequence[str]) -> str:
    """The one line for a key that is not declared; `key` may be a dotted path, `known` are its siblings."""
    close = difflib.get_close_matches(key.rpartition(".")[2], known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known keys: {', '.join(known)}"
    return f"{key}: no such key; {hint}"
