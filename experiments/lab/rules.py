"""Rules that judge a claim.

| rule | a part of the claim is true if |
| --- | --- |
| `most_learn`, `most_fail` | the exact interval of the share of seeds that succeed is above, below one half |
| `learns_more` | Fisher's exact test, corrected for the protocol, says that the first arm succeeds more often |
| `learns_as_often` | the interval of the difference of two shares is within the margin (equivalence) |
| `better` | in most seeds the first arm is better by more than the margin (sign test, corrected for the protocol) |
| `as_good` | the interval of the difference of two means is within the margin (equivalence) |

Each arm, or pair of arms, at each condition is a part. A claim holds if every part is true, and holds in part if any
part is true. It does not hold if every part is false. Otherwise the data do not decide: it is inconclusive. Holm's
correction counts every comparison from the start: one that was not run has p = 1, and so has one whose claim was
dropped later (`Protocol.family`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Any, NamedTuple

import pandas as pd

from experiments.lab.results import BySeed, values_of
from experiments.lab.statistics import LEVEL, clopper_pearson, fisher_p, holm, points, share_difference, sign_p
from experiments.lab.study import Claim, Protocol, Study
from sentiment_rnn.errors import UserError
from sentiment_rnn.report.statistics import Interval, accuracy_difference, accuracy_interval, percent

HOLDS, IN_PART, FAILS, UNDECIDED = "holds", "holds in part", "does not hold", "inconclusive"
LEARNS = 0.9
"""A seed succeeds if its score is above this."""
MOST = 0.5
"""More than this share of seeds are most seeds."""
TESTED = ("learns_more", "better")
"""Rules that are statistical tests, which are corrected together."""
NOT_RUN, NO_SEED = "not run", "no seed"
"""Text in place of a number: for an arm that lacks planned seeds, and for an arm without a seed that succeeds at all of
`Protocol.among`."""


class Numbers(NamedTuple):
    """The numbers of one part of a claim, as tables show them; empty if the part has none."""

    condition: str
    """The condition, such as the lag."""
    arm: str = ""
    number: str = NOT_RUN
    """The arm's number of successful seeds or its mean, with the interval, or its accuracies from worst to best."""
    against: str = ""
    """The arm compared."""
    other: str = ""
    """Number of the arm compared."""
    difference: str = ""
    """Difference of the two numbers [points]."""
    margin: str = ""
    """Largest difference that counts as equal [points]."""
    ahead: str = ""
    """Seeds in which the first arm is better by more than the margin."""
    p: str = ""
    over_seeds: str = ""
    """p value of a test over seeds, if the interval is over something else; not adjusted."""


class Verdict(NamedTuple):
    """Verdict on a claim, and its numbers."""

    verdict: str
    """`holds`, `holds in part`, `does not hold` or `inconclusive`."""
    rows: tuple[Numbers, ...]
    """Numbers of each part of the claim; empty where no part was run."""


class Part(NamedTuple):
    """One or two arms at a condition."""

    first: str
    second: str
    condition: str


class Comparison(NamedTuple):
    """Comparison of two arms at a condition."""

    difference: Interval
    """Difference of the shares of seeds that succeed, or of the means."""
    better: tuple[int, int] | None
    """Number of seeds in which the first arm is better by more than the margin, and number of all; None for rules
    that do not test that."""
    p: float | None
    """p value of the claim's test, not adjusted; None if the rule is no test."""


