"""What do neutral words after a review cost a model of IMDb? By experiments/filler/protocol.md."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tqdm import tqdm

from sentiment_rnn import runtime
from sentiment_rnn.report.shares import counted
from sentiment_rnn.report.statistics import percent, points, t_interval
from sentiment_rnn.report.tables import Table
from sentiment_rnn.studies.filler.claims import MARGIN, loss_by_place, lost, verdicts
from sentiment_rnn.studies.filler.figures import filler_figure
from sentiment_rnn.studies.filler.measurements import (
    ANSWER,
    COLUMNS,
    MEASURES,
    MOST,
    NOTHING,
    SETTINGS,
    STATE,
    Kept,
    Measured,
    read_measured,
    what_is_kept,
)
from sentiment_rnn.studies.filler.reading import REVIEWS, SENTENCES, STOPS, Setting, areas
from sentiment_rnn.studies.kit.encoder_groups import Styles, styles_of
from sentiment_rnn.studies.kit.findings import Findings, mean_of
from sentiment_rnn.studies.kit.measurements import Measurements, read_styles
from sentiment_rnn.studies.kit.planned_runs import planned_runs
from sentiment_rnn.studies.kit.study import Study, Sweep
from sentiment_rnn.studies.kit.verdicts import undecided
from sentiment_rnn.tracking.results import results_of_sweeps
from sentiment_rnn.tracking.store import Store

SWEEP = "real_text"
"""Whose models read."""
ARMS = ("rnn", "gru", "lstm")
SEEDS = range(20, 30)


def measure(store: Store, _: Sequence[Sweep]) -> Measurements:
    """Areas of the models of real_text in each setting."""
    runtime.prepare(runtime.cores())
    runs = planned_runs(results_of_sweeps(store, SWEEP), ARMS, SEEDS)
    rows = [
        (run.encoder, run.seed, *setting, *found)
        for run in tqdm(runs, "Reading with filler", unit=" runs", disable=None, leave=False)
        for setting, found in areas(run, SETTINGS).items()
    ]
    return Measurements.of_rows(COLUMNS, rows, styles_of(runs))


def findings(folder: Path) -> Findings:
    """Findings from the areas; raises `UserError` where a file is missing or damaged."""
    measured, styles = read_measured(folder, SEEDS), read_styles(folder)
    states, answers = ({arm: what_is_kept(measured, arm, measure) for arm in ARMS} for measure in (STATE, ANSWER))
    missing = len(SEEDS) - min(len(measured[STATE][arm][NOTHING]) for arm in ARMS)
    return Findings(
        tables=[
            kept_table(measured, {STATE: states, ANSWER: answers}, styles),
            loss_table({STATE: states, ANSWER: answers}, styles),
            area_table(measured, styles),
        ],
        verdicts=undecided(verdicts(states, styles), missing),
        figures={"filler": filler_figure(states, answers, styles)},
    )


def losing_seeds(folder: Path) -> dict[str, tuple[int, int]]:
    """How many seeds lose more than the margin by place, and of how many, by arm."""
    measured = read_measured(folder, SEEDS)
    losses = {arm: loss_by_place(what_is_kept(measured, arm, STATE)) for arm in ARMS}
    return {arm: (lost(of_arm), len(of_arm)) for arm, of_arm in losses.items()}


def named(setting: Setting) -> str:
    """`400 neutral in front`, `100 neutral behind`."""
    return f"{setting.amount} {setting.filler} {setting.place}" if setting.amount else "none"


def kept_table(measured: Measured, kept: Mapping[str, Mapping[str, Kept]], styles: Styles) -> Table:
    """The share kept, by measure and arm, in each setting."""
    rows = []
    for measure in kept:
        for arm, of_arm in kept[measure].items():
            seeds = f"{len(of_arm[NOTHING])}/{len(measured[measure][arm][NOTHING])}"
            cells = (percent(t_interval(list(of_arm[s].values()))) if of_arm[s] else "" for s in SETTINGS[1:])
            rows.append((measure, styles[arm].label, seeds, *cells))
    title = (
        f"What is kept of what was known, by filler: mean with its 95 % t interval over the seeds that know something "
        f"({REVIEWS:,} reviews)"
    )
    return Table(title, ("of", "encoder", "seeds", *map(named, SETTINGS[1:])), rows)


def loss_table(kept: Mapping[str, Mapping[str, Kept]], styles: Styles) -> Table:
    """The loss by place, by measure, arm and filler."""
    rows = []
    for measure in kept:
        for arm, of_arm in kept[measure].items():
            for filler in (SENTENCES, STOPS):
                losses = loss_by_place(of_arm, filler)
                if losses:
                    mean = points(t_interval(list(losses.values())))
                    rows.append((measure, styles[arm].label, filler, mean, counted(lost(losses), len(losses))))
    title = (
        f"Loss by place [points of what was known]: with {MOST} tokens in front, less with {MOST} behind. Mean with "
        f"its 95 % t interval; seeds that lose more than {100 * MARGIN:.0f}"
    )
    return Table(title, ("of", "encoder", "filler", "loss", "seeds"), rows)


def area_table(measured: Measured, styles: Styles) -> Table:
    """Areas of all seeds, by measure, arm and setting."""
    rows = [
        (
            measure, styles[arm].label,
            *(mean_of([100 * area for area in measured[measure][arm][setting].values()]) for setting in SETTINGS),
        )
        for measure in MEASURES[::-1] for arm in ARMS
    ]  # fmt: skip
    title = "Area under the ROC curve [%] by filler, mean ± deviation over all seeds"
    return Table(title, ("of", "encoder", *map(named, SETTINGS)), rows)


STUDY = Study(
    name="filler",
    order=88,
    sweeps=(),
    measure=measure,
    findings=findings,
    needs={SWEEP: SWEEP},
)
