"""The two textbook tasks, adding and copying: does each encoder do better than who remembers nothing?"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from mlflow.entities import Run

from sentiment_rnn.analysis.figures import new_figure, styled
from sentiment_rnn.analysis.tables import Table
from sentiment_rnn.data.textbook import baseline
from sentiment_rnn.studies.findings import Findings, Verdict, csv_text, judged, least_to_most, mean_of
from sentiment_rnn.studies.rates import rate_table
from sentiment_rnn.studies.starts import COLORS, LABELS, by_start, seed_of
from sentiment_rnn.tracking.results import runs_of
from sentiment_rnn.tracking.run import curve_of
from sentiment_rnn.tracking.store import Store

COMMAND = "textbook"
EXPERIMENTS = ("textbook_rate", "textbook_tasks")
SOLVED = {"adding": 0.1, "copying": 0.5}
"""Share of the baseline below which a task counts as learnt: an error of 0.13 in a sum; half of what is unsure of the
symbols."""

Case = tuple[str, int]
"""A task and its length T."""
Losses = dict[Case, dict[str, list[float]]]
"""Test loss by case and encoder, a number a seed."""


def findings(store: Store) -> Findings:
    """What the sweeps say."""
    runs = runs_of(store, "textbook_tasks")
    by_case = {case: by_start([run for run in runs if case_of(run) == case]) for case in sorted({*map(case_of, runs)})}
    losses: Losses = {
        case: {name: [float(run.data.metrics["test/loss"]) for run in group] for name, group in groups.items()}
        for case, groups in by_case.items()
    }
    rows = [
        (*case_of(run), run.data.params["encoder.name"], seed_of(run), float(run.data.metrics["test/loss"]),
         float(run.data.metrics["baseline"]))
        for run in runs
    ]  # fmt: skip
    curves = {
        case: {name: [curve_of(store, run.info.run_id, "val/loss") for run in group] for name, group in groups.items()}
        for case, groups in by_case.items()
    }
    return Findings(
        tables=[
            loss_table(losses),
            rate_table(
                "Validation loss by learning rate at T 50, as a share of who remembers nothing, the mean of both tasks",
                runs_of(store, "textbook_rate"),
                runs,
                lambda run: run.data.metrics["val/best_loss"] / run.data.metrics["baseline"],
                lowest=True,
                names=LABELS,
            ),
        ],
        figures={"textbook": textbook_figure(curves)},
        results=csv_text(("task", "steps", "encoder", "seed", "test/loss", "baseline"), rows),
        verdicts=verdicts(losses),
    )


def case_of(run: Run) -> Case:
    """The task of a run, and its length."""
    return run.data.params["task.name"], int(run.data.params["task.steps"])


def solved(case: Case, values: Sequence[float]) -> int:
    """How many seeds have learnt a task."""
    return sum(value < SOLVED[case[0]] * baseline(*case) for value in values)


def loss_table(losses: Losses) -> Table:
    """Test loss of every encoder beside the baseline, and how many of its seeds have learnt the task."""
    rows = [("remembers nothing", *(f"{baseline(*case):.4f}" for case in losses))]
    for name in [name for name in LABELS if any(name in groups for groups in losses.values())]:
        cells = []
        for case, groups in losses.items():
            cells.append(f"{mean_of(groups[name], 4)} ({solved(case, groups[name])} of {len(groups[name])})")
        rows.append((LABELS[name], *cells))
    title = "Test loss (and the seeds that have learnt the task): mean squared error, and nats a step"
    return Table(title, ("encoder", *(f"{task}, T {steps}" for task, steps in losses)), rows)


@styled
def textbook_figure(curves: Mapping[Case, Mapping[str, Sequence[tuple[Sequence[float], Sequence[float]]]]]) -> Figure:
    """Validation loss while the tasks are learnt, a line a seed, with the baseline drawn in."""
    figure, panels = new_figure(len(curves), width=3.7, height=3.9)
    for axes, (case, groups) in zip(panels, curves.items(), strict=True):
        for name, seeds in groups.items():
            for position, (steps, values) in enumerate(seeds):
                label = LABELS[name] if position == 0 else None
                axes.plot(np.array(steps) + 1, values, color=COLORS[name], marker="o", markersize=3, label=label)
        axes.axhline(baseline(*case), color="#555555", linestyle="--", linewidth=1, label="remembers nothing")
        unit = "mean squared error" if case[0] == "adding" else "cross-entropy [nats a step]"
        axes.set(title=f"{case[0].capitalize()}, T {case[1]}", xlabel="training step", ylabel=unit, ylim=(0, None))
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


def verdicts(losses: Losses) -> list[Verdict]:
    """Whether the LSTM learns what the vanilla RNN does not, by their usual starts."""
    cases = ", ".join(f"{task} over {steps}" for task, steps in losses)
    tried = [name for name in LABELS if all(name in groups for groups in losses.values())]
    learnt = {name: learnt_by_seed(losses, name) for name in tried}
    rnn, lstm, runs = sum(learnt["rnn"]), sum(learnt["lstm"]), len(learnt["lstm"]) * len(losses)
    best = max(tried, key=lambda name: sum(learnt[name]))
    return [
        Verdict(
            "An LSTM learns the textbook tasks of long memory, a vanilla RNN does not.",
            judged(lstm == runs and rnn == 0, lstm >= rnn + runs / 4),
            f"Of {runs} runs of each ({cases}) {lstm} of the LSTM have learnt their task "
            f"({least_to_most(learnt['lstm'])} with each seed), {rnn} of the RNN ({least_to_most(learnt['rnn'])}), and "
            f"{sum(learnt[best])} of the best start, {LABELS[best]} ({least_to_most(learnt[best])}).",
        )
    ]


def learnt_by_seed(losses: Losses, name: str) -> list[int]:
    """How many of the tasks an encoder has learnt with each seed."""
    by_seed = zip(*(groups[name] for groups in losses.values()), strict=True)
    return [sum(solved(case, [loss]) for case, loss in zip(losses, found, strict=True)) for found in by_seed]
