"""Figures of studies: shares of seeds that learn, steps until they do, means and scores."""

import math
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.stats import CensoredData, ecdf

from experiments.lab.rules import LEARNS, MOST, Evidence
from experiments.lab.study import Arm
from sentiment_rnn.report.figures import new_figure, styled
from sentiment_rnn.report.statistics import Interval, accuracy_interval

Arms = Mapping[str, Arm]
ABOVE = f"share of seeds above {100 * LEARNS:g} %"
BEHIND = "#DCDCDC"
"""Colour of the other arms."""
GUIDE: dict[str, Any] = {"color": "#999999", "linestyle": "--", "linewidth": 1}
"""A line that curves are held against."""
MOST_COLUMNS = 4
MOST_ROWS = 3
"""Most conditions that have a panel each."""
LABEL_LETTERS = 26
"""Most letters of a line of a label over its panel."""


def arm_panels(
    arms: Sequence[str], styles: Arms, xlabel: str, ylabel: str, draw: Callable[[Axes, str], None]
) -> Figure:
    """A grid of panels on the same axes, one for each arm, into which `draw` draws."""
    rows = math.ceil(len(arms) / MOST_COLUMNS)
    columns = math.ceil(len(arms) / rows)
    figure = Figure(figsize=(2.7 * columns + 0.3, 2.0 * rows + 0.7), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, name in zip(panels, arms, strict=False):
        draw(axes, name)
        axes.set_title(textwrap.fill(styles[name].label, LABEL_LETTERS))
    for axes in panels[len(arms) :]:
        axes.set_visible(False)
    for axes in panels[max(0, len(arms) - columns) : len(arms)]:  # the lowest of each column
        axes.tick_params(labelbottom=True)
    figure.supxlabel(xlabel, fontsize="medium")
    figure.supylabel(textwrap.fill(ylabel, 30 * rows), fontsize="medium")
    return figure


def mark_lags(axes: Axes, lags: Iterable[int]) -> None:
    """A log axis with the lags that were tried, and no others, on it."""
    tried = sorted(lags)
    axes.set_xscale("log")
    axes.set_xticks(tried, [str(lag) for lag in tried], fontsize="small")
    axes.minorticks_off()


def mark_rows(axes: Axes, labels: Sequence[str]) -> None:
    """A row for each arm, the first on top, with its label; an empty one where a panel beside it has it."""
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)


def name_arms(axes: Axes, arms: Iterable[str], styles: Arms) -> None:
    """A dot in the legend for each arm, in its colour, once."""
    for arm in dict.fromkeys(arms):
        axes.scatter([], [], color=styles[arm].color, label=styles[arm].label)


def shares_by_lag(evidence: Evidence, arm: str) -> dict[int, Interval]:
    """The share of seeds that learn, by lag."""
    lags = [at for at in evidence.conditions if (arm, at) in evidence.scores]
    return {int(at): evidence.share(arm, at) for at in sorted(lags, key=int)}


def shares(evidence: Evidence) -> Figure:
    """Share of seeds that learn: a panel for each of a few conditions, or for each arm where there are more."""
    return share_rows(evidence) if len(evidence.conditions) <= MOST_ROWS else share_panels(evidence)


@styled
def share_panels(evidence: Evidence) -> Figure:
    """Share of seeds that learn by lag, a panel for each arm, in a band of its exact intervals."""
    shares = {arm: shares_by_lag(evidence, arm) for arm in evidence.arms}

    def draw(axes: Axes, arm: str) -> None:
        for other in shares.values():
            axes.plot(list(other), [share.estimate for share in other.values()], color=BEHIND, linewidth=1)
        own, color = shares[arm], evidence.study.arms[arm].color
        low, high = [share.low for share in own.values()], [share.high for share in own.values()]
        axes.fill_between(list(own), low, high, color=color, alpha=0.2, linewidth=0)
        axes.plot(list(own), [share.estimate for share in own.values()], color=color, marker="o", markersize=4)
        axes.axhline(MOST, **GUIDE)
        mark_lags(axes, map(int, evidence.conditions))
        axes.set_ylim(-0.04, 1.04)

    return arm_panels(list(shares), evidence.study.arms, "lag [tokens]", ABOVE, draw)


