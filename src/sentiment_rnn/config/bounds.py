"""Values out of bounds, each refused in one line: what was given and what was expected.

A section's keys are checked together. `prefix` is where they stand, `data.` say. One that is null is not given.
"""

import math
from typing import NoReturn

from sentiment_rnn.errors import UserError


def refuse(name: str, given: object, expected: str) -> NoReturn:
    """Raise the one line for a value out of bounds."""
    raise UserError(f"{name}={given}: expected {expected}")


def at_least(section: object, prefix: str, **bounds: float) -> None:
    """Refuse a number below its bound, or infinity."""
    for key, bound in bounds.items():
        given = getattr(section, key)
        if given is not None and not bound <= given < math.inf:
            refuse(prefix + key, given, f"a number of at least {bound}")


def positive(section: object, prefix: str, *keys: str) -> None:
    """Refuse 0, a number below it, or infinity."""
    for key in keys:
        given = getattr(section, key)
        if given is not None and not 0 < given < math.inf:
            refuse(prefix + key, given, "a number above 0")


def one_of(section: object, prefix: str, **choices: tuple[str, ...]) -> None:
    """Refuse a word that is not among its choices."""
    for key, known in choices.items():
        given = getattr(section, key)
        if given is not None and given not in known:
            refuse(prefix + key, given, f"one of {', '.join(known)}")


def fraction(section: object, prefix: str, *keys: str) -> None:
    """Refuse a number outside (0, 1)."""
    for key in keys:
        given = getattr(section, key)
        if not 0 < given < 1:
            refuse(prefix + key, given, "a fraction between 0 and 1, e.g. 0.1")


def probability(section: object, prefix: str, *keys: str) -> None:
    """Refuse a number outside [0, 1)."""
    for key in keys:
        given = getattr(section, key)
        if given is not None and not 0 <= given < 1:
            refuse(prefix + key, given, "a probability of at least 0 and below 1")
