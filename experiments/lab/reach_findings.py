"""Verdicts, tables and the figure of a protocol whose draws are the unit; `reach` explains what is estimated.

| rule | a part of the claim is true if |
| --- | --- |
| `reaches_further` | the paired bootstrap of S(4), corrected for the protocol, says that the first arm's is higher |
| `reaches_alike` | the interval of the difference of S(4) is within the margin (equivalence) |
| `reaches_not` | the interval of S(4) is below one half |
| `reaches_again` | S(4) of new draws differs by no more than the margin, and by nothing that the intervals see |
| `wider_window` | the sign test over draws, corrected for the protocol, says that the first arm's window is wider |

Verdicts are made from parts as in `rules`. An arm counts only if all its planned runs exist.
"""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from textwrap import fill

import matplotlib
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from experiments.lab.figures import mark_rows
from experiments.lab.reach import (
    SEARCH,
    SEARCHES,
    DrawnRuns,
    drawn_runs,
    search_success,
    success_difference,
    success_interval,
    success_p,
    window_interval,
    window_p,
)
from experiments.lab.rules import LEARNS, MOST, Numbers, Verdict, above, below, judged, within
from experiments.lab.statistics import LEVEL, holm, points
from experiments.lab.study import DRAWN_TESTS, Claim, Protocol, Study, Sweep
from sentiment_rnn.report.plotting import new_figure, styled
from sentiment_rnn.report.statistics import Interval, bounded
from sentiment_rnn.report.tables import Table

Part = tuple[str, ...]
"""One or two arms, and the condition."""
GROUPS = "Usual start", "Gates that start slow"
"""Titles of the two groups of rows in the picture."""
OWN = "Your cell"
IN_PICTURES = {"rnn": "vanilla RNN (tanh)", "rnn_orthogonal": "vanilla RNN, kept orthogonal", "lstm": "LSTM"}
"""Names of arms in pictures, whose readers have no glossary."""


@dataclass(frozen=True)
class DrawnEvidence:
    """The runs by which the claims of a protocol are judged."""

    study: Study
    protocol: Protocol
    table: pd.DataFrame

    @cached_property
    def sweeps(self) -> list[Sweep]:
        """The sweeps whose draws are the unit."""
        return [sweep for sweep in self.protocol.sweeps if sweep.seeds_of_draw]

    @cached_property
    def conditions(self) -> list[str]:
        """The conditions that were run, the smallest lag first."""
        run = {sweep.condition for sweep in self.sweeps if (self.table.sweep == sweep.name).any()}
        return sorted(run, key=int)

    @cached_property
    def arms(self) -> list[str]:
        """The arms that were run, in the study's order."""
        return [arm for arm in self.study.arms if (self.table.arm == arm).any()]

    @cached_property
    def whole(self) -> dict[tuple[str, str, bool], DrawnRuns]:
        """The runs by arm, condition and whether the draws are new; only where all planned runs exist."""
        by_sweep = dict(iter(self.table.groupby("sweep")))
        return {
            (arm, sweep.condition, sweep.again): runs
            for sweep in self.sweeps if sweep.name in by_sweep
            for arm in sweep.arms if (runs := drawn_runs(by_sweep[sweep.name], sweep, arm))
        }  # fmt: skip

    def runs(self, arm: str, condition: str, again: bool = False) -> DrawnRuns | None:
        """The runs of an arm at a condition, or with `again` those with new draws; None unless all of them exist."""
        return self.whole.get((arm, condition, again))

    def by_run(self, arm: str, condition: str) -> pd.DataFrame:
        """A row for each run of an arm at a condition, with a column for each metric; NaN if the run diverged."""
        (sweep,) = (one for one in self.sweeps if arm in one.arms and (one.condition, one.again) == (condition, False))
        of_arm = self.table[(self.table.sweep == sweep.name) & (self.table.arm == arm)]
        return of_arm.pivot(index="seed", columns="metric", values="value")

    def learned_within(self, arm: str, condition: str) -> dict[int, int]:
        """How many runs of an arm at a condition have reached `LEARNS` on validation, by each number of steps in
        `Protocol.steps`."""
        runs = self.by_run(arm, condition)
        passed = runs.steps[runs.learned == 1] if "steps" in runs else pd.Series(dtype=float)
        return {number: int((passed <= number).sum()) for number in self.protocol.steps}

    def label(self, arm: str) -> str:
        """Name of an arm in tables."""
        return self.study.arms[arm].label


