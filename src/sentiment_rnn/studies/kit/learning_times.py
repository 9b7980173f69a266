"""How many steps a run trains until validation says that it has learnt, and the share of seeds that have, by steps.

A run that never learns is censored at its last step: it says no more than that it had not learnt by then.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.stats import CensoredData, ecdf

from sentiment_rnn.report.figures import styled
from sentiment_rnn.report.shares import counted, share_interval
from sentiment_rnn.report.tables import Table, csv_text
from sentiment_rnn.studies.kit.arm_panels import arm_panels
from sentiment_rnn.studies.kit.encoder_groups import Styles, by_encoder, distance_of
from sentiment_rnn.studies.kit.learnt_shares import learnt_span
from sentiment_rnn.studies.kit.measurements import read_rows, reading
from sentiment_rnn.studies.kit.scores import REMEMBERS
from sentiment_rnn.tracking.results import Curve, RunResult

TIMES = "learning_steps.csv"


class LearningTime(NamedTuple):
    """How long a run took to learn."""

    steps: int
    """Optimizer steps until the first validation that reached it, or until the run ended."""
    learnt: bool
    """False: censored."""


Times = dict[str, dict[int, list[LearningTime]]]
"""By arm and distance, one per seed."""


def learning_time(validation: Curve) -> LearningTime:
    """When validation accuracy first reached `REMEMBERS`; `validation` is `RunResult.curve("val/accuracy")`."""
    for step, accuracy in zip(*validation, strict=True):
        if accuracy >= REMEMBERS - 1e-6:  # of a float32
            return LearningTime(step + 1, True)
    return LearningTime(validation[0][-1] + 1, False)


def learning_times_csv(results: Iterable[RunResult]) -> str:
    """The content of `learning_steps.csv`: a row for each run, at the distance of its longest reviews."""
    rows = [
        (arm, distance_of(result), result.seed, *learning_time(result.curve("val/accuracy")))
        for arm, group in by_encoder(results).items()
        for result in sorted(group, key=distance_of)
    ]
    return csv_text(("encoder", "distance", "seed", "steps", "learnt"), rows)


@reading
def read_learning_times(folder: Path, seeds: Collection[int] | None = None) -> Times:
    """What `learning_times_csv` wrote.

    Args:
        seeds: those that count; None for all.
    """
    times: Times = {}
    for row in read_rows(folder, TIMES):
        if seeds is not None and int(row["seed"]) not in seeds:
            continue
        by_distance = times.setdefault(row["encoder"], {})
        found = LearningTime(int(row["steps"]), row["learnt"] == "True")
        by_distance.setdefault(int(row["distance"]), []).append(found)
    return times


def share_by_steps(times: Sequence[LearningTime]) -> tuple[np.ndarray, np.ndarray]:
    """Steps at which seeds learn, and the share that has learnt by then (Kaplan & Meier 1958).

    Where all runs have one budget, it is the count of those that have learnt by all of them.
    """
    learnt = [time.steps for time in times if time.learnt]
    censored = [time.steps for time in times if not time.learnt]
    found = ecdf(CensoredData(learnt, right=censored)).cdf
    return np.asarray(found.quantiles), np.asarray(found.probabilities)


def learnt_within(times: Sequence[LearningTime], steps: int) -> tuple[int, int]:
    """How many seeds have learnt within so many steps, and of how many; one that ended before has not."""
    return sum(time.learnt and time.steps <= steps for time in times), len(times)


def span_within(times: Mapping[int, Sequence[LearningTime]], steps: int) -> int:
    """The longest distance up to which more than half of the seeds learn within so many steps, by the lower bounds."""
    return learnt_span({d: share_interval(*learnt_within(seeds, steps)) for d, seeds in times.items()})


def span_by_steps_table(times: Times, styles: Styles, budgets: Sequence[int]) -> Table:
    """The span of each arm within each number of steps, and its seeds at the first distance beyond the last span."""
    rows = []
    for arm, by_distance in times.items():
        reached = [span_within(by_distance, steps) for steps in budgets]
        beyond = min((distance for distance in by_distance if distance > reached[-1]), default=None)
        seeds = "" if beyond is None else f"{counted(*learnt_within(by_distance[beyond], budgets[-1]))} at {beyond}"
        rows.append((styles[arm].label, *map(str, reached), seeds))
    title = (
        f"Memory span [tokens] by training steps: up to where more than half of the seeds reach {100 * REMEMBERS:g} % "
        "on validation, by the lower bound of the exact 95 % interval"
    )
    return Table(title, ("encoder", *(f"{steps:,} steps" for steps in budgets), "seeds beyond it"), rows)


def learning_time_table(times: Times, styles: Styles, budgets: Sequence[int]) -> Table:
    """Seeds of each arm and distance that have learnt within each number of steps, and the median of their steps."""
    rows = []
    for arm, by_distance in times.items():
        for distance, seeds in sorted(by_distance.items()):
            learnt = [time.steps for time in seeds if time.learnt]
            typical = f"{np.median(learnt):,.0f}" if learnt else ""
            cells = [counted(*learnt_within(seeds, steps)) for steps in budgets]
            rows.append((styles[arm].label, str(distance), *cells, typical))
    title = (
        f"Seeds that have reached {100 * REMEMBERS:g} % on validation, by training steps, with exact 95 % intervals, "
        "and the median of their steps"
    )
    return Table(title, ("encoder", "tokens", *(f"{steps:,} steps" for steps in budgets), "median"), rows)


@styled
def learning_time_figure(times: Times, styles: Styles) -> Figure:
    """Share of seeds that have learnt, against steps: a panel for each arm, a line for each distance, with a bar across
    where runs are censored."""
    distances = sorted({distance for by_distance in times.values() for distance in by_distance})
    colors = matplotlib.colormaps["viridis_r"](np.linspace(0.08, 1, len(distances)))
    color_of = {distance: to_hex(color) for distance, color in zip(distances, colors, strict=True)}
    last = max(time.steps for by_distance in times.values() for seeds in by_distance.values() for time in seeds)
    right = 1.05 * last  # so that what is learnt by the last step shows

    def draw(axes: Axes, arm: str) -> None:
        for distance, seeds in sorted(times[arm].items()):
            steps, shares = share_by_steps(seeds)
            x, y = np.array([0, *steps, right]), np.array([0.0, *shares, shares[-1]])
            axes.step(x, y, where="post", color=color_of[distance], linewidth=1.6)
            censored = sorted({time.steps for time in seeds if not time.learnt})
            at = [y[np.searchsorted(x, step, side="right") - 1] for step in censored]
            axes.plot(censored, at, "|", color=color_of[distance], markersize=8)
        axes.set(xlim=(0, right), ylim=(-0.04, 1.04))

    share = f"share of seeds above {100 * REMEMBERS:g} % on validation"
    figure = arm_panels(times, styles, "training steps", share, draw)
    columns = min(len(distances), 2 * len(times))
    lines = [Line2D([], [], color=color_of[distance], linewidth=2) for distance in distances]
    figure.legend(lines, [f"{distance} tokens" for distance in distances], loc="outside upper center", ncols=columns)
    return figure
