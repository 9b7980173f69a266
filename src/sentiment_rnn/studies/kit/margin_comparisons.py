"""Claims about two arms, compared by the score of each of their seeds.

That one is better is judged by the exact sign test: it has to be better by more than a margin in most seeds. The test
is corrected for all comparisons of a protocol, and one that has not been run counts among them from the first. That
both are as good is judged by whether the interval of the difference of their means lies within the margin.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sentiment_rnn.report.p_values import holm, sign_p
from sentiment_rnn.report.shares import counted
from sentiment_rnn.report.statistics import (
    BySeed,
    Interval,
    accuracy_difference,
    accuracy_interval,
    percent,
    points,
)
from sentiment_rnn.report.tables import Table
from sentiment_rnn.studies.kit.encoder_groups import Styles
from sentiment_rnn.studies.kit.share_comparisons import LEVEL
from sentiment_rnn.studies.kit.verdicts import Verdict, judged, within

WORDS = {0.01: "one point", 0.1: "ten points"}
"""Margins, as texts name them."""

Scores = Mapping[str, Mapping[str, BySeed]]
"""From 0 to 1, by what is compared (one task of several; `ALL` where there is one), arm and seed."""
ALL = ""


class Pair(NamedTuple):
    """Two arms."""

    first: str
    second: str
    on: str = ALL
    """What they are compared on."""

    def run(self, scores: Scores) -> bool:
        """Whether both arms were run."""
        arms = scores.get(self.on, {})
        return self.first in arms and self.second in arms

    def better(self, scores: Scores, margin: float) -> tuple[int, int]:
        """In how many seeds the first is better than the second by more than a margin, and of how many."""
        first, second = self.of(scores)
        # To the six digits of `results.csv`: 0.88 - 0.87 is more than 0.01 in binary.
        return sum(round(first[seed] - second[seed], 6) > margin for seed in first), len(first)

    def difference(self, scores: Scores) -> Interval:
        """Of the means, first - second."""
        first, second = self.of(scores)
        return accuracy_difference(list(first.values()), list(second.values()))

    def of(self, scores: Scores) -> tuple[BySeed, BySeed]:
        """The scores of both arms."""
        return scores[self.on][self.first], scores[self.on][self.second]


class Claim(NamedTuple):
    """That the first arm of each pair is better than the second by more than a margin, or that both are as good within
    it; each pair is a part."""

    number: int
    """In the protocol."""
    text: str
    pairs: tuple[Pair, ...]
    margin: float
    equal: bool = False


Adjusted = Mapping[tuple[int, Pair], float]
"""Adjusted p values of the tests, by the number of their claim."""


def adjusted_tests(claims: Iterable[Claim], scores: Scores) -> Adjusted:
    """Sign tests of all pairs that are to be tested, adjusted by Holm's method; the p of one that was not run is 1."""
    return holm({
        (claim.number, pair): sign_p(*pair.better(scores, claim.margin)) if pair.run(scores) else 1.0
        for claim in claims if not claim.equal for pair in claim.pairs
    })  # fmt: skip


def verdicts_on(
    claims: Iterable[Claim], scores: Scores, adjusted: Adjusted, styles: Styles, measured: str
) -> list[Verdict]:
    """The verdict on each claim of which a pair was run, with the numbers behind it.

    Args:
        measured: what the scores say of the arms, `Right are`.
    """
    return [
        verdict_on(claim, scores, adjusted, styles, measured)
        for claim in claims if any(pair.run(scores) for pair in claim.pairs)
    ]  # fmt: skip


def verdict_on(claim: Claim, scores: Scores, adjusted: Adjusted, styles: Styles, measured: str) -> Verdict:
    """See `verdicts_on`; a pair that was not run leaves its part open."""
    parts: list[bool | None] = []
    evidence = []
    for pair in claim.pairs:
        if not pair.run(scores):
            parts.append(None)
            continue
        difference = pair.difference(scores)
        one, other = (
            f"{styles[arm].label} {mean_score(of_arm)}"
            for arm, of_arm in zip((pair.first, pair.second), pair.of(scores), strict=True)
        )
        opening = f"{pair.on[0].upper()}{pair.on[1:]}: {measured.lower()}" if pair.on else measured
        evidence.append(f"{opening} {one} and {other}: {points(difference)} points.")
        if claim.equal:
            parts.append(within(difference, claim.margin))
            continue
        better, of = pair.better(scores, claim.margin)
        p = adjusted[claim.number, pair]
        parts.append(2 * better > of if p <= LEVEL else None)
        evidence.append(
            f"It is more than {WORDS[claim.margin]} better in {counted(better, of)} seeds; "
            f"sign test against half of them, adjusted p = {p:.2g}."
        )
    return Verdict(claim.text, judged(*parts), " ".join(evidence))


def mean_score(by_seed: BySeed) -> str:
    """`88.1 % (87.6 to 88.5)`, the mean over seeds with its interval."""
    return percent(accuracy_interval(list(by_seed.values())))


def comparison_table(
    claims: Iterable[Claim], scores: Scores, adjusted: Adjusted, styles: Styles, margin: float
) -> Table:
    """Of every pair that was run: the difference of the means, and in how many seeds it is more than the margin."""
    pairs = [(claim, pair) for claim in claims for pair in claim.pairs if pair.run(scores)]
    several = any(pair.on for _, pair in pairs)
    rows = [
        (
            str(claim.number), *([pair.on] if several else []), styles[pair.first].label, styles[pair.second].label,
            points(pair.difference(scores)), counted(*pair.better(scores, margin)),
            "" if claim.equal else f"{adjusted[claim.number, pair]:.2g}",
        )
        for claim, pair in pairs
    ]  # fmt: skip
    title = (
        "Comparisons: difference of the means [points] with Welch's 95 % interval; seeds in which the first is more "
        f"than {WORDS[margin]} better, with the exact interval; and the sign test's p, adjusted by Holm's method"
    )
    columns = ("claim", *(["on"] if several else []), "encoder", "against", "difference", "better", "p")
    return Table(title, columns, rows)
