"""Figures of studies: shares of seeds that succeed, by condition or by lag, and accuracies."""

from collections.abc import Iterable, Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.lab.rules import MOST, Evidence
from experiments.lab.study import Arm
from sentiment_rnn.report.plotting import GUIDE, draw_level, ink, line_of, new_figure, styled
from sentiment_rnn.report.statistics import Interval

Arms = Mapping[str, Arm]
SUCCEED = "seeds that succeed [%]"
LAG = "lag: tokens from the deciding clause to the end"


def mark_lags(axes: Axes, lags: Iterable[int]) -> None:
    """Set up a log axis whose ticks are the lags that were tried."""
    tried = sorted(lags)
    axes.set_xscale("log")
    axes.set_xticks(tried, [str(lag) for lag in tried])
    axes.minorticks_off()


def mark_rows(axes: Axes, labels: Sequence[str]) -> None:
    """Set up a row for each arm, the first on top, with its label. Labels are empty if a panel beside it has them."""
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)


def in_percent(intervals: Mapping[int, Interval]) -> np.ndarray:
    """[3, lags]: shares with the bounds of their intervals [%]."""
    return 100 * np.transpose(list(intervals.values()))


@styled
def carried(evidence: Evidence) -> Figure:
    """Share of seeds that succeed at each lag, among those that succeed at the trained lags (shaded). There is a line
    for each arm, with exact intervals."""
    shares = {arm: evidence.shares_by_lag(arm) for arm in evidence.arms}
    figure, (axes,) = new_figure(height=3.9)
    mark_lags(axes, {lag for by_lag in shares.values() for lag in by_lag})
    draw_level(axes, 100 * MOST, "half of the seeds")
    axes.set(ylim=(-4, 104), ylabel=SUCCEED, xlabel=LAG)
    title = "Seeds that succeed where they were trained (shaded). Pale: 95 % intervals."
    axes.set_title(title, fontsize="medium", fontweight="normal", pad=9)
    drawn, lines = [], {arm: of for arm, of in shares.items() if of}
    for number, (arm, of) in enumerate(lines.items()):
        x = np.multiply(list(of), 1.035 ** (number - (len(lines) - 1) / 2))  # so that no bar hides another
        style, (share, low, high) = evidence.study.arms[arm], in_percent(of)
        axes.vlines(x, low, high, color=style.color, alpha=0.3, linewidth=2.5)
        drawn += axes.plot(x, share, label=style.label, color=style.color, **line_of(style.encoder))
    label_ends(figure, axes, drawn)
    trained = [int(at) for at in evidence.protocol.among]
    axes.axvspan(0.9 * min(trained), 1.1 * max(trained), color="#F0F0F0", zorder=0)
    return figure


def label_ends(figure: Figure, axes: Axes, lines: Sequence[Line2D]) -> None:
    """Write the label of each line after its end, in its colour. Labels that would overlap are moved up or down.

    Call it after the limits of the axes are set.
    """
    if not lines:
        return
    lines = sorted(lines, key=lambda line: [*reversed(np.asarray(line.get_ydata(), float))])  # from below
    ends = [np.asarray(line.get_xydata(), float)[-1] for line in lines]
    for line, (x, y), place in zip(lines, ends, places_of_labels(figure, axes, np.array(ends)), strict=True):
        arrow = {"arrowstyle": "-", "color": line.get_color(), "linewidth": 0.8, "relpos": (0, 0.5), "shrinkB": 4}
        axes.annotate(
            str(line.get_label()), (x, y), (1.05, place), textcoords="axes fraction", va="center",
            color=ink(str(line.get_color())), arrowprops=arrow, annotation_clip=False,
        )  # fmt: skip


def places_of_labels(figure: Figure, axes: Axes, points: np.ndarray) -> np.ndarray:
    """Heights at which labels of points do not overlap, as close to the points as possible.

    Args:
        points: [N, 2] in the units of the data, sorted from bottom to top.

    Returns:
        float [N], shares of the height of the axes.
    """
    heights = (axes.transScale + axes.transLimits).transform(points)[:, 1]
    row = 1.35 / 72 * matplotlib.rcParams["font.size"] * figure.dpi / axes.bbox.height
    below = row * np.arange(len(points))
    free = heights - below
    apart = (np.maximum.accumulate(free) + np.minimum.accumulate(free[::-1])[::-1]) / 2 + below
    return np.clip(apart, below, 1 - row / 3 + below - below[-1])  # within the axes


@styled
def shares(evidence: Evidence) -> Figure:
    """Share of seeds that succeed, a row for each arm and a panel for each condition, with exact intervals."""
    arms, conditions = evidence.arms, evidence.conditions
    figure, panels = new_figure(len(conditions), height=0.9 + 0.25 * len(arms))
    for axes, condition in zip(panels, conditions, strict=True):
        for row, arm in enumerate(arms):
            if (arm, condition) not in evidence.scores:
                continue
            share, low, high = 100 * np.array(evidence.share(arm, condition))
            style = evidence.study.arms[arm]
            axes.plot([low, high], [row, row], color=style.color, alpha=0.4, linewidth=4, solid_capstyle="butt")
            axes.plot(share, row, line_of(style.encoder)["marker"], color=style.color, clip_on=False)
        axes.axvline(100 * MOST, **GUIDE)
        mark_rows(axes, [evidence.label(arm) if axes is panels[0] else "" for arm in arms])
        axes.set(xlim=(-4, 104), xticks=(0, 50, 100), title=f"lag {condition}" if evidence.study.unit else condition)
    figure.supxlabel(f"{SUCCEED} with exact 95 % intervals", fontsize="medium")
    return figure


@styled
def accuracy(evidence: Evidence) -> Figure:
    """Test accuracy, one dot per seed; a line for a bag of words."""
    styles, scores = evidence.study.arms, {arm: list(evidence.scores[arm, ""].values()) for arm in evidence.arms}
    rows = [arm for arm in scores if styles[arm].encoder != "bag"]
    figure, (axes,) = new_figure(height=1.0 + 0.36 * len(rows))
    for row, arm in enumerate(rows):
        color, marker = styles[arm].color, line_of(styles[arm].encoder)["marker"]
        axes.scatter(np.multiply(100, scores[arm]), [row] * len(scores[arm]), s=34, color=color, marker=marker,
                     alpha=0.65, linewidth=0)  # fmt: skip
    for arm in scores.keys() - set(rows):
        mean = 100 * np.mean(scores[arm])
        axes.axvline(mean, **GUIDE)
        axes.annotate(f"{evidence.label(arm)} {mean:.1f} %", (mean, 1.01), xycoords=("data", "axes fraction"),
                      ha="right", va="bottom", fontsize="small", color="#666666")  # fmt: skip
    mark_rows(axes, [evidence.label(arm) for arm in rows])
    figure.supxlabel("test accuracy [%], a dot for each seed", fontsize="medium")
    return figure