@styled
def share_lines(shares: Mapping[str, Mapping[int, Interval]], styles: Arms) -> Figure:
    """Share of seeds that learn by lag, a line for each of a few arms, with exact intervals."""
    figure, (axes,) = new_figure(1, width=6.4, height=3.7)
    draw_lines(axes, {arm: by_lag for arm, by_lag in shares.items() if by_lag}, styles, apart=1.035)
    axes.axhline(MOST, **GUIDE)
    mark_lags(axes, {lag for by_lag in shares.values() for lag in by_lag})
    axes.set(ylim=(-0.04, 1.04), ylabel=ABOVE, xlabel="lag: from the deciding clause to the end [tokens]")
    figure.legend(loc="outside right center")
    return figure


def draw_lines(axes: Axes, lines: Mapping[str, Mapping[int, Interval]], styles: Arms, apart: float) -> None:
    """A line with whiskers for each arm, of its intervals by place on a log axis.

    Args:
        apart: factor between the places of two arms, so that no whisker hides another.
    """
    for number, (arm, intervals) in enumerate(lines.items()):
        aside = apart ** (number - (len(lines) - 1) / 2)
        x, (y, low, high) = [aside * place for place in intervals], np.transpose(list(intervals.values()))
        style: dict[str, Any] = {"label": styles[arm].label, "color": styles[arm].color}
        axes.errorbar(x, y, (y - low, high - y), marker="o", markersize=5, capsize=2, **style)


def carried(evidence: Evidence) -> Figure:
    """Of the seeds that learn, the share that carries each lag, with exact intervals; those of training shaded."""
    figure = share_lines({arm: shares_by_lag(evidence, arm) for arm in evidence.arms}, evidence.study.arms)
    (axes,) = figure.axes
    trained = [int(at) for at in evidence.protocol.among]
    axes.axvspan(0.9 * min(trained), 1.1 * max(trained), color="#F0F0F0", zorder=0)
    axes.set_title("Of the seeds that learn (shaded: the lags of training)", fontsize="medium")
    return figure


@styled
def share_rows(evidence: Evidence) -> Figure:
    """Share of seeds that learn, a row for each arm and a panel for each condition, with exact intervals."""

    def draw(axes: Axes, row: int, arm: str, condition: str) -> None:
        share, low, high = evidence.share(arm, condition)
        color = evidence.study.arms[arm].color
        axes.plot([low, high], [row, row], color=color, linewidth=2.2, solid_capstyle="butt")
        axes.plot(share, row, "o", color=color, clip_on=False)

    figure = row_panels(evidence, draw, width=2.6, height=0.9 + 0.27 * len(evidence.arms), level=MOST)
    for axes, condition in zip(figure.axes, evidence.conditions, strict=True):
        axes.set(title=f"{condition} {evidence.study.unit}", xlabel=ABOVE)
    return figure


def row_panels(
    evidence: Evidence, draw: Callable[[Axes, int, str, str], None], width: float, height: float, level: float
) -> Figure:
    """A panel for each condition, a row for each arm, into which `draw` draws what was run; a line at `level`."""
    arms, conditions = evidence.arms, evidence.conditions
    figure, panels = new_figure(len(conditions), 2.2 + width / len(conditions), height)
    for axes, condition in zip(panels, conditions, strict=True):
        for row, arm in enumerate(arms):
            if (arm, condition) in evidence.scores:
                draw(axes, row, arm, condition)
        axes.axvline(level, **GUIDE)
        mark_rows(axes, [evidence.label(arm) if axes is panels[0] else "" for arm in arms])
        axes.set_xlim(-0.04, 1.04)
    return figure


def steps_of(evidence: Evidence, arm: str, condition: str) -> tuple[list[int], list[int]]:
    """Training steps after which seeds of an arm reached `LEARNS` on validation, and those after which others ended."""
    steps, learned = evidence.learning_times
    at = arm, condition
    seeds = [seed for seed in steps.get(at, {}) if seed in evidence.scores.get(at, {})]
    return [int(steps[at][s]) for s in seeds if learned[at][s]], [
        int(steps[at][s]) for s in seeds if not learned[at][s]
    ]


