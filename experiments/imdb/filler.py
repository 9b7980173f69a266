"""What do neutral words after a review cost a model of IMDb? By `protocols/2026-11-28_filler.md`."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import ndtri
from tqdm import tqdm

from experiments.imdb.filler_reading import ANSWER, IN_FRONT, NOTHING, REVIEWS, SENTENCES, STATE, STOPS, Setting, areas
from experiments.lab.figures import arm_panels
from experiments.lab.findings import Findings, mean_of
from experiments.lab.p_values import holm, sign_p
from experiments.lab.rules import Evidence, Verdict, beyond, in_points, judged, most
from experiments.lab.study import Protocol, Study
from experiments.lab.sweeps import Measured
from experiments.lab.table import BySeed, values_of
from sentiment_rnn import runtime
from sentiment_rnn.report.figures import styled
from sentiment_rnn.report.shares import counted
from sentiment_rnn.report.statistics import percent, points, t_interval, welch_interval
from sentiment_rnn.report.tables import Table
from sentiment_rnn.tracking.results import find_sweep, results_of
from sentiment_rnn.tracking.store import Store

SWEEP = "real_text"
"""Whose models read."""
ARMS = ("rnn", "gru", "lstm")
AMOUNTS = (0, 25, 50, 100, 200, 400)
"""Neutral tokens behind a review."""
MOST = AMOUNTS[-1]
"""As many are in front of it."""
BEHIND = [Setting(amount) for amount in AMOUNTS]
SETTINGS = [*BEHIND, Setting(MOST, SENTENCES, IN_FRONT), Setting(MOST, STOPS), Setting(MOST, STOPS, IN_FRONT)]
CONDITIONS = [setting.condition for setting in SETTINGS]
KNOWS = 0.7
"""Area without filler above which a seed knows something that it can forget."""
CERTAIN = 1e-6
"""No area counts as closer to 0 or 1 than this: its z would have no bounds."""
MARGIN = 0.1
"""Of what was known: a loss that counts as none."""
MORE = "more"
"""The claim on two arms. One on a single arm has the arm's name."""

Values = Mapping[tuple[str, str], BySeed]
"""One number per seed, by arm and condition."""


def measure(study: Study, protocol: Protocol, store: Store, overrides: Sequence[str] = ()) -> Measured:
    """Areas of the models of `SWEEP` in each setting."""
    runtime.prepare(runtime.cores())
    runs = [run for run in results_of(store, find_sweep(store, SWEEP, finished=True)) if run.encoder in ARMS]
    runs.sort(key=lambda run: (ARMS.index(run.encoder), run.seed))
    found = Measured()
    for run in tqdm(runs, "Reading with filler", unit=" runs", disable=None, leave=False):
        for setting, of, area in areas(run, SETTINGS):
            at = SWEEP, protocol.name, run.encoder, setting.condition, run.seed, None
            found.rows.append((*at, "test", of, area))
    return found


def findings(evidence: Evidence, table: pd.DataFrame) -> Findings:
    """What is kept of what was known, what is lost by place, and the areas; nothing before all arms have read."""
    planned = evidence.study.sweep(SWEEP).seeds
    rows = table[(table.protocol == evidence.protocol.name) & table.seed.isin(planned)]
    measured: dict[str, Values] = {measure: values_of(rows, measure) for measure in (STATE, ANSWER)}
    if any((arm, NOTHING) not in measured[STATE] for arm in ARMS):
        return Findings()
    kept = {measure: what_is_kept(found) for measure, found in measured.items()}
    whole = all(len(measured[STATE][arm, NOTHING]) == len(planned) for arm in ARMS)
    return Findings(
        [kept_table(evidence, measured, kept), loss_table(evidence, kept), area_table(evidence, measured)],
        verdicts(evidence, losses_of_claims(kept[STATE]), whole),
        {"filler": filler_figure(evidence, kept)},
    )


def what_is_kept(areas: Values) -> Values:
    """z of the area with filler by z of the area without it, for each seed that knows something.

    √2 z is the distance d' of the two classes in standard deviations (Green & Swets 1966).
    """
    before = {arm: areas[arm, NOTHING] for arm in ARMS}
    return {
        (arm, condition): {s: z(area) / z(before[arm][s]) for s, area in by_seed.items() if before[arm][s] > KNOWS}
        for (arm, condition), by_seed in areas.items()
    }


def z(area: float) -> float:
    """The quantile of the normal distribution at an area."""
    return float(ndtri(min(max(area, CERTAIN), 1 - CERTAIN)))


def loss_by_place(kept: Values, arm: str, filler: str = SENTENCES) -> BySeed:
    """What each seed of an arm keeps with the most filler in front, less what it keeps with as much behind."""
    front, behind = kept[arm, Setting(MOST, filler, IN_FRONT).condition], kept[arm, Setting(MOST, filler).condition]
    return {seed: front[seed] - behind[seed] for seed in front}


def losses_of_claims(states: Values) -> dict[str, BySeed]:
    """By claim, what it counts of each seed that knows something: a loss by place, or of two seeds of the same number
    the difference."""
    losses = {arm: loss_by_place(states, arm) for arm in ARMS}
    both = losses["rnn"].keys() & losses["lstm"].keys()
    return {**losses, MORE: {seed: losses["rnn"][seed] - losses["lstm"][seed] for seed in sorted(both)}}


def lost(losses: BySeed) -> tuple[int, int]:
    """How many seeds lose more than `MARGIN`, and of how many."""
    return beyond(losses.values(), MARGIN), len(losses)