def verdicts(evidence: DrawnEvidence) -> dict[str, Verdict]:
    """The verdict on each claim of which a part was run, by its id."""
    adjusted = adjusted_p(evidence)
    found = {claim.id: verdict_on(claim, evidence, adjusted) for claim in evidence.protocol.claims}
    return {claim: verdict for claim, verdict in found.items() if verdict.rows}


def adjusted_p(evidence: DrawnEvidence) -> dict[tuple[str, Part], float]:
    """p values of all tests of a protocol, adjusted for their number by Holm's method. A comparison that was not run
    has p = 1."""
    tests = {}
    for claim in evidence.protocol.claims:
        for part in parts_of(claim) if claim.rule in DRAWN_TESTS else ():
            first, second = (evidence.runs(arm, part[-1]) for arm in part[:2])
            p_of = window_p if claim.rule == "wider_window" else success_p
            tests[claim.id, part] = p_of(first, second) if first and second else 1.0
    return holm(tests)


def parts_of(claim: Claim) -> list[Part]:
    """Each arm or pair of a claim at each of its conditions."""
    pairs = claim.pairs or [(arm,) for arm in claim.arms]
    return [(*map(str, arms), str(at)) for at in claim.at for arms in pairs]


def verdict_on(claim: Claim, evidence: DrawnEvidence, adjusted: Mapping[tuple[str, Part], float]) -> Verdict:
    """The verdict on one claim, with the numbers behind it."""
    parts = [judge(claim, evidence, part, adjusted.get((claim.id, part), 1.0)) for part in parts_of(claim)]
    rows = tuple(row for _, row in parts)
    return Verdict(judged(*(true for true, _ in parts)), rows if any(row.arm for row in rows) else ())


Judged = tuple[bool | None, Numbers]
"""Whether a part is true (None if undecided), and its numbers."""


def judge(claim: Claim, evidence: DrawnEvidence, part: Part, p: float) -> Judged:
    """Judge one part of a claim by its rule. Nothing is decided before all runs of its arms exist.

    Args:
        p: adjusted p value of the rule's test; 1 for a rule that is no test.
    """
    *arms, at = part
    runs, labels = [evidence.runs(arm, at) for arm in arms], [evidence.label(arm) for arm in arms]
    again = claim.rule == "reaches_again"
    if again:
        runs, labels = [evidence.runs(arms[0], at, again), *runs], [f"{labels[0]}, new draws", *labels]
    whole = [of_arm for of_arm in runs if of_arm]
    if len(whole) < len(runs):
        return None, Numbers(at)
    window = claim.rule == "wider_window"
    shares = [window_interval(of_arm) if window else success_interval(of_arm, SEARCH) for of_arm in whole]
    numbers = Numbers(at, *(cell for label, of in zip(labels, shares, strict=True) for cell in (label, share(of))))
    if claim.rule == "reaches_not":
        return below(shares[0], MOST), numbers
    if window:
        wider = shares[0].estimate - shares[1].estimate
        return wider > 0 if p <= LEVEL else None, numbers._replace(difference=f"{100 * wider:+.1f}", p=f"{p:.2g}")
    first, second = whole
    difference = success_difference(first, second, again)
    numbers = numbers._replace(difference=points(difference))
    if claim.rule == "reaches_further":
        return difference.estimate > 0 if p <= LEVEL else None, numbers._replace(p=f"{p:.2g}")
    margin = claim.margin or 0.0
    numbers = numbers._replace(margin=f"{100 * margin:g}")
    if claim.rule == "reaches_alike":
        return within(difference, margin), numbers
    alike = not (above(difference, 0.0) or below(difference, 0.0))
    return None if alike and abs(difference.estimate) > margin else alike, numbers


def share(interval: Interval) -> str:
    """`78 (55–95)`, in percent."""
    return bounded(interval, "{:.0f}", factor=100)


def tables(evidence: DrawnEvidence) -> dict[str, Table]:
    """The tables of a protocol by a short name, without empty ones. The first is on its page."""
    found = {"search": searches(evidence), "all": estimates(evidence), "apart": apart(evidence)}
    found |= {"steps": steps(evidence), "draws": draws(evidence), "fresh": fresh(evidence)}
    return {name: table for name, table in found.items() if table.rows}


