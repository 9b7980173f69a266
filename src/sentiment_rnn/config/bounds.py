"""Values out of bounds, each refused in one line: what was given and what was expected.

A section's keys are checked together. `prefix` is where they stand, `data.` say. A key that is null is not checked.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from sentiment_rnn.errors import UserError


def refuse(name: str, given: object, expected: str) -> NoReturn:
    """Raise the one line for a value out of bounds."""
    raise UserError(f"{name}={as_given(given)}: expected {expected}")


def as_given(value: object) -> str:
    """A value as the command line has it."""
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def at_least(section: object, prefix: str, **bounds: float) -> None:
    """Refuse a number below its bound, or infinity."""
    for key, least in bounds.items():

        def fits(given: float, least: float = least) -> bool:
            return least <= given < math.inf

        _refuse_unless(section, prefix, [key], fits, f"a number of at least {least}")


def positive(section: object, prefix: str, *keys: str) -> None:
    """Refuse 0, a number below it, or infinity."""
    _refuse_unless(section, prefix, keys, lambda given: 0 < given < math.inf, "a number above 0")


def one_of(section: object, prefix: str, **choices: tuple[str, ...]) -> None:
    """Refuse a word that is not among its choices."""
    for key, known in choices.items():
        _refuse_unless(section, prefix, [key], known.__contains__, f"one of {', '.join(known)}")


def fraction(section: object, prefix: str, *keys: str) -> None:
    """Refuse a number outside (0, 1)."""
    _refuse_unless(section, prefix, keys, lambda given: 0 < given < 1, "a fraction between 0 and 1, e.g. 0.1")


def probability(section: object, prefix: str, *keys: str) -> None:
    """Refuse a number outside [0, 1)."""
    _refuse_unless(section, prefix, keys, lambda given: 0 <= given < 1, "a probability of at least 0 and below 1")


def _refuse_unless(
    section: object, prefix: str, keys: Iterable[str], fits: Callable[[Any], bool], expected: str
) -> None:
    for key in keys:
        given = getattr(section, key)
        if given is not None and not fits(given):
            refuse(prefix + key, given, expected)
