"""Tables of a protocol: shares of seeds that learn, steps until they do, means and scores, and comparisons."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from experiments.lab import figures
from experiments.lab.rules import (
    LEARNS,
    MOST,
    Evidence,
    above,
    adjusted_p,
    compared,
    in_points,
    mean_score,
    parts_of,
)
from sentiment_rnn.report.statistics import (
    Interval,
    clopper_pearson,
    counted,
    gaffke_interval,
    paired_interval,
    percent,
    points,
    spread,
)
from sentiment_rnn.report.tables import Table

SPANNED = 3
"""A table has the span where it has as many lags: fewer say little of the longest that is learned."""
EXACT = "with exact 95 % intervals"


def comparisons(evidence: Evidence) -> list[Table]:
    """Every comparison that was run: the difference, and p adjusted by Holm's method; nothing where none was."""
    adjusted, study = adjusted_p(evidence), evidence.study
    rows = []
    for claim in evidence.protocol.claims:
        for part in parts_of(claim, evidence):
            found = compared(claim, evidence, part)
            if found is None or claim.rule == "learns_as_often":
                continue
            labels = evidence.label(part.first), evidence.label(part.second)
            better = "" if found.better is None else counted(*found.better)
            p = "" if found.p is None else f"{adjusted[claim.id, part]:.2g}"
            rows.append((claim.id, *labels, part.condition, points(found.difference), better, p))
    kinds = {claim.rule.startswith("learns") for claim in evidence.protocol.claims if claim.pairs}
    columns = ["claim", "arm", "against", study.unit or "condition", "difference", "better", "p"]
    shown = [place for place in range(len(columns)) if any(row[place] for row in rows)]
    margins = " or ".join(dict.fromkeys(in_points(claim.margin) for claim in evidence.protocol.claims if claim.margin))
    title = (
        "Comparisons: difference in the share of seeds that learn [points], and Fisher's p adjusted by Holm's method"
        if True in kinds
        else "Comparisons: difference of the means [points] with Welch's 95 % interval; seeds in which the first is "
        f"better by more than {margins}, with the exact interval; and the sign test's p, adjusted by Holm's method"
    )
    cut = [tuple(row[place] for place in shown) for row in rows]
    return [Table(title, [columns[place] for place in shown], cut)] if rows else []


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
    """Seeds that learn by condition; of three lags or more, the span that follows."""
    every = replace(evidence, scores=evidence.every)
    table = by_condition(
        every, f"Seeds with a score above {100 * LEARNS:g} %, {EXACT}", lambda *one: counted(*every.learn(*one))
    )
    if len(every.conditions) < SPANNED or not evidence.study.unit:
        return table
    spans = [span({int(one): every.share(arm, one) for one in every.conditions if (arm, one) in every.scores})
             for arm in every.arms]  # fmt: skip
    title = f"{table.title}; the span is the longest lag up to which the lower bound is above one half"
    rows = [(*row, str(longest)) for row, longest in zip(table.rows, spans, strict=True)]
    return Table(title, (*table.columns, "span"), rows)


def span(shares: Mapping[int, Interval]) -> int:
    """The longest lag up to which more than half of the seeds learn, by the lower bounds; 0 for none."""
    longest = 0
    for lag in sorted(shares):
        if not above(shares[lag], MOST):
            break
        longest = lag
    return longest


def within_steps(evidence: Evidence, arm: str, condition: str, steps: int) -> tuple[int, int]:
    """How many seeds have learned within so many steps, and of how many; one that ended before has not."""
    learned, ended = figures.steps_of(evidence, arm, condition)
    return sum(one <= steps for one in learned), len(learned) + len(ended)


def spans(evidence: Evidence) -> Table:
    """The span of each arm within each number of steps, and its seeds at the first lag beyond the last span."""
    rows = []
    budgets = evidence.protocol.steps
    for arm in evidence.arms:
        lags = [one for one in evidence.conditions if (arm, one) in evidence.scores]
        reached = [
            span({int(one): clopper_pearson(*within_steps(evidence, arm, one, steps)) for one in lags})
            for steps in budgets
        ]
        beyond = next((one for one in lags if int(one) > reached[-1]), None)
        seeds = "" if beyond is None else f"{counted(*within_steps(evidence, arm, beyond, budgets[-1]))} at {beyond}"
        rows.append((evidence.label(arm), *map(str, reached), seeds))
    title = (
        f"Memory span [tokens] by training steps: up to where more than half of the seeds reach {100 * LEARNS:g} % on "
        "validation, by the lower bound of the exact 95 % interval"
    )
    return Table(title, ("arm", *(f"{steps:,} steps" for steps in budgets), "seeds beyond it"), rows)