def verdicts(evidence: Evidence, losses: Mapping[str, BySeed], whole: bool) -> dict[str, Verdict]:
    """By the rules of the protocol; of a part of the planned seeds nothing is decided."""
    counts = {claim: lost(of_seeds) for claim, of_seeds in losses.items()}
    adjusted = holm({claim: sign_p(*count) if count[1] else 1.0 for claim, count in counts.items()})
    found = {}
    for claim in evidence.protocol.claims:
        count, p = counts[claim.id], adjusted[claim.id]
        test = f"sign test against half of them, adjusted p = {p:.2g}."
        said = f"{counted_text(evidence, claim.id, losses)}; {test}" if count[1] else "No seed knows enough to forget."
        left = "" if whole else " Not read with all seeds."
        found[claim.id] = Verdict(claim.text, judged(most(*count, p) if whole else None), said + left)
    return found


def counted_text(evidence: Evidence, claim: str, losses: Mapping[str, BySeed]) -> str:
    """What a claim counts, and the mean with its t interval over seeds, of the difference of two arms Welch's."""
    if claim == MORE:
        rnn, lstm = ([losses[arm][seed] for seed in losses[MORE]] for arm in ("rnn", "lstm"))
        mean = welch_interval(rnn, lstm)
        more = f"loses more than {in_points(MARGIN)} more by place than {evidence.label('lstm')}"
        what = f"Pairs of seeds in which {evidence.label('rnn')} {more}"
    else:
        mean = t_interval(list(losses[claim].values()))
        what = f"Seeds of {evidence.label(claim)} that lose more than {in_points(MARGIN)} by place"
    return f"{what}: {counted(*lost(losses[claim]))}. The mean is {points(mean)} points"


def kept_table(evidence: Evidence, measured: Mapping[str, Values], kept: Mapping[str, Values]) -> Table:
    """The share kept, by measure and arm, in each setting."""
    rows = []
    for measure, arm in ((measure, arm) for measure in kept for arm in ARMS):
        of_arm = [list(kept[measure][arm, condition].values()) for condition in CONDITIONS[1:]]
        seeds = f"{len(of_arm[0])}/{len(measured[measure][arm, NOTHING])}"
        rows.append((measure, evidence.label(arm), seeds, *(percent(t_interval(of)) if of else "" for of in of_arm)))
    title = (
        f"What is kept of what was known, by filler: mean with its 95 % t interval over the seeds that know something "
        f"({REVIEWS:,} reviews)"
    )
    return Table(title, ("of", "arm", "seeds", *CONDITIONS[1:]), rows)


def loss_table(evidence: Evidence, kept: Mapping[str, Values]) -> Table:
    """The loss by place, by measure, arm and filler."""
    rows = []
    for measure, arm, filler in ((m, arm, filler) for m in kept for arm in ARMS for filler in (SENTENCES, STOPS)):
        if losses := loss_by_place(kept[measure], arm, filler):
            mean = points(t_interval(list(losses.values())))
            rows.append((measure, evidence.label(arm), filler, mean, counted(*lost(losses))))
    title = (
        f"Loss by place [points of what was known]: with {MOST} tokens in front, less with {MOST} behind. Mean with "
        f"its 95 % t interval; seeds that lose more than {100 * MARGIN:.0f}"
    )
    return Table(title, ("of", "arm", "filler", "loss", "seeds"), rows)


def area_table(evidence: Evidence, measured: Mapping[str, Values]) -> Table:
    """Areas of all seeds, by measure, arm and setting."""
    rows = [
        (
            measure, evidence.label(arm),
            *(mean_of([100 * area for area in areas[arm, condition].values()]) for condition in CONDITIONS),
        )
        for measure, areas in measured.items() for arm in ARMS
    ]  # fmt: skip
    title = "Area under the ROC curve [%] by filler, mean ± deviation over all seeds"
    return Table(title, ("of", "arm", *CONDITIONS), rows)


@styled
def filler_figure(evidence: Evidence, kept: Mapping[str, Values]) -> Figure:
    """A panel for each arm: what its states keep, a line for each seed and their mean; what its answers keep, in the
    mean; and what states keep with as much filler in front."""

    def draw(axes: Axes, arm: str) -> None:
        color = evidence.study.arms[arm].color
        states, answers = (
            np.array([list(kept[measure][arm, setting.condition].values()) for setting in BEHIND])
            for measure in (STATE, ANSWER)
        )
        if states.size:
            axes.plot(AMOUNTS, states, color=color, alpha=0.3, linewidth=0.8)
            axes.plot(AMOUNTS, states.mean(1), color=color, linewidth=2.4, label="state, mean of seeds")
            axes.plot(AMOUNTS, answers.mean(1), "--", color="#444444", label="answer, mean of seeds")
            front = list(kept[STATE][arm, Setting(MOST, SENTENCES, IN_FRONT).condition].values())
            axes.plot([MOST] * len(front), front, "x", color="#444444", markersize=5, label="state, filler in front")
        axes.set_ylim(min(-0.05, axes.get_ylim()[0]), max(1.12, axes.get_ylim()[1]))
        axes.set_xticks([0, 100, 200, 400])

    figure = arm_panels(
        ARMS, evidence.study.arms, "neutral tokens behind the review", "share kept of what was known", draw
    )
    last = figure.axes[len(ARMS) - 1]  # where the least is lost
    if last.lines:
        last.legend(loc="lower left", fontsize="small")
    return figure
