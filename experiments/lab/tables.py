"""Tables of a protocol: seeds that succeed, training steps until they do, and means."""

import itertools
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from experiments.lab.rules import (
    LEARNS,
    Evidence,
    mean_score,
    tally,
    worst_to_best,
)
from sentiment_rnn.report.tables import Table

EXACT = "with exact 95 % intervals [%]"


def by_condition(evidence: Evidence, title: str, cell: Callable[[str, str], str]) -> Table:
    """A table with a row for each arm and a column for each condition; a cell is empty if the arm was not run there."""
    conditions = evidence.conditions
    rows = [
        (evidence.label(arm), *(cell(arm, one) if (arm, one) in evidence.scores else "" for one in conditions))
        for arm in evidence.arms
    ]
    return Table(title, ("arm", *conditions), rows)


def shares(evidence: Evidence) -> Table:
    """Seeds that succeed by condition, with intervals."""
    unfiltered = replace(evidence, scores=evidence.every)
    return by_condition(unfiltered, f"{succeed(evidence)}, {EXACT}", lambda *one: tally(*unfiltered.learn(*one)))


def counts(evidence: Evidence) -> Table:
    """Seeds that succeed by condition, without intervals: `shares` has them."""
    return by_condition(evidence, succeed(evidence), lambda *one: "{}/{}".format(*evidence.learn(*one)))


def succeed(evidence: Evidence) -> str:
    """Title of a table of seeds that succeed by condition."""
    return f"Seeds that succeed (above {100 * LEARNS:g} %)" + (", by lag [tokens]" if evidence.study.unit else "")


def within_steps(evidence: Evidence, arm: str, condition: str, steps: int) -> tuple[int, int]:
    """Number of seeds that have learned within so many steps, and number of all seeds. A seed that ended earlier
    without learning has not."""
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
    """Seeds of each arm that succeed at all lags of training, and how many of those succeed at each longer lag."""
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


TABLES: dict[str, Callable[[Evidence], Table]] = {
    "shares": shares,
    "counts": counts,
    "steps": steps,
    "means": means,
    "spread": spread_over_seeds,
    "carried": carried,
}
"""Functions that make the tables, by their names in `study.yaml`."""