def steps(evidence: Evidence) -> Table:
    """Seeds that have learned within each number of steps, and the median of their steps."""
    rows = []
    for arm, one in (
        (arm, one) for arm in evidence.arms for one in evidence.conditions if (arm, one) in evidence.scores
    ):
        learned, _ = figures.steps_of(evidence, arm, one)
        cells = [counted(*within_steps(evidence, arm, one, number)) for number in evidence.protocol.steps]
        rows.append((evidence.label(arm), one, *cells, f"{np.median(learned):,.0f}" if learned else ""))
    title = (
        f"Seeds that have reached {100 * LEARNS:g} % on validation, by training steps, {EXACT}, and the median of "
        "their steps"
    )
    columns = (f"{number:,} steps" for number in evidence.protocol.steps)
    return Table(title, ("arm", evidence.study.unit, *columns, "median"), rows)


def means(evidence: Evidence) -> Table:
    """Mean score by condition."""
    of = {"kept": "Kept: share of the bits (copying) or of the variance (adding)"}.get(
        evidence.study.score, "Test accuracy"
    )
    title = f"{of}, the mean over seeds with its 95 % t interval"
    return by_condition(evidence, title, lambda *one: mean_score(evidence.scores[one]))


def paired_means(evidence: Evidence) -> Table:
    """Mean scores of the arms of each comparison, and the mean difference by seed."""
    rows = []
    for part in dict.fromkeys(part for claim in evidence.protocol.claims for part in parts_of(claim, evidence)):
        first, second = (evidence.scores.get((arm, part.condition), {}) for arm in (part.first, part.second))
        if both := first.keys() & second.keys():
            difference = paired_interval({s: second[s] for s in both}, {s: first[s] for s in both})
            rows.append((evidence.label(part.second), mean_score(first), mean_score(second), points(difference)))
    title = (
        "Test accuracy beside that of the arm compared, and the mean difference by seed [points], with 95 % t intervals"
    )
    return Table(title, ("arm", "compared", "its own", "difference"), rows)


def spread_over_seeds(evidence: Evidence) -> Table:
    """Score of each arm over its seeds."""
    rows = []
    for arm in evidence.arms:
        by_seed = evidence.scores[arm, ""]
        values = 100 * np.array(list(by_seed.values()))
        cells = (spread(values).deviation, values.min(), np.median(values), values.max())
        rows.append((evidence.label(arm), f"{len(values)}", mean_score(by_seed), *(f"{cell:.1f}" for cell in cells)))
    columns = ("arm", "seeds", "mean", "deviation", "worst seed", "median", "best seed")
    return Table("Test accuracy [%] over seeds, the mean with its 95 % t interval", columns, rows)


def carried(evidence: Evidence) -> Table:
    """How many seeds of each arm learn, and how many of those carry each lag that training never had."""
    among = evidence.protocol.among
    lags = [one for one in evidence.conditions if one not in among]
    table = by_condition(
        evidence,
        f"Seeds that learn {among[0]} to {among[-1]} tokens, and how many of those carry lags that training never had "
        f"[tokens], {EXACT}",
        lambda *one: counted(*evidence.learn(*one)),
        lags,
    )
    learn = [
        counted(len(evidence.scores.get((arm, lags[0]), {})), len(evidence.every[arm, lags[0]]))
        for arm in evidence.arms
    ]
    rows = [(row[0], first, *row[1:]) for row, first in zip(table.rows, learn, strict=True)]
    return Table(table.title, ("arm", "learn", *lags), rows)


def bounded_means(evidence: Evidence) -> Table:
    """Mean accuracy of the seeds that learn at the longest trained lag and at those beyond."""
    among = evidence.protocol.among
    return by_condition(
        evidence,
        "Mean test accuracy of the seeds that learn, by lag [tokens], with a 95 % interval that assumes nothing but "
        "values from 0 to 1",
        lambda *one: percent(gaffke_interval(list(evidence.scores[one].values()))),
        [one for one in evidence.conditions if one not in among[:-1]],
    )


TABLES: dict[str, Callable[[Evidence], Table]] = {
    "shares": shares,
    "spans": spans,
    "steps": steps,
    "means": means,
    "paired_means": paired_means,
    "spread": spread_over_seeds,
    "carried": carried,
    "bounded_means": bounded_means,
}
"""By their name in `study.yaml`."""