@dataclass(frozen=True)
class Evidence:
    """Results by which the claims of a protocol are judged."""

    study: Study
    protocol: Protocol
    table: pd.DataFrame
    """Rows of the protocol, and of the protocols that it reads."""
    scores: Mapping[tuple[str, str], BySeed]
    """Scores by arm and condition, of the planned seeds that were run; with `Protocol.among` only of seeds that succeed
    there."""
    every: Mapping[tuple[str, str], BySeed]
    """Scores by arm and condition, of all planned seeds that were run."""
    validation: Mapping[tuple[str, str], float]
    """Best validation accuracy, the median over seeds."""

    @property
    def arms(self) -> list[str]:
        """Arms of the protocol's sweeps and claims that were run, in the study's order."""
        named = {arm for sweep in self.protocol.sweeps for arm in sweep.arms}
        named |= {
            arm for claim in self.protocol.claims for pair in claim.pairs for arm in pair[:2] if isinstance(arm, str)
        }
        run = {arm for arm, _ in self.every}
        return [arm for arm in self.study.arms if arm in named & run]

    @property
    def conditions(self) -> list[str]:
        """The conditions that were run, in the order of the protocol."""
        compared = [sweep for sweep in self.protocol.sweeps if sweep.compared]
        planned = [at for sweep in compared for at in (sweep.tested or (sweep.condition,))]
        return [at for at in dict.fromkeys(planned) if any(at == run for _, run in self.every)]

    @cached_property
    def learning_times(self) -> tuple[Mapping[tuple[str, str], BySeed], ...]:
        """By arm and condition: training steps until a run learned or ended, and whether it learned."""
        return tuple(values_of(self.table, name, "validation") for name in ("steps", "learned"))

    def steps_of(self, arm: str, condition: str) -> tuple[list[int], list[int]]:
        """Training steps of an arm's seeds: until they reached `LEARNS` on validation, and of the others until they
        ended."""
        steps, learned = (of.get((arm, condition), {}) for of in self.learning_times)
        seeds = [seed for seed in steps if seed in self.scores.get((arm, condition), {})]
        return [int(steps[s]) for s in seeds if learned[s]], [int(steps[s]) for s in seeds if not learned[s]]

    def label(self, arm: str) -> str:
        """Name of an arm in tables."""
        return self.study.arms[arm].label

    def whole(self, arm: str, condition: str) -> BySeed | None:
        """The scores of an arm at a condition; None unless it was run there with all planned seeds."""
        found = self.scores.get((arm, condition))
        planned = [
            self.study.protocols[name].seeds(arm, condition)
            for name in (self.protocol.name, *reversed(self.protocol.reads))  # in `evidence_of` the last one counts
        ]
        every = next(filter(None, planned), frozenset())
        return found if found and every <= self.every[arm, condition].keys() else None

    def learn(self, arm: str, condition: str) -> tuple[int, int]:
        """Number of an arm's seeds that succeed at a condition, and number of all."""
        scores = self.scores[arm, condition].values()
        return sum(score > LEARNS for score in scores), len(scores)

    def share(self, arm: str, condition: str) -> Interval:
        """The share of seeds that succeed, with its exact interval."""
        return clopper_pearson(*self.learn(arm, condition))

    def shares_by_lag(self, arm: str) -> dict[int, Interval]:
        """The share of seeds of an arm that succeed, by lag."""
        lags = [at for at in self.conditions if (arm, at) in self.scores]
        return {int(at): self.share(arm, at) for at in sorted(lags, key=int)}

    def most_learn(self, arm: str, condition: str) -> bool | None:
        """Whether most seeds of an arm succeed; None if the interval does not decide or seeds are missing."""
        return None if self.whole(arm, condition) is None else above(self.share(arm, condition), MOST)


def evidence_of(study: Study, protocol: Protocol, table: pd.DataFrame) -> Evidence:
    """Evidence for the claims of a protocol, from the rows of its study."""
    scores: dict[tuple[str, str], BySeed] = {}
    best: dict[tuple[str, str], BySeed] = {}
    for one in (study.protocols[name] for name in (*protocol.reads, protocol.name)):
        rows = table[table.protocol == one.name]
        for found, values in ((scores, _scores(study, rows)), (best, values_of(rows, "best_accuracy", "validation"))):
            # What the protocol itself plans is judged only by its own runs.
            planned = _planned(one, values).items()
            found |= {at: value for at, value in planned if one is protocol or not protocol.seeds(*at)}
    rows = table[table.protocol.isin([*protocol.reads, protocol.name])]
    learners = _of_learners(scores, protocol.among) if protocol.among else scores
    validation = {at: median(by_seed.values()) for at, by_seed in best.items()}
    return Evidence(study, protocol, rows, learners, scores, validation)


def _planned(protocol: Protocol, found: Mapping[tuple[str, str], BySeed]) -> dict[tuple[str, str], BySeed]:
    """Values of the seeds that a protocol planned."""
    seeds = {at: sorted(by_seed.keys() & protocol.seeds(*at)) for at, by_seed in found.items()}
    return {at: {seed: found[at][seed] for seed in planned} for at, planned in seeds.items() if planned}


def _scores(study: Study, rows: pd.DataFrame) -> dict[tuple[str, str], BySeed]:
    if study.score != "kept":
        return values_of(rows, study.score)
    baseline = values_of(rows, "baseline")
    return {
        at: {seed: kept(loss, baseline[at][seed]) for seed, loss in losses.items()}
        for at, losses in values_of(rows, "loss").items()
    }