@styled
def steps(evidence: Evidence) -> Figure:
    """Share of seeds that have learned, against steps (Kaplan & Meier 1958): a panel for each arm, a line for each
    condition, with a bar across where runs ended that had not."""
    conditions, arms = evidence.conditions, evidence.arms
    colors = matplotlib.colormaps["viridis_r"](np.linspace(0.08, 1, len(conditions)))
    color_of = {condition: to_hex(color) for condition, color in zip(conditions, colors, strict=True)}
    found = {
        (arm, at): steps_of(evidence, arm, at) for arm in arms for at in conditions if (arm, at) in evidence.scores
    }
    right = 1.05 * max(step for kinds in found.values() for kind in kinds for step in kind)  # the last step shows

    def draw(axes: Axes, name: str) -> None:
        for (arm, condition), (learned, ended) in found.items():
            if arm == name:
                curve = ecdf(CensoredData(learned, right=ended)).cdf
                x = np.array([0, *curve.quantiles, right])
                y = np.array([0.0, *curve.probabilities, curve.probabilities[-1]])
                axes.step(x, y, where="post", color=color_of[condition], linewidth=1.6)
                at = [y[np.searchsorted(x, step, side="right") - 1] for step in sorted(set(ended))]
                axes.plot(sorted(set(ended)), at, "|", color=color_of[condition], markersize=8)
        axes.set(xlim=(0, right), ylim=(-0.04, 1.04))

    figure = arm_panels(arms, evidence.study.arms, "training steps", f"{ABOVE} on validation", draw)
    lines = [Line2D([], [], color=color, linewidth=2) for color in color_of.values()]
    labels = [f"{condition} {evidence.study.unit}" for condition in conditions]
    figure.legend(lines, labels, loc="outside upper center", ncols=min(len(conditions), 2 * len(arms)))
    return figure


@styled
def accuracy(evidence: Evidence) -> Figure:
    """Test accuracy, one dot per seed, and the mean with its interval; paler where something is changed."""
    arms = evidence.arms
    figure, (axes,) = new_figure(1, width=8, height=0.9 + 0.45 * len(arms))
    for row, arm in enumerate(arms):
        values, style = list(evidence.scores[arm, ""].values()), evidence.study.arms[arm]
        mean, low, high = accuracy_interval(values)
        axes.scatter(values, [row] * len(values), color=style.color, s=26, alpha=0.3 if style.settings else 0.7)
        axes.errorbar(mean, row + 0.25, xerr=[[mean - low], [high - mean]], color=style.color, marker="|", capsize=3)
    mark_rows(axes, [evidence.label(arm) for arm in arms])
    axes.set(xlabel="test accuracy\n(one dot per seed; bars: mean with 95 % interval)")
    return figure


@styled
def bits(evidence: Evidence) -> Figure:
    """Bits that are kept against bits that are to be kept, a line for each arm, with t intervals."""
    figure, (axes,) = new_figure(1, width=6.4, height=3.9)
    copied = {int(at.split()[1]): at for at in evidence.conditions if at.startswith("copying")}
    axes.plot(list(copied), list(copied), **GUIDE, label="all of them")
    arms = [arm for arm in evidence.arms if all((arm, at) in evidence.scores for at in copied.values())]
    kept = {
        arm: {
            symbols: Interval(*symbols * np.array(accuracy_interval(list(evidence.scores[arm, at].values()))))
            for symbols, at in copied.items()
        }
        for arm in (arms if copied else ())
    }
    draw_lines(axes, kept, evidence.study.arms, apart=1.02)
    axes.set_xscale("log", base=2)
    axes.set_xticks(list(copied), [str(symbols) for symbols in copied])
    axes.minorticks_off()
    axes.set(xlabel="bits to keep for 28 steps", ylabel="bits kept (mean with 95 % interval)", ylim=(0, None))
    figure.legend(loc="outside right center")
    return figure


@styled
def kept(evidence: Evidence) -> Figure:
    """What is kept, one dot per seed: a panel for each task, a row for each arm."""

    def draw(axes: Axes, row: int, arm: str, condition: str) -> None:
        values, color = list(evidence.scores[arm, condition].values()), evidence.study.arms[arm].color
        axes.scatter(values, [row] * len(values), color=color, s=26, alpha=0.6, clip_on=False)

    figure = row_panels(evidence, draw, width=2.2, height=1.2 + 0.4 * len(evidence.arms), level=LEARNS)
    for axes, condition in zip(figure.axes, evidence.conditions, strict=True):
        axes.set(title=condition.replace(" over", "\nover"), xlabel="share kept")
    return figure