def searches(evidence: DrawnEvidence) -> Table:
    """Table of S(4) and the window by lag. An incomplete arm has no numbers."""
    rows = []
    for arm in evidence.arms:
        cells = []
        for at in evidence.conditions:
            runs = evidence.runs(arm, at)
            window = f"{runs.window.sum()}/{len(runs.draws)}" if runs else ""
            cells += [share(success_interval(runs, SEARCH)) if runs else "", window]
        if any(cells):
            rows.append((evidence.label(arm), *cells))
    columns = [name for at in evidence.conditions for name in (f"lag {at}: S({SEARCH})", "window")]
    title = (
        f"Probability S({SEARCH}) that a search of {SEARCH} draws succeeds [%], with 95 % intervals over draws, and "
        "the window: draws with which both seeds succeed"
    )
    return Table(title, ("arm", *columns), rows)


def estimates(evidence: DrawnEvidence) -> Table:
    """Table of S(k) for each k, the window and the successful runs, with a row for each arm and lag, and for new
    draws."""
    rows = []
    for (arm, at, _), runs in evidence.whole.items():
        successes = [share(success_interval(runs, k)) for k in SEARCHES]
        counted = f"{runs.succeeds.sum()}/{runs.succeeds.size}"
        row = evidence.label(arm), at, f"{runs.draws[0]}–{runs.draws[-1]}"
        rows.append((*row, *successes, share(window_interval(runs)), counted))
    columns = ("arm", "lag", "draws", *(f"S({k})" for k in SEARCHES), "window", "runs that succeed")
    return Table("S(k) and the window [%], with 95 % intervals, and runs that succeed", columns, rows)


def apart(evidence: DrawnEvidence) -> Table:
    """Table of the runs that succeed at each single lag of the test, out of those that succeed overall."""
    rows = []
    for arm, at, _ in first_draws(evidence):
        runs = evidence.by_run(arm, at)
        apart_at = sorted((name for name in runs if name.startswith("accuracy_at_")), key=lambda name: int(name[12:]))
        good = runs[runs.accuracy > LEARNS] if apart_at else runs[:0]
        cells = [f"{(good[name] > LEARNS).sum()}/{len(good)}" for name in apart_at]
        rows.append((evidence.label(arm), at, *(cells or ["0/0"] * 3)))
    title = f"Of the runs that succeed, those above {100 * LEARNS:g} % at 0.8, 1 and 1.2 times the lag"
    return Table(title, ("arm", "lag", "0.8", "1", "1.2"), rows)


def steps(evidence: DrawnEvidence) -> Table:
    """Runs that have reached `LEARNS` on validation by each number of steps of `Protocol.steps`."""
    rows = []
    for arm, at, of in first_draws(evidence):
        learned = evidence.learned_within(arm, at)
        cells = [f"{learned[number]}/{of.succeeds.size}" for number in evidence.protocol.steps]
        rows.append((evidence.label(arm), at, *cells))
    title = f"Runs that have reached {100 * LEARNS:g} % on validation within so many steps"
    return Table(title, ("arm", "lag", *(f"{number:,}" for number in evidence.protocol.steps)), rows)


def first_draws(evidence: DrawnEvidence) -> list[tuple[str, str, DrawnRuns]]:
    """Arm, condition and runs of each complete arm, without new draws."""
    every = itertools.product(evidence.arms, evidence.conditions)
    return [(arm, at, runs) for arm, at in every if (runs := evidence.runs(arm, at))]


def draws(evidence: DrawnEvidence) -> Table:
    """Table of the rate and clipping of each draw, and of how many of its two seeds succeed, by arm and lag."""
    counted: dict[tuple[str, str], dict[int, int]] = {}
    for (arm, at, _), runs in evidence.whole.items():
        counted.setdefault((arm, at), {}).update(zip(runs.draws, runs.succeeds.sum(1), strict=True))
    drawn = evidence.table[evidence.table.metric.isin(["learning_rate", "clip_norm"])]
    of_draw = drawn.drop_duplicates(["draw", "metric"]).pivot(index="draw", columns="metric", values="value")
    rows = [
        (str(draw), f"{rate:.2g}", f"{norm:.2g}", *(str(of.get(int(draw), "")) for of in counted.values()))
        for draw, norm, rate in of_draw[["clip_norm", "learning_rate"]].sort_index().itertuples()
    ]
    columns = ("draw", "learning rate", "clip", *(f"{evidence.label(arm)}, {at}" for arm, at in counted))
    return Table("Seeds of two that succeed, by draw", columns, rows if counted else [])


