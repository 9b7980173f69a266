"""The figure of a sweep: accuracy by seed, by lag or length, and by epoch; the gradients; or any metric."""

import math
import textwrap
from collections.abc import Callable, Iterable, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter, StrMethodFormatter

from sentiment_rnn.errors import UserError, did_you_mean
from sentiment_rnn.report.comparison import Arm, columns_of, percent_with_deviation
from sentiment_rnn.report.plotting import (
    GUIDE,
    PALETTE,
    PERCENT,
    WIDTH,
    accuracy_limits,
    decorate_accuracy,
    draw_level,
    ink,
    line_of,
    styled,
)
from sentiment_rnn.report.statistics import Spread, binned, logarithmic_bins, quantile_bins, spread

LEAST_LEFT = 1e-9
"""Lowest share of the gradient that is shown."""


@styled
def comparison_figure(arms: Sequence[Arm], title: str, panels: Sequence[str] = ()) -> Figure:
    """Panels on the same runs, two in a row; an arm always has the same colour.

    Args:
        panels: names of `PANELS`, or of metrics that a comparison shows; if empty, all of `PANELS`.
    """
    panels = panels or tuple(PANELS)
    columns = min(2, len(panels))
    rows = math.ceil(len(panels) / columns)
    figure = Figure(figsize=(WIDTH, rows * max(2.7, 0.8 + 0.36 * len(arms))), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
    configured = {arm.color.upper() for arm in arms if arm.color}
    free = iter([color for color in PALETTE if color not in configured])
    colors = {arm.name: arm.color or next(free, "") for arm in arms}
    if len({*colors.values()} - {""}) < len(arms):  # several arms of one encoder, or many arms: use other colours
        colors = {arm.name: to_hex(matplotlib.colormaps["tab20"](p % 20)) for p, arm in enumerate(arms)}
    for position, name in enumerate(panels):
        axes = figure.add_subplot(rows, columns, position + 1)
        if name in PANELS:
            PANELS[name](axes, arms, colors)
        else:
            _metric(axes, arms, colors, name)
    return figure


def check_panels(panels: Sequence[str], metrics: Iterable[str]) -> None:
    """Raise `UserError` for a name that is neither a panel nor one of the metrics that a comparison shows."""
    known = [*PANELS, *(column.metric for column in columns_of(metrics))]
    for name in panels:
        if name not in known:
            raise UserError(f"--panel {name}: no such panel; {did_you_mean(name, known, 'one of ')}")


def _metric(axes: Axes, arms: Sequence[Arm], colors: dict[str, str], name: str) -> None:
    for row, arm in enumerate(arms):
        score = arm.metric(name)
        axes.errorbar(score.mean, row, xerr=score.deviation, color=colors[arm.name], capsize=4, linewidth=2)
        axes.scatter([run.metrics[name] for run in arm.runs], [row] * len(arm.runs), color=colors[arm.name], s=28)
    _name_rows(axes, arms)
    axes.set(title=name, xlabel="a dot a seed, mean ± sd")


def _name_rows(axes: Axes, arms: Sequence[Arm]) -> None:
    axes.set_yticks(range(len(arms)), [textwrap.fill(arm.label, 20) for arm in arms])
    axes.set_ylim(len(arms) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)


def _scores(axes: Axes, arms: Sequence[Arm], colors: dict[str, str]) -> None:
    # The axis starts just below chance, or below the worst run.
    lowest = min(0.45, *(run.metrics["test/accuracy"] - 0.05 for arm in arms for run in arm.runs))
    for row, arm in enumerate(arms):
        accuracies = [run.metrics["test/accuracy"] for run in arm.runs]
        score = arm.metric("test/accuracy")
        color = colors[arm.name]
        axes.barh(row, score.mean - lowest, left=lowest, color=color, alpha=0.25, height=0.6)
        axes.errorbar(score.mean, row, xerr=score.deviation, color=color, capsize=4, linewidth=2)
        axes.scatter(accuracies, [row] * len(accuracies), color=color, s=28, zorder=3, edgecolor="white")
        mean = percent_with_deviation(Spread(score.mean, math.nan))  # as in the table
        axes.text(max(*accuracies, score.mean + np.nan_to_num(score.deviation)) + 0.02, row, mean, va="center",
                  fontsize="small", fontweight="bold", color=ink(color))  # fmt: skip
    axes.axvline(0.5, **GUIDE)
    _name_rows(axes, arms)
    axes.xaxis.set_major_formatter(PERCENT)
    axes.set(title="Test accuracy", xlabel="a dot a seed, mean ± sd", xlim=(lowest, 1.14))


def _accuracy_by(axes: Axes, arms: Sequence[Arm], colors: dict[str, str]) -> None:
    known = all(run.predictions.has_lags for arm in arms for run in arm.runs)
    by = "lags" if known else "lengths"
    for arm in arms:
        values = np.concatenate([getattr(run.predictions, by) for run in arm.runs])
        edges = logarithmic_bins(values, 10) if known else quantile_bins(values, 10)
        centers, means, deviations = [], [], []
        for low, high, inside in binned(values, edges):
            score = spread(arm.accuracies(by, low, high))
            centers.append(float(np.median(values[inside])))
            means.append(score.mean)
            deviations.append(score.deviation)
        lower, upper = np.array(means) - deviations, np.array(means) + deviations
        axes.plot(centers, means, **line_of(arm.name), markersize=4, color=colors[arm.name], label=arm.label)
        axes.fill_between(centers, lower, upper, color=colors[arm.name], alpha=0.2, linewidth=0)
    decorate_accuracy(axes, "lag" if known else "length", "Test accuracy")
    if len(arms) <= 5:  # more would hide the curves; the bars name the colours
        axes.legend(loc="best", fontsize="small")


def _validation(axes: Axes, arms: Sequence[Arm], colors: dict[str, str]) -> None:
    most = 1
    for arm in arms:
        for run in arm.runs:
            validation = run.curve("val/accuracy")[1]
            most = max(most, len(validation))
            epochs, color = range(1, len(validation) + 1), colors[arm.name]
            axes.plot(epochs, validation, "o-", color=color, label=arm.label, markersize=3, linewidth=1.4)
    draw_level(axes, 0.5)
    axes.set_xlim(0.5, most + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    axes.yaxis.set_major_formatter(PERCENT)
    axes.set(title="Validation accuracy", xlabel="epoch (a line a seed)", ylim=accuracy_limits(axes))


def _gradients(axes: Axes, arms: Sequence[Arm], colors: dict[str, str]) -> None:
    """Panel of the gradient at each step back, relative to the last token, before training. After training, any model
    with right answers has a loss near 0, and so a gradient near 0."""
    for arm in arms:
        for run in arm.runs:
            steps_back, before, _ = run.gradients
            if before[0] > 0:
                axes.plot(steps_back, before / before[0], color=colors[arm.name], linewidth=1.4)
    axes.set_yscale("log")
    axes.set_ylim(bottom=min(0.09, max(LEAST_LEFT, axes.get_ylim()[0])))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set(title="Gradient left before training", xlabel="steps back (a line a seed)", ylabel="share of the last")


PANELS: dict[str, Callable[[Axes, Sequence[Arm], dict[str, str]], None]] = {
    "accuracy": _scores,
    "lag": _accuracy_by,
    "validation": _validation,
    "gradients": _gradients,
}
"""Functions that draw the panels, by the names that `--panel` takes."""
