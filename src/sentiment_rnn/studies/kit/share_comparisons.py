"""Two arms compared by how many of their seeds learn: Fisher's exact test, corrected for all comparisons of a protocol.

A comparison at a distance that has not been run counts among them from the first, so that later ones change no verdict.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sentiment_rnn.report.p_values import holm, share_p
from sentiment_rnn.report.shares import counted, share_difference
from sentiment_rnn.report.statistics import points
from sentiment_rnn.report.tables import Table
from sentiment_rnn.studies.kit.encoder_groups import Styles
from sentiment_rnn.studies.kit.learnt_shares import seeds_above, was_run
from sentiment_rnn.studies.kit.memory_spans import Scores

LEVEL = 0.05
"""Of the tests, all together."""


class Comparison(NamedTuple):
    """That one arm learns a distance more often than another."""

    claim: int
    """Its number in the protocol."""
    first: str
    second: str
    distance: int


Adjusted = Mapping[Comparison, float]
"""Adjusted p values of the comparisons that have been run."""


def compare_shares(wanted: Iterable[Comparison], scores: Scores) -> Adjusted:
    """Fisher's p values of those that have been run, adjusted by Holm's method for all that are wanted."""
    run = {
        one: was_run(scores, one.first, one.distance) and was_run(scores, one.second, one.distance) for one in wanted
    }
    adjusted = holm({one: share_p(*counts(one, scores)) if run[one] else 1.0 for one in sorted(run)})
    return {one: p for one, p in adjusted.items() if run[one]}


def counts(comparison: Comparison, scores: Scores) -> tuple[int, int, int, int]:
    """Seeds that learn, and of how many, of the first arm and of the second."""
    first, second = (seeds_above(scores[arm][comparison.distance]) for arm in (comparison.first, comparison.second))
    return *first, *second


def direction(comparison: Comparison, scores: Scores, p: float) -> bool | None:
    """Whether the first arm learns more often; None where the test does not decide."""
    first, of_first, second, of_second = counts(comparison, scores)
    return None if p > LEVEL else first / of_first > second / of_second


def parts_of(adjusted: Adjusted, scores: Scores, claim: int, parts: int) -> list[bool | None]:
    """What each comparison of a claim says; None for those of its parts that have not been run."""
    found = [direction(one, scores, p) for one, p in adjusted.items() if one.claim == claim]
    return [*found, *[None] * (parts - len(found))]


def equivalent(scores: Scores, first: str, second: str, distance: int, margin: float) -> bool | None:
    """Whether two arms learn a distance about as often: the interval of the difference lies within ± the margin.

    None where the interval does not decide, or the distance was not run.
    """
    if not (was_run(scores, first, distance) and was_run(scores, second, distance)):
        return None
    found = share_difference(*seeds_above(scores[first][distance]), *seeds_above(scores[second][distance]))
    if found.low > -margin and found.high < margin:
        return True
    return False if found.low > margin or found.high < -margin else None


def comparison_tables(adjusted: Adjusted, scores: Scores, styles: Styles) -> list[Table]:
    """Every comparison that was run with its difference in share and its adjusted p value; nothing where none was."""
    rows = [
        (
            str(one.claim), styles[one.first].label, styles[one.second].label, str(one.distance),
            points(share_difference(*counts(one, scores))), f"{p:.2g}",
        )
        for one, p in adjusted.items()
    ]  # fmt: skip
    title = (
        "Comparisons: difference in the share of seeds that learn [points], and Fisher's p adjusted by Holm's method"
    )
    return [Table(title, ("claim", "encoder", "against", "tokens", "difference", "p"), rows)] if rows else []


def comparison_text(adjusted: Adjusted, claim: int, scores: Scores, styles: Styles) -> str:
    """`At 100 tokens 18/20 (…) seeds of LSTM learn, and 3/20 (…) of RNN (p = 0.001).`, for each of a claim."""
    found = []
    for one, p in adjusted.items():
        if one.claim == claim:
            first, of_first, second, of_second = counts(one, scores)
            found.append(
                f"At {one.distance} tokens {counted(first, of_first)} seeds of {styles[one.first].label} learn, and "
                f"{counted(second, of_second)} of {styles[one.second].label} (p = {p:.2g})."
            )
    return " ".join(found)
