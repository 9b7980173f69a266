"""Tables of a protocol: seeds that succeed, training steps until they do, and means."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from experiments.lab.rules import (
    LEARNS,
    MOST,
    Evidence,
    above,
    mean_score,
    tally,
    worst_to_best,
)
from experiments.lab.statistics import gaffke_interval
from sentiment_rnn.report.statistics import Interval, percent
from sentiment_rnn.report.tables import Table

SPANNED = 3
"""A table has the span where it has as many lags: fewer say little of the longest."""
EXACT = "with exact 95 % intervals [%]"


def by_condition(
    evidence: Evidence, title: str, cell: Callable[[str, str], str], conditions: Sequence[str] = ()
) -> Table:
    """A row for each arm, a column for each condition; nothing where an arm was not run."""
    conditions = conditions or evidence.conditions
    rows = [
        (evidence.label(arm), *(cell(arm, one) if (arm, one) in evidence.scores else "" for one in conditions))
        for arm in evidence.arms
    ]
    return Table(title, ("arm", *conditions), rows)


def shares(evidence: Evidence) -> Table:
    """Seeds that succeed by condition; of three lags or more, the span that follows."""
    unfiltered = replace(evidence, scores=evidence.every)
    table = by_condition(unfiltered, f"{succeed(evidence)}, {EXACT}", lambda *one: tally(*unfiltered.learn(*one)))
    if len(unfiltered.conditions) < SPANNED or not evidence.study.unit:
        return table
    title = f"{table.title}; the span is the longest lag up to which the lower bound is above one half"
    rows = [(*row, longest) for row, (_, longest) in zip(table.rows, spans(evidence).rows, strict=True)]
    return Table(title, (*table.columns, "span"), rows)


def spans(evidence: Evidence) -> Table:
    """The span of each arm, for a page whose figure shows the shares: over the lags at which it was trained, where each
    training had one, and not those beside it."""
    unfiltered = replace(evidence, scores=evidence.every)
    shares_of = unfiltered.shares_by_lag if evidence.protocol.among else unfiltered.shares_where_trained
    rows = [(evidence.label(arm), str(span(shares_of(arm)))) for arm in unfiltered.arms]
    title = "Longest lag up to which the lower bound of the share that succeeds is above one half"
    return Table(title, ("arm", "lag [tokens]"), rows)


def counts(evidence: Evidence) -> Table:
    """Seeds that succeed by condition, without intervals: `shares` has them."""
    return by_condition(evidence, succeed(evidence), lambda *one: "{}/{}".format(*evidence.learn(*one)))


def succeed(evidence: Evidence) -> str:
    """Title of a table of seeds that succeed by condition."""
    return f"Seeds that succeed (above {100 * LEARNS:g} %)" + (", by lag [tokens]" if evidence.study.unit else "")


def span(shares: Mapping[int, Interval]) -> int:
    """The longest lag up to which most seeds succeed, by the lower bounds of their shares; 0 for none."""
    longest = 0
    for lag in sorted(shares):
        if not above(shares[lag], MOST):
            break
        longest = lag
    return longest


def within_steps(evidence: Evidence, arm: str, condition: str, steps: int) -> tuple[int, int]:
    """Number of seeds that have learned within so many steps, and number of all; a seed that ended before has not."""
    learned, ended = evidence.steps_of(arm, condition)
    return sum(one <= steps for one in learned), len(learned) + len(ended)


def steps(evidence: Evidence) -> Table:
    """Seeds that have learned within each number of steps, and the median of their steps."""
    rows = []
    for arm, one in itertools.product(evidence.arms, evidence.conditions):
        learned, ended = evidence.steps_of(arm, one)
        if not learned and not ended:
            continue
        cells = [tally(*within_steps(evidence, arm, one, number)) for number in evidence.protocol.steps]
        rows.append((evidence.label(arm), one, *cells, f"{np.median(learned):,.0f}" if learned else ""))
    title = (
        f"Seeds that reach {100 * LEARNS:g} % on validation within so many training steps, {EXACT}, and the median of "
        "their steps"
    )
    columns = (f"{number:,} steps" for number in evidence.protocol.steps)
    return Table(title, ("arm", "lag", *columns, "median"), rows)


def means(evidence: Evidence) -> Table:
    """Mean score by condition."""
    of = {"kept": "Kept [%] of the bits (copying) or of the variance (adding)"}.get(
        evidence.study.score, "Test accuracy [%]"
    )
    title = f"{of}, the mean over seeds with its 95 % t interval"
    return by_condition(evidence, title, lambda *one: mean_score(evidence.scores[one]))


def spread_over_seeds(evidence: Evidence) -> Table:
    """Score of each arm over its seeds."""
    rows = []
    for arm in evidence.arms:
        by_seed = evidence.scores[arm, ""]
        median = 100 * np.median(list(by_seed.values()))
        rows.append((evidence.label(arm), mean_score(by_seed), f"{median:.1f}", worst_to_best(by_seed)))
    title = "Test accuracy [%] over seeds: mean with 95 % t interval, median, worst to best"
    return Table(title, ("arm", "mean", "median", "seeds"), rows)


def carried(evidence: Evidence) -> Table:
    """Seeds of each arm that succeed at all lags of training, and how many of those do at each longer one."""
    among, scores = evidence.protocol.among, evidence.scores
    lags = [one for one in evidence.conditions if one not in among]
    rows = [
        (
            evidence.label(arm), tally(len(scores.get((arm, lags[0]), {})), len(evidence.every[arm, lags[0]])),
            *(tally(*evidence.learn(arm, one)) if (arm, one) in scores else "" for one in lags),
        )
        for arm in evidence.arms
    ]  # fmt: skip
    title = (
        f"Seeds that succeed at all lags of training ({among[0]} to {among[-1]} tokens), and how many of those succeed "
        f"at longer lags [tokens], {EXACT}"
    )
    return Table(title, ("arm", f"{among[0]} to {among[-1]}", *lags), rows)


def bounded_means(evidence: Evidence) -> Table:
    """Mean accuracy, at the longest lag of training and at longer ones, of the seeds that succeed in training."""
    among = evidence.protocol.among
    return by_condition(
        evidence,
        "Mean test accuracy of the seeds that succeed at all lags of training, by lag [tokens], with a 95 % "
        "interval that assumes nothing but values from 0 to 1",
        lambda *one: percent(gaffke_interval(list(evidence.scores[one].values()))),
        [one for one in evidence.conditions if one not in among[:-1]],
    )


TABLES: dict[str, Callable[[Evidence], Table]] = {
    "shares": shares,
    "counts": counts,
    "steps": steps,
    "means": means,
    "spread": spread_over_seeds,
    "carried": carried,
    "bounded_means": bounded_means,
}
"""By their name in `study.yaml`."""