def fresh(evidence: DrawnEvidence) -> Table:
    """Table of fresh seeds at an arm's best draw. They describe only that search."""
    rows = []
    for sweep in (one for one in evidence.protocol.sweeps if one.best_of):
        of_sweep = evidence.table[evidence.table.sweep == sweep.name]
        for arm, of_arm in of_sweep.groupby("arm", sort=False):
            wide = of_arm.pivot(index="seed", columns="metric", values="value")
            good = int((wide.get("accuracy", pd.Series(dtype=float)) > LEARNS).sum())
            (rate,), (norm,), (draw,) = set(wide.learning_rate), set(wide.clip_norm), set(of_arm.draw)
            row = evidence.label(str(arm)), sweep.condition, str(draw), f"{rate:.2g}", f"{norm:.2g}"
            rows.append((*row, f"{good}/{len(wide)}"))
    columns = ("arm", "lag", "draw", "learning rate", "clip", "seeds that succeed")
    return Table(
        "Fresh seeds at the draw with the best mean on validation, which describe this search alone", columns, rows
    )


def name_in_pictures(evidence: "DrawnEvidence", arm: str) -> str:
    """An arm's label, without the remark that its gates start slow, which the picture shows elsewhere."""
    return IN_PICTURES.get(arm, evidence.label(arm)).removesuffix(", chrono 400")


def starts_slow(arm: str) -> bool:
    """Whether the gates of an arm start slow."""
    return arm.endswith("_chrono")


@styled
def figure(evidence: DrawnEvidence, own: str = "", lags: Iterable[int] = ()) -> Figure | None:
    """Picture of encoders by lag: a colour for the probability that a search of four draws succeeds. Cells whose gates
    start slow are below the others; in each group, the most successful is on top. None if no arm is complete.

    Args:
        own: an arm of the user, which has a group of its own.
        lags: lags that are shown; if empty, all that were run.
    """
    if not evidence.whole:
        return None
    conditions = [str(lag) for lag in lags] or evidence.conditions
    success = {
        arm: {at: search_success(runs, SEARCH) for at in conditions if (runs := evidence.runs(arm, at))}
        for arm in evidence.arms
    }
    arms = sorted((arm for arm in success if success[arm]), key=lambda arm: -fmean(success[arm].values()))
    group_of = {arm: OWN if arm == own else GROUPS[starts_slow(arm)] for arm in arms}
    named = {group: [arm for arm in arms if group_of[arm] == group] for group in (OWN, *GROUPS)}
    rows = [row for group, of in named.items() if of for row in (group, *of)]
    # As narrow as its labels allow, so that a phone shows three lags.
    drawn, (axes,) = new_figure(width=1.78 + 0.64 * len(conditions), height=2.0 + 0.33 * len(rows))
    shades = matplotlib.colormaps["Blues"]
    for row, column in itertools.product(range(len(rows)), range(len(conditions))):
        arm, at = rows[row], conditions[column]
        if arm in named:
            continue
        if at not in success[arm]:
            axes.text(column, row, "not run", ha="center", va="center", color="#555555", fontsize=8)
            continue
        share = success[arm][at]
        ink = "white" if share > 0.65 else "#222222"
        axes.add_patch(Rectangle((column - 0.48, row - 0.46), 0.96, 0.92, color=shades(0.9 * share)))
        axes.text(column, row, f"{100 * share:.0f} %", ha="center", va="center", color=ink, weight="bold", fontsize=9)
    mark_rows(axes, [row if row in named else name_in_pictures(evidence, row) for row in rows])
    for tick in axes.get_yticklabels():
        tick.set_fontweight("bold" if tick.get_text() in named else "normal")
    axes.set_xticks(range(len(conditions)), conditions)
    axes.set_xlabel("lag of about … tokens", fontsize=8.5)
    axes.xaxis.set_label_position("top")
    axes.set_xlim(-0.55, len(conditions) - 0.45)
    axes.xaxis.tick_top()
    axes.grid(False)
    axes.tick_params(length=0, labelsize=8.5)
    axes.spines[["left", "bottom"]].set_visible(False)
    caption = (
        f"How often does a search succeed? It tries {SEARCH} random settings of learning rate and clipping, a network "
        "with each, and keeps the best on validation. It succeeds if a second network with that setting is right in "
        f"over {100 * LEARNS:g}\N{NO-BREAK SPACE}% of test reviews. The lag: tokens between the deciding words and the "
        "end."
    )
    drawn.suptitle(fill(caption, 27 + 9 * len(conditions)), x=0.01, ha="left", fontsize=8)
    return drawn
