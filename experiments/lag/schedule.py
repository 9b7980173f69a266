"""Accuracy on validation after each epoch, by schedule of the learning rate: `protocols/2026-11-29_schedule.md`."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from experiments.lab.figures import arm_panels
from experiments.lab.findings import Findings
from experiments.lab.rules import LEARNS, Evidence
from experiments.lab.study import Protocol, Study
from experiments.lab.sweeps import Measured, draw_of, trained_runs
from sentiment_rnn.report.plotting import GUIDE, styled
from sentiment_rnn.report.tables import csv_text
from sentiment_rnn.tracking.store import Store

CURVES = "curves.csv"
COLUMNS = ("arm", "seed", "draw", "steps", "accuracy")
"""Of a run after so many training steps, on validation; `draw` is empty where the run counts."""


def measure(study: Study, protocol: Protocol, store: Store, overrides: Sequence[str] = ()) -> Measured:
    """The curve of every run, those of the searches too."""
    rows: list[tuple[object, ...]] = []
    for sweep in protocol.sweeps:
        for run in trained_runs(store, sweep.name, overrides, diverged=True):
            draw = draw_of(run) if sweep.searches else ""
            steps, accuracies = run.curve("val/accuracy")
            rows += [
                (*sweep.arms, run.seed, draw, step + 1, f"{accuracy:.4f}")
                for step, accuracy in zip(steps, accuracies, strict=True)
            ]
    return Measured(files={CURVES: csv_text(COLUMNS, rows)})


def findings(evidence: Evidence, table: pd.DataFrame) -> Findings:
    """The curves of the seeds that count; nothing before they were measured."""
    path = evidence.study.output / CURVES
    if not path.is_file():
        return Findings()
    curves = pd.read_csv(path)
    counted = curves[curves.draw.isna()]

    def draw(axes: Axes, arm: str) -> None:
        for _, run in counted[counted.arm == arm].groupby("seed"):
            axes.plot(run.steps, 100 * run.accuracy, color=evidence.study.arms[arm].color, linewidth=1, alpha=0.7)
        axes.axhline(100 * LEARNS, **GUIDE)
        axes.set(xscale="log", ylim=(45, 102), yticks=(50, 75, 100))

    arms = [arm for arm in evidence.arms if arm in np.unique(counted.arm)]
    if not arms:
        return Findings()
    drawn = styled(arm_panels)(arms, evidence.study.arms, "training steps", "accuracy on validation [%]", draw)
    return Findings(figures={"curves": drawn})
