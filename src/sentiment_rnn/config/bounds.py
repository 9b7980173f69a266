"""Values out of bounds, each refused in one line: what was given and what was expected."""

from sentiment_rnn.errors import UserError


def refuse(name: str, given: object, expected: str) -> None:
    """Raise the one line for a value out of bounds."""
    raise UserError(f"{name}={given}: expected {expected}")


def at_least(name: str, given: float, bound: float) -> None:
    """Refuse a number below `bound`."""
    if not given >= bound:
        refuse(name, given, f"a number of at least {bound}")


def one_of(name: str, given: str, choices: tuple[str, ...]) -> None:
    """Refuse a word that is not among `choices`."""
    if given not in choices:
        refuse(name, given, f"one of {', '.join(choices)}")


def fraction(name: str, given: float) -> None:
    """Refuse a number outside (0, 1)."""
    if not 0 < given < 1:
        refuse(name, given, "a fraction between 0 and 1, e.g. 0.1")


def probability(name: str, given: float) -> None:
    """Refuse a number outside [0, 1)."""
    if not 0 <= given < 1:
        refuse(name, given, "a probability of at least 0 and below 1")