def kept(loss: float, baseline: float) -> float:
    """Share of the information or variance that the answers explain: 1 - loss / baseline, but at least 0.

    For symbols, it is a lower bound of the information on them in the states (Barber & Agakov 2003). For sums, it is
    the explained share of their variance.
    """
    return max(1 - loss / baseline, 0.0)  # in this order NaN stays


def _of_learners(scores: Mapping[tuple[str, str], BySeed], among: Sequence[str]) -> dict[tuple[str, str], BySeed]:
    found = {}
    for (arm, condition), by_seed in scores.items():
        learn = {seed: score for seed, score in by_seed.items() if all(scores[arm, at][seed] > LEARNS for at in among)}
        if learn:
            found[arm, condition] = learn
    return found


def verdicts_of(evidence: Evidence) -> dict[str, Verdict]:
    """The verdict on each claim of which a part was run, by the claim's id; without claims that the study's own code
    judges."""
    adjusted = adjusted_p(evidence)
    ruled = {
        claim.id: verdict_on(claim, evidence, adjusted) for claim in evidence.protocol.claims if claim.rule != "own"
    }
    return {claim: verdict for claim, verdict in ruled.items() if verdict.rows}


def verdict_on(claim: Claim, evidence: Evidence, adjusted: Mapping[tuple[str, Part], float]) -> Verdict:
    """The verdict on one claim, with the numbers behind it."""
    if claim.arms:
        parts = [_one_arm(claim, evidence, _arm(given, evidence, at), at) for at in claim.at for given in claim.arms]
    else:
        parts = [_two_arms(claim, evidence, part, adjusted) for part in parts_of(claim, evidence)]
    rows = tuple(dict.fromkeys(row for _, row in parts))
    run = any(row.number != NOT_RUN for row in rows)
    return Verdict(judged(*(true for true, _ in parts)), rows if run else ())


def _one_arm(claim: Claim, evidence: Evidence, arm: str, at: str) -> tuple[bool | None, Numbers]:
    if evidence.whole(arm, at) is None:
        return None, _open(evidence, at, arm)._replace(arm=evidence.label(arm))
    decided = above if claim.rule == "most_learn" else below
    return decided(evidence.share(arm, at), MOST), Numbers(at, evidence.label(arm), tally(*evidence.learn(arm, at)))


def _two_arms(
    claim: Claim, evidence: Evidence, part: Part, adjusted: Mapping[tuple[str, Part], float]
) -> tuple[bool | None, Numbers]:
    found, p, at = compared(claim, evidence, part), adjusted.get((claim.id, part)), part.condition
    if found is None:
        return None, _open(evidence, at, part.first, part.second)
    learns = claim.rule.startswith("learns")
    one, other = (
        (
            evidence.label(arm),
            tally(*evidence.learn(arm, at)) if learns else worst_to_best(evidence.scores[arm, at]),
        )
        for arm in (part.first, part.second)
    )
    true, said = None if claim.margin is None else within(found.difference, claim.margin), []
    if p is not None:
        said.append(f"{p:.2g}")
        if found.better:
            true = most(*found.better, p)
        else:  # a difference within the margin counts as equal
            true = found.difference.estimate > 0 if p <= LEVEL else False if true else None
    if claim.only_where and not evidence.most_learn(claim.only_where, at):
        true = None
        said.append("not to be decided")
    margin = "" if claim.margin is None else f"{100 * claim.margin:g}"
    ahead = tally(*found.better) if found.better else ""
    return true, Numbers(at, *one, *other, points(found.difference), margin, ahead, ", ".join(said))


def _open(evidence: Evidence, condition: str, *arms: str) -> Numbers:
    """An undecided part: `not run`, or the arms were run but have no seed that succeeds at `Protocol.among`."""
    at = [(arm, condition) for arm in arms]
    none = [evidence.label(one[0]) for one in at if one in evidence.every and one not in evidence.scores]
    return Numbers(condition, *(cell for label in none for cell in (label, NO_SEED)))


def adjusted_p(evidence: Evidence) -> dict[tuple[str, Part], float]:
    """p values of all tests of a protocol, adjusted for their number by Holm's method."""
    tests = {}
    for claim in evidence.protocol.claims:
        for part in parts_of(claim, evidence) if claim.rule in TESTED else ():
            found = compared(claim, evidence, part)
            tests[claim.id, part] = 1.0 if found is None or found.p is None else found.p
    dropped = range(len(tests), evidence.protocol.family)
    return holm(tests | {("dropped", Part("", "", str(one))): 1.0 for one in dropped})


