"""Verdicts: whether intervals decide the parts of a claim, and what follows for the claim.

A part of a claim is True, False, or None where it is open. An interval decides it where all of it is on one side of a
threshold (`above`, `below`, `within`). Some protocols decide their parts by tests instead.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from sentiment_rnn.report.p_values import LEVEL
from sentiment_rnn.report.statistics import Interval

HOLDS, IN_PART, FAILS, UNDECIDED = "holds", "holds in part", "does not hold", "inconclusive"


@dataclass(frozen=True)
class Verdict:
    """A claim, and whether the numbers support it."""

    claim: str
    verdict: str
    """`holds`, `holds in part`, `does not hold` or `inconclusive`."""
    evidence: str
    """The number behind it, with its interval; empty where nothing of it has been run."""


def above(interval: Interval, threshold: float) -> bool | None:
    """Whether the value is above a threshold; None where the interval does not decide."""
    if interval.known and interval.low > threshold:
        return True
    if interval.known and (interval.high < threshold or interval.low == interval.high):
        return False
    return None


def below(interval: Interval, threshold: float) -> bool | None:
    """Whether the value is below a threshold; None where the interval does not decide."""
    return above(Interval(-interval.estimate, -interval.high, -interval.low), -threshold)


def within(difference: Interval, margin: float) -> bool | None:
    """Whether a difference lies within ± a margin; None where its interval does not decide."""
    if difference.known and difference.low > -margin and difference.high < margin:
        return True
    return False if difference.low > margin or difference.high < -margin else None


def most(count: int, of: int, p: float) -> bool | None:
    """Whether a count is more than half; None where its test against half does not decide, by its adjusted `p`."""
    return 2 * count > of if p <= LEVEL else None


def every(parts: Iterable[bool | None]) -> bool | None:
    """Whether all of them are true: one that is false decides, one that is open leaves it open. None of no parts."""
    known = list(parts)
    if False in known:
        return False
    return True if known and None not in known else None


def undecided(verdicts: Iterable[Verdict], missing: int) -> list[Verdict]:
    """The verdicts; none is decided where each arm lacks so many of its planned seeds, but 0."""
    if not missing:
        return list(verdicts)
    more = f"Of each arm {missing} more seed{'s are' if missing > 1 else ' is'} planned."
    return [replace(found, verdict=UNDECIDED, evidence=f"{found.evidence} {more}") for found in verdicts]


def judged(*parts: bool | None) -> str:
    """The verdict on a claim of these parts.

    It holds where every part is true, in part where any is, and not where every part is false. Where no part is true
    and one is open, the data do not decide.
    """
    if every(parts):
        return HOLDS
    if True in parts:
        return IN_PART
    return UNDECIDED if None in parts or not parts else FAILS
