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
from sentiment_rnn.studies.kit.verdicts import Verdict, judged, most, within

TaskScores = Mapping[str, Mapping[str, BySeed]]
"""From 0 to 1, by task, arm and seed; the task is `ALL` where there is one alone."""
ALL = ""


class ScorePair(NamedTuple):
    """Two arms on a task."""

    first: str
    second: str
    task: str = ALL

    def run(self, scores: TaskScores) -> bool:
        """Whether both arms were run."""
        arms = scores.get(self.task, {})
        return self.first in arms and self.second in arms

    def better(self, scores: TaskScores, margin: float) -> tuple[int, int]:
        """In how many seeds the first is better than the second by more than a margin, and of how many."""
        first, second = self.of(scores)
        return beyond((first[seed] - second[seed] for seed in first), margin), len(first)

    def difference(self, scores: TaskScores) -> Interval:
        """Of the means, first - second."""
        first, second = self.of(scores)
        return accuracy_difference(list(first.values()), list(second.values()))

    def of(self, scores: TaskScores) -> tuple[BySeed, BySeed]:
        """The scores of both arms."""
        return scores[self.task][self.first], scores[self.task][self.second]


def beyond(differences: Iterable[float], margin: float) -> int:
    """How many differences are more than a margin; rounded, so that 0.88 - 0.87 is not more than 0.01."""
    return sum(round(difference, 6) > margin for difference in differences)


class ScoreClaim(NamedTuple):
    """That the first arm of each pair is better than the second by more than a margin, or that both are as good.

    Each pair is a part.
    """

    number: int
    """In the protocol."""
    text: str
    pairs: tuple[ScorePair, ...]
    margin: float
    equal: bool = False
    """Both are to be as good, within the margin."""


Adjusted = Mapping[tuple[int, ScorePair], float]
"""Adjusted p values of the tests, by the number of their claim."""


def adjusted_tests(claims: Iterable[ScoreClaim], scores: TaskScores) -> Adjusted:
    """Sign tests of all pairs that are to be tested, adjusted by Holm's method; the p of one that was not run is 1."""
    return holm({
        (claim.number, pair): sign_p(*pair.better(scores, claim.margin)) if pair.run(scores) else 1.0
        for claim in claims if not claim.equal for pair in claim.pairs
    })  # fmt: skip


def verdicts_on(claims: Iterable[ScoreClaim], adjusted: Adjusted, scores: TaskScores, styles: Styles) -> list[Verdict]:
    """The verdict on each claim of which a pair was run, with the numbers behind it."""
    return [
        verdict_on(claim, adjusted, scores, styles)
        for claim in claims if any(pair.run(scores) for pair in claim.pairs)
    ]  # fmt: skip


def verdict_on(claim: ScoreClaim, adjusted: Adjusted, scores: TaskScores, styles: Styles) -> Verdict:
    """See `verdicts_on`; a pair that was not run leaves its part open."""
    parts: list[bool | None] = []
    evidence = []
    for pair in claim.pairs:
        if not pair.run(scores):
            parts.append(None)
            evidence.append(f"{pair.task.capitalize()} was not run with all seeds.")
            continue
        difference = pair.difference(scores)
        one, other = (
            f"{mean_score(of_arm)} with {styles[arm].label}"
            for arm, of_arm in zip((pair.first, pair.second), pair.of(scores), strict=True)
        )
        on = f"On {pair.task} " if pair.task else ""
        evidence.append(f"{on}{one}, and {other}: {points(difference)} points.")
        if claim.equal:
            parts.append(within(difference, claim.margin))
            continue
        better, of = pair.better(scores, claim.margin)
        p = adjusted[claim.number, pair]
        parts.append(most(better, of, p))
        evidence.append(
            f"The first is better by more than {in_points(claim.margin)} in {counted(better, of)} seeds; "
            f"sign test against half of them, adjusted p = {p:.2g}."
        )
    return Verdict(claim.text, judged(*parts), " ".join(evidence))


def in_points(margin: float) -> str:
    """`1 point`, `10 points`."""
    return f"{100 * margin:g} point" + ("s" if margin > 0.01 else "")


def mean_score(by_seed: BySeed) -> str:
    """`88.1 % (87.6 to 88.5)`, the mean over seeds with its interval."""
    return percent(accuracy_interval(list(by_seed.values())))


def comparison_tables(
    claims: Iterable[ScoreClaim], adjusted: Adjusted, scores: TaskScores, styles: Styles
) -> list[Table]:
    """Of every pair that was run: the difference of the means, and in how many seeds it is more than the margin.

    Nothing where none was.
    """
    pairs = [(claim, pair) for claim in claims for pair in claim.pairs if pair.run(scores)]
    several = any(pair.task for _, pair in pairs)
    rows = [
        (
            str(claim.number), *([pair.task] if several else []), styles[pair.first].label, styles[pair.second].label,
            points(pair.difference(scores)), counted(*pair.better(scores, claim.margin)),
            "" if claim.equal else f"{adjusted[claim.number, pair]:.2g}",
        )
        for claim, pair in pairs
    ]  # fmt: skip
    margins = " or ".join(dict.fromkeys(in_points(claim.margin) for claim, _ in pairs))
    title = (
        "Comparisons: difference of the means [points] with Welch's 95 % interval; seeds in which the first is better "
        f"by more than {margins}, with the exact interval; and the sign test's p, adjusted by Holm's method"
    )
    columns = ("claim", *(["task"] if several else []), "encoder", "against", "difference", "better", "p")
    return [Table(title, columns, rows)] if rows else []
