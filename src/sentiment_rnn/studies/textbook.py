"""The two textbook tasks, adding and copying: does each encoder do better than who remembers nothing?"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from sentiment_rnn.data.sequences import baseline
from sentiment_rnn.report.figures import new_figure, styled
from sentiment_rnn.report.tables import Table
from sentiment_rnn.studies.kit.encoder_groups import Styles, by_encoder, styles_of
from sentiment_rnn.studies.kit.findings import Findings, Verdict, csv_text, judged, least_to_most, mean_of
from sentiment_rnn.studies.kit.learning_rates import learning_rate_table
from sentiment_rnn.studies.kit.study import Study, Sweep
from sentiment_rnn.tracking.names import BASELINE, BEST_LOSS
from sentiment_rnn.tracking.results import Curve, RunResult, results_of_sweeps
from sentiment_rnn.tracking.store import Store

SOLVED = {"adding": 0.1, "copying": 0.5}
"""Share of the baseline below which a task counts as learnt: an error of 0.13 in a sum; half of the nats that are
possible on the symbols."""

Case = tuple[str, int]
"""A task and its length T."""
Losses = dict[Case, dict[str, list[float]]]
"""Test loss by case and encoder, one number per seed."""


def findings(store: Store) -> Findings:
    """Findings from the sweep over both tasks."""
    results = results_of_sweeps(store, "textbook_tasks")
    styles = styles_of(results)
    by_case = {
        case: by_encoder([result for result in results if case_of(result) == case])
        for case in sorted({case_of(result) for result in results})
    }
    losses: Losses = {
        case: {encoder: [result.metrics["test/loss"] for result in group] for encoder, group in groups.items()}
        for case, groups in by_case.items()
    }
    rows = [
        (*case_of(result), result.encoder, result.seed, result.metrics["test/loss"], result.metrics[BASELINE])
        for result in results
    ]
    curves = {
        case: {encoder: [result.curve("val/loss") for result in group] for encoder, group in groups.items()}
        for case, groups in by_case.items()
    }
    return Findings(
        tables=[
            loss_table(losses, styles),
            learning_rate_table(
                "Validation loss by learning rate at T 50, as a share of who remembers nothing, the mean of both tasks",
                results_of_sweeps(store, "textbook_rate"),
                results,
                lambda result: result.metrics[BEST_LOSS] / result.metrics[BASELINE],
                lowest=True,
            ),
        ],
        figures={"textbook": textbook_figure(curves, styles)},
        results=csv_text(("task", "steps", "encoder", "seed", "test/loss", "baseline"), rows),
        verdicts=verdicts(losses, styles),
    )


def case_of(result: RunResult) -> Case:
    """The task of a run, and its length."""
    return result.config.task.name, result.config.task.steps


def solved(case: Case, losses: Sequence[float]) -> int:
    """How many seeds have learnt a task."""
    return sum(loss < SOLVED[case[0]] * baseline(*case) for loss in losses)


def loss_table(losses: Losses, styles: Styles) -> Table:
    """Test loss of every encoder beside the baseline, and how many of its seeds have learnt the task."""
    rows = [("remembers nothing", *(f"{baseline(*case):.4f}" for case in losses))]
    for encoder in dict.fromkeys(encoder for groups in losses.values() for encoder in groups):
        cells = []
        for case, groups in losses.items():
            values = groups.get(encoder, [])
            cells.append(f"{mean_of(values, 4)} ({solved(case, values)} of {len(values)})" if values else "")
        rows.append((styles[encoder].label, *cells))
    title = "Test loss (and the seeds that have learnt the task): mean squared error, and nats a step"
    return Table(title, ("encoder", *(f"{task}, T {steps}" for task, steps in losses)), rows)


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
        axes.axhline(baseline(*case), color="#555555", linestyle="--", linewidth=1, label="remembers nothing")
        unit = "mean squared error" if case[0] == "adding" else "cross-entropy [nats a step]"
        axes.set(title=f"{case[0].capitalize()}, T {case[1]}", xlabel="training step", ylabel=unit, ylim=(0, None))
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


def verdicts(losses: Losses, styles: Styles) -> list[Verdict]:
    """Whether the LSTM learns what the vanilla RNN does not, by their usual initializations."""
    cases = ", ".join(f"{task} over {steps}" for task, steps in losses)
    first, *others = losses.values()
    tried = [encoder for encoder in first if all(encoder in groups for groups in others)]
    learnt = {encoder: learnt_by_seed(losses, encoder) for encoder in tried}
    rnn, lstm, runs = sum(learnt["rnn"]), sum(learnt["lstm"]), len(learnt["lstm"]) * len(losses)
    best = max(tried, key=lambda encoder: sum(learnt[encoder]))
    return [
        Verdict(
            "An LSTM learns the textbook tasks of long memory, a vanilla RNN does not.",
            judged(lstm == runs and rnn == 0, lstm >= rnn + runs / 4),
            f"Of {runs} runs of each ({cases}) {lstm} of the LSTM have learnt their task "
            f"({least_to_most(learnt['lstm'])} with each seed), {rnn} of the RNN ({least_to_most(learnt['rnn'])}), and "
            f"{sum(learnt[best])} of the best start, {styles[best].label} ({least_to_most(learnt[best])}).",
        )
    ]


def learnt_by_seed(losses: Losses, encoder: str) -> list[int]:
    """How many of the tasks an encoder has learnt with each seed."""
    by_seed = zip(*(groups[encoder] for groups in losses.values()), strict=True)
    return [sum(solved(case, [loss]) for case, loss in zip(losses, of_seed, strict=True)) for of_seed in by_seed]


STUDY = Study(
    name="textbook",
    order=30,
    sweeps=(Sweep("textbook_rate", chooses_rates=True), Sweep("textbook_tasks")),
    findings=findings,
)
