"""The two textbook tasks, adding and copying: does each encoder do better than one that remembers nothing?"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from sentiment_rnn.report.figures import new_figure, styled
from sentiment_rnn.report.statistics import Interval, t_interval, with_bounds
from sentiment_rnn.report.tables import Table
from sentiment_rnn.studies.kit.encoder_groups import Styles, by_encoder, styles_of
from sentiment_rnn.studies.kit.findings import Findings, mean_of
from sentiment_rnn.studies.kit.learning_rates import RATES, learning_rate_table, learning_rates_csv
from sentiment_rnn.studies.kit.measurements import Measurements, read_rows, read_styles
from sentiment_rnn.studies.kit.study import Study, Sweep
from sentiment_rnn.studies.kit.verdicts import Verdict, below, every, judged, negated
from sentiment_rnn.tracking.names import BASELINE, BEST_LOSS
from sentiment_rnn.tracking.results import Curve, RunResult, results_of_sweeps
from sentiment_rnn.tracking.store import Store

SOLVED = {"adding": 0.1, "copying": 0.5}
"""Share of the baseline below which a task counts as learnt: an error of 0.13 in a sum; half of the nats that are
possible on the symbols."""


class Case(NamedTuple):
    """A task, its length T, and what is to be beaten."""

    task: str
    steps: int
    baseline: float
    """The loss of who remembers nothing."""


Losses = dict[Case, dict[str, dict[int, float]]]
"""Test loss by case, encoder and seed."""


def measure(store: Store) -> Measurements:
    """Test loss of every run, and the curves of validation loss."""
    results = results_of_sweeps(store, "textbook_tasks")
    styles = styles_of(results)
    curves = {
        case: {
            encoder: [result.curve("val/loss") for result in group]
            for encoder, group in by_encoder([result for result in results if case_of(result) == case]).items()
        }
        for case in sorted({case_of(result) for result in results})
    }
    rows = [
        (
            result.config.task.name, result.config.task.steps, result.encoder, result.seed,
            result.metrics["test/loss"], result.metrics[BASELINE],
        )
        for result in results
    ]  # fmt: skip
    rates = learning_rates_csv(
        results_of_sweeps(store, "textbook_rate"), results, lambda run: run.metrics[BEST_LOSS] / run.metrics[BASELINE]
    )
    return Measurements.of_rows(
        ("task", "steps", "encoder", "seed", "test/loss", "baseline"),
        rows,
        styles,
        {RATES: rates},
        {"textbook": textbook_figure(curves, styles)},
    )


def findings(folder: Path) -> Findings:
    """Findings from the test losses."""
    losses, styles = read_losses(folder), read_styles(folder)
    return Findings(
        tables=[
            loss_table(losses, styles),
            learning_rate_table(
                "Validation loss by learning rate at T 50, as a share of the baseline's, the mean of both tasks",
                folder,
                styles,
                lowest=True,
            ),
        ],
        verdicts=verdicts(losses, styles),
    )


def read_losses(folder: Path) -> Losses:
    """Test losses from `results.csv`: cases in their order, encoders as they first occur, seeds in their order."""
    losses: Losses = {}
    for row in sorted(read_rows(folder), key=lambda row: (row["task"], int(row["steps"]))):
        groups = losses.setdefault(Case(row["task"], int(row["steps"]), float(row["baseline"])), {})
        groups.setdefault(row["encoder"], {})[int(row["seed"])] = float(row["test/loss"])
    return losses


def case_of(result: RunResult) -> Case:
    """The task of a run, and its length."""
    task = result.config.task
    return Case(task.name, task.steps, float(result.metrics[BASELINE]))


def solved(case: Case, losses: Sequence[float]) -> int:
    """How many seeds have learnt a task."""
    return sum(loss < SOLVED[case.task] * case.baseline for loss in losses)


def loss_table(losses: Losses, styles: Styles) -> Table:
    """Test loss of every encoder beside the baseline, and how many of its seeds have learnt the task."""
    rows = [("remembers nothing", *(f"{case.baseline:.4f}" for case in losses))]
    for encoder in dict.fromkeys(encoder for groups in losses.values() for encoder in groups):
        cells = []
        for case, groups in losses.items():
            values = list(groups.get(encoder, {}).values())
            cells.append(f"{mean_of(values, 4)} ({solved(case, values)} of {len(values)})" if values else "")
        rows.append((styles[encoder].label, *cells))
    title = "Test loss (and the seeds that have learnt the task): mean squared error, and nats per step"
    return Table(title, ("encoder", *(f"{case.task}, T {case.steps}" for case in losses)), rows)


@styled
def textbook_figure(curves: Mapping[Case, Mapping[str, Sequence[Curve]]], styles: Styles) -> Figure:
    """Validation loss while the tasks are learnt, one line per seed, with the baseline drawn in."""
    figure, panels = new_figure(len(curves), width=3.7, height=3.9)
    for axes, (case, groups) in zip(panels, curves.items(), strict=True):
        for encoder, seeds in groups.items():
            for position, (steps, values) in enumerate(seeds):
                label, color = styles[encoder]
                shown = label if position == 0 else None
                axes.plot(np.array(steps) + 1, values, color=color, marker="o", markersize=3, label=shown)
        axes.axhline(case.baseline, color="#555555", linestyle="--", linewidth=1, label="remembers nothing")
        unit = "mean squared error" if case.task == "adding" else "cross-entropy [nats per step]"
        axes.set(title=f"{case.task.capitalize()}, T {case.steps}", xlabel="training step", ylabel=unit, ylim=(0, None))
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


def verdicts(losses: Losses, styles: Styles) -> list[Verdict]:
    """Whether the LSTM learns what the vanilla RNN does not, by their usual initializations; each task is a part."""
    first, *others = losses.values()
    tried = [encoder for encoder in first if all(encoder in groups for groups in others)]
    counts = {
        encoder: {case: solved(case, list(groups[encoder].values())) for case, groups in losses.items()}
        for encoder in tried
    }
    best = max(tried, key=lambda encoder: sum(counts[encoder].values()))
    parts = [
        every((learns(case, groups["lstm"].values()), negated(learns(case, groups["rnn"].values()))))
        for case, groups in losses.items()
    ]
    by_task = "; ".join(
        f"{case.task} over {case.steps} {', '.join(str(counts[name][case]) for name in ('lstm', 'rnn', best))}"
        for case in losses
    )
    shares = "; ".join(
        f"{case.task} over {case.steps} {with_bounds(share_of_baseline(case, groups['lstm'].values()), 2)}"
        for case, groups in losses.items()
    )
    return [
        Verdict(
            "An LSTM learns the textbook tasks of long memory, a vanilla RNN does not.",
            judged(*parts),
            f"Seeds that learn, of {len(first['lstm'])} (LSTM, RNN, and the best initialization, "
            f"{styles[best].label}): {by_task}. The LSTM's loss as a share of the baseline's: "
            f"{shares}; a task is learnt below {SOLVED['adding']:g} (adding) and {SOLVED['copying']:g} (copying).",
        )
    ]


def share_of_baseline(case: Case, losses: Iterable[float]) -> Interval:
    """Loss as a share of that of an encoder that remembers nothing, with its interval over seeds."""
    return t_interval([loss / case.baseline for loss in losses], low=0.0)


def learns(case: Case, losses: Iterable[float]) -> bool | None:
    """Whether an encoder learns a task; None where its seeds do not decide."""
    return below(share_of_baseline(case, losses), SOLVED[case.task])


STUDY = Study(
    name="textbook",
    order=30,
    sweeps=(Sweep("textbook_rate", chooses_rates=True), Sweep("textbook_tasks")),
    measure=measure,
    findings=findings,
)
