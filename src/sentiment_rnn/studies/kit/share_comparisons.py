"""Claims about two arms, compared by how many of their seeds learn.

That one learns more often is judged by Fisher's exact test, corrected for all comparisons of a protocol. One at a
distance that has not been run counts among them from the first. Later ones can decide a part that was open, and undo
none that was decided. That both learn as often is judged by whether the interval of the difference is narrow.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from sentiment_rnn.report.p_values import holm, share_p
from sentiment_rnn.report.shares import counted, share_difference
from sentiment_rnn.report.statistics import Interval, points
from sentiment_rnn.report.tables import Table
from sentiment_rnn.studies.kit.encoder_groups import Styles
from sentiment_rnn.studies.kit.learnt_shares import NOT_RUN, seeds_above, was_run
from sentiment_rnn.studies.kit.memory_spans import Scores
from sentiment_rnn.studies.kit.verdicts import Verdict, judged

LEVEL = 0.05
"""Of the tests, all together."""


class Pair(NamedTuple):
    """Two arms at a distance."""

    first: str
    second: str
    distance: int


class Claim(NamedTuple):
    """That the first arm of each pair learns more often than the second, or that both learn as often."""

    number: int
    """In the protocol."""
    text: str
    pairs: tuple[Pair, ...]
    margin: float | None = None
    """Largest difference of two shares that counts as none; None where none does."""
    equal: bool = False
    """Both are to learn as often, within the margin. Else the first is to learn more often: that is false where both
    learn as often."""

    def judge(self, pair: Pair, p: float | None, scores: Scores) -> bool | None:
        """Whether it is true of a pair that has been run; `p` is that of the test, adjusted."""
        first, of_first, second, of_second = counts(pair, scores)
        difference = share_difference(first, of_first, second, of_second)
        alike = None if self.margin is None else within(difference, self.margin)
        if p is None:
            return alike
        if p <= LEVEL:
            return first / of_first > second / of_second
        return False if alike else None


Adjusted = Mapping[tuple[int, Pair], float]
"""Adjusted p values of the tests that have been run, by the number of their claim."""


def adjusted_tests(claims: Iterable[Claim], scores: Scores) -> Adjusted:
    """Fisher's p values of the pairs that have been run, adjusted by Holm's method for all that are to be tested."""
    wanted = [(claim.number, pair) for claim in claims if not claim.equal for pair in claim.pairs]
    adjusted = holm({one: share_p(*counts(one[1], scores)) if pair_was_run(one[1], scores) else 1.0 for one in wanted})
    return {one: p for one, p in adjusted.items() if pair_was_run(one[1], scores)}


def pair_was_run(pair: Pair, scores: Scores) -> bool:
    """Whether both arms were run at the distance."""
    return was_run(scores, pair.first, pair.distance) and was_run(scores, pair.second, pair.distance)


def counts(pair: Pair, scores: Scores) -> tuple[int, int, int, int]:
    """Seeds that learn, and of how many, of the first arm and of the second."""
    first, second = (seeds_above(scores[arm][pair.distance]) for arm in (pair.first, pair.second))
    return *first, *second


def within(difference: Interval, margin: float) -> bool | None:
    """Whether a difference lies within ± a margin; None where its interval does not decide."""
    if difference.low > -margin and difference.high < margin:
        return True
    return False if difference.low > margin or difference.high < -margin else None


def verdict_on(
    claim: Claim, adjusted: Adjusted, scores: Scores, styles: Styles, undecidable: Collection[int] = ()
) -> Verdict:
    """The verdict, with the counts behind it; `NOT_RUN` is the evidence where no pair has been run.

    Args:
        undecidable: distances at which no part can be decided.
    """
    parts: list[bool | None] = []
    evidence: list[str] = []
    for pair in claim.pairs:
        part: bool | None = None
        if pair_was_run(pair, scores):
            p = adjusted.get((claim.number, pair))
            open_part = pair.distance in undecidable
            part = None if open_part else claim.judge(pair, p, scores)
            evidence.append(_counted(pair, p, scores, styles) + ("; not to be decided there." if open_part else "."))
        parts.append(part)
    return Verdict(claim.text, judged(*parts), " ".join(evidence) or NOT_RUN)


def _counted(pair: Pair, p: float | None, scores: Scores, styles: Styles) -> str:
    first, of_first, second, of_second = counts(pair, scores)
    difference = points(share_difference(first, of_first, second, of_second))
    return (
        f"At {pair.distance} tokens {counted(first, of_first)} seeds of {styles[pair.first].label} learn, and "
        f"{counted(second, of_second)} of {styles[pair.second].label}: {difference} points"
        + ("" if p is None else f", adjusted p = {p:.2g}")
    )


def comparison_tables(adjusted: Adjusted, scores: Scores, styles: Styles) -> list[Table]:
    """Every test that was run with its difference in share and its adjusted p value; nothing where none was."""
    rows = [
        (
            str(claim), styles[pair.first].label, styles[pair.second].label, str(pair.distance),
            points(share_difference(*counts(pair, scores))), f"{p:.2g}",
        )
        for (claim, pair), p in adjusted.items()
    ]  # fmt: skip
    title = (
        "Comparisons: difference in the share of seeds that learn [points], and Fisher's p adjusted by Holm's method"
    )
    return [Table(title, ("claim", "encoder", "against", "tokens", "difference", "p"), rows)] if rows else []