def compared(claim: Claim, evidence: Evidence, part: Part) -> Comparison | None:
    """Comparison of a claim's part; None unless both arms were run with all planned seeds."""
    first, second = evidence.whole(part.first, part.condition), evidence.whole(part.second, part.condition)
    if first is None or second is None:
        return None
    if claim.rule.startswith("learns"):
        counts = *evidence.learn(part.first, part.condition), *evidence.learn(part.second, part.condition)
        return Comparison(share_difference(*counts), None, fisher_p(*counts) if claim.rule in TESTED else None)
    better = better_in(first, second, claim.margin or 0.0) if claim.rule in TESTED else None
    difference = accuracy_difference(list(first.values()), list(second.values()))
    return Comparison(difference, better, sign_p(*better) if better else None)


def better_in(first: BySeed, second: BySeed, margin: float) -> tuple[int, int]:
    """Number of seeds in which the first arm is better than the second by more than a margin, and number of all.

    Raises:
        UserError: the arms have different seeds, so there are no pairs.
    """
    if first.keys() != second.keys():
        raise UserError("a claim with rule=better compares arms with other seeds; give both arms the same seeds")
    return beyond((first[seed] - second[seed] for seed in first), margin), len(first)


def beyond(differences: Iterable[float], margin: float) -> int:
    """Number of differences above a margin, after rounding, so that 0.88 - 0.87 is not above 0.01."""
    return sum(round(difference, 6) > margin for difference in differences)


def parts_of(claim: Claim, evidence: Evidence) -> list[Part]:
    """The parts of a claim, with its selectors resolved."""
    return [
        Part(_arm(first, evidence, at), _arm(second, evidence, at), at)
        for first, second, *own in claim.pairs for at in (map(str, own) if own else claim.at)
    ]  # fmt: skip


def _arm(given: Any, evidence: Evidence, condition: str) -> str:
    """The arm of this name, or of a selector the arm with the best median on validation; ties go to the first. An arm
    that lacks planned seeds is selected before all others, so that nothing is judged without it."""
    if isinstance(given, str):
        return given
    arms = given["best_on_validation"]
    missing = [arm for arm in arms if evidence.whole(arm, condition) is None]
    return str(missing[0] if missing else max(arms, key=lambda arm: evidence.validation[arm, condition]))


def above(interval: Interval, threshold: float) -> bool | None:
    """Whether the value is above a threshold; None if the interval does not decide."""
    if interval.known and interval.low > threshold:
        return True
    if interval.known and (interval.high < threshold or interval.low == interval.high):
        return False
    return None


def below(interval: Interval, threshold: float) -> bool | None:
    """Whether the value is below a threshold; None if the interval does not decide."""
    return above(Interval(-interval.estimate, -interval.high, -interval.low), -threshold)


def within(difference: Interval, margin: float) -> bool | None:
    """Whether a difference is within ± a margin; None if its interval does not decide."""
    if difference.known and difference.low > -margin and difference.high < margin:
        return True
    return False if difference.low > margin or difference.high < -margin else None


def most(count: int, of: int, p: float) -> bool | None:
    """Whether a count is more than half; None if the test against one half, with adjusted `p`, does not decide."""
    return 2 * count > of if p <= LEVEL else None


def all_true(parts: Iterable[bool | None]) -> bool | None:
    """Whether all parts are true: False if one is false, else None if one is undecided. None if there are no parts."""
    known = list(parts)
    if False in known:
        return False
    return True if known and None not in known else None


def judged(*parts: bool | None) -> str:
    """The verdict on a claim with these parts."""
    if all_true(parts):
        return HOLDS
    if True in parts:
        return IN_PART
    return UNDECIDED if None in parts or not parts else FAILS


def tally(successes: int, total: int) -> str:
    """`18/20 (68–99)`: number of successes, number of seeds, and the exact interval [%]."""
    _, low, high = clopper_pearson(successes, total)
    return f"{successes}/{total} ({100 * low:.0f}–{100 * high:.0f})"


def worst_to_best(by_seed: BySeed) -> str:
    """`54.6–84.6`, over seeds [%]: means mislead where seeds scatter."""
    return f"{100 * min(by_seed.values()):.1f}–{100 * max(by_seed.values()):.1f}"


def mean_score(by_seed: BySeed) -> str:
    """`88.1 (87.6–88.5)`, the mean over seeds with its interval [%]."""
    return percent(accuracy_interval(list(by_seed.values())), unit="")
