"""Claims about two arms, compared by how many of their seeds learn.

That one learns more often is judged by Fisher's exact test, corrected for all comparisons of a protocol. One at a
distance that has not been run counts among them from the first. Later ones can decide a part that was open, and undo
none that was decided. That both learn as often is judged by whether the interval of the difference is narrow.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from sentiment_rnn.report.p_values import LEVEL, holm, share_p
from sentiment_rnn.report.shares import counted, share_difference
from sentiment_rnn.report.statistics import Interval, points
from sentiment_rnn.report.tables import Table
from sentiment_rnn.studies.kit.encoder_groups import Styles
from sentiment_rnn.studies.kit.learnt_shares import seeds_above, was_run
from sentiment_rnn.studies.kit.scores import Scores
from sentiment_rnn.studies.kit.verdicts import Verdict, judged, within

EQUIVALENT = 0.4
"""Largest difference of two shares that counts as none, in every protocol that has one."""


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

    def judge(self, counts: "Counts", p: float | None) -> bool | None:
        """Whether it is true of a pair with these counts; `p` is that of the test, adjusted, None for no test."""
        alike = None if self.margin is None else within(counts.difference, self.margin)
        if p is None:
            return alike
        if p <= LEVEL:
            return counts.first / counts.of_first > counts.second / counts.of_second
        return False if alike else None


class Counts(NamedTuple):
    """Seeds that learn, and of how many, of the first arm of a pair and of the second."""

    first: int
    of_first: int
    second: int
    of_second: int

    @property
    def difference(self) -> Interval:
        """Difference of the two shares."""
        return share_difference(*self)


def counts_of(pair: Pair, scores: Scores) -> Counts | None:
    """What a pair comes to; None where it has not been run."""
    if not all(was_run(scores, arm, pair.distance) for arm in (pair.first, pair.second)):
        return None
    first, second = (seeds_above(scores[arm][pair.distance]) for arm in (pair.first, pair.second))
    return Counts(*first, *second)


Adjusted = Mapping[tuple[int, Pair], float]
"""Adjusted p values of the tests that have been run, by the number of their claim."""


def adjusted_tests(claims: Iterable[Claim], scores: Scores) -> Adjusted:
    """Fisher's p values of the pairs that have been run, adjusted by Holm's method for all that are to be tested."""
    tests = {
        (claim.number, pair): counts_of(pair, scores)
        for claim in claims if not claim.equal for pair in claim.pairs
    }  # fmt: skip
    adjusted = holm({test: 1.0 if counts is None else share_p(*counts) for test, counts in tests.items()})
    return {test: p for test, p in adjusted.items() if tests[test] is not None}


def verdict_on(
    claim: Claim,
    adjusted: Adjusted,
    scores: Scores,
    styles: Styles,
    undecidable: Collection[int] = (),
    verb: str = "learn",
) -> Verdict:
    """The verdict, with the counts behind it; no evidence where no pair has been run.

    Args:
        undecidable: distances at which no part can be decided.
        verb: what seeds do that are counted.
    """
    run = {pair: counts for pair in claim.pairs if (counts := counts_of(pair, scores))}
    p_of = {pair: adjusted.get((claim.number, pair)) for pair in run}
    parts = (
        claim.judge(run[pair], p_of[pair]) if pair in run and pair.distance not in undecidable else None
        for pair in claim.pairs
    )  # fmt: skip
    evidence = [
        pair_text(pair, counts, p_of[pair], styles, verb)
        + ("; not to be decided there." if pair.distance in undecidable else ".")
        for pair, counts in run.items()
    ]
    if run and claim.margin is not None:
        evidence.append(f"Up to {100 * claim.margin:g} points count as no difference.")
    if run:
        evidence += not_run_texts(claim, run, scores)
    return Verdict(claim.text, judged(*parts), " ".join(evidence))


def pair_text(pair: Pair, counts: Counts, p: float | None, styles: Styles, verb: str) -> str:
    """`At 50 tokens 20/20 (83 to 100 %) seeds of GRU learn, and 15/20 …: +25.0 … points, adjusted p = 0.09`."""
    tested = "" if p is None else f", adjusted p = {p:.2g}"
    return (
        f"At {pair.distance} tokens {counted(counts.first, counts.of_first)} seeds of {styles[pair.first].label} "
        f"{verb}, and {counted(counts.second, counts.of_second)} of {styles[pair.second].label}: "
        f"{points(counts.difference)} points{tested}"
    )


def not_run_texts(claim: Claim, run: Collection[Pair], scores: Scores) -> list[str]:
    """What is missing of a claim of which some pairs have been run."""
    missing = [pair for pair in claim.pairs if pair not in run]
    there, begun = {pair.distance for pair in run}, {distance for of_arm in scores.values() for distance in of_arm}
    left = dict.fromkeys(pair.distance for pair in missing if pair.distance not in there)
    not_begun = " and ".join(str(distance) for distance in left if distance not in begun)
    return [
        *(f"{pair.first} against {pair.second} was not run at {pair.distance} tokens."
          for pair in missing if pair.distance in there),
        *(f"At {distance} tokens not every arm that this is about was run." for distance in left if distance in begun),
        *([f"{not_begun} tokens were not run."] if not_begun else []),
    ]  # fmt: skip


def verdicts_on(
    claims: Iterable[Claim],
    adjusted: Adjusted,
    scores: Scores,
    styles: Styles,
    undecidable: Collection[int] = (),
    verb: str = "learn",
) -> list[Verdict]:
    """The verdict on each claim; see `verdict_on`."""
    return [verdict_on(claim, adjusted, scores, styles, undecidable, verb) for claim in claims]


def comparison_tables(adjusted: Adjusted, scores: Scores, styles: Styles, verb: str = "learn") -> list[Table]:
    """Every test that was run with its difference in share and its adjusted p value; nothing where none was."""
    rows = [
        (
            str(claim), styles[pair.first].label, styles[pair.second].label, str(pair.distance),
            points(counts.difference), f"{p:.2g}",
        )
        for (claim, pair), p in adjusted.items() if (counts := counts_of(pair, scores)) is not None
    ]  # fmt: skip
    title = (
        f"Comparisons: difference in the share of seeds that {verb} [points], and Fisher's p adjusted by Holm's method"
    )
    return [Table(title, ("claim", "encoder", "against", "tokens", "difference", "p"), rows)] if rows else []
