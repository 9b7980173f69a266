"""Figures of the gradient on its way back, and of what networks do while they read a sentence."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.gradient.models import AFTER, BEFORE
from experiments.gradient.readers import DRAWN, GATES
from experiments.lab.figures import SUCCEED, Arms, label_ends, mark_rows
from sentiment_rnn.report.plotting import GUIDE, WIDTH, line_of, new_figure, styled
from sentiment_rnn.report.statistics import Interval

LEFT = "share of the gradient left"
DECAY = ("rnn_uniform", "rnn", "lstm")
"""Arms of the figure in which an RNN and an LSTM are seen in one glance."""


@styled
def decay(curves: pd.DataFrame, styles: Arms) -> Figure:
    """The share of the gradient that is left, by steps back, of some arms: a row for each kind of reviews, a column
    before and after training; the median over seeds in a band from the least to the most.

    Args:
        curves: rows of `curves.csv`.
    """
    corpora = list(dict.fromkeys(curves.corpus))
    figure = Figure(figsize=(WIDTH, 0.8 + 1.9 * len(corpora)), layout="constrained")
    panels = figure.subplots(len(corpora), 2, sharex="row", sharey=True, squeeze=False)
    for row, corpus in zip(panels, corpora, strict=True):
        for trained, (axes, training) in enumerate(zip(row, (BEFORE, AFTER), strict=True)):
            lines: list[Line2D] = []
            axes.set(yscale="log", ylim=(1e-9, 10), title=f"{training} training" if axes in panels[0] else "")
            for arm in DECAY:
                curve = curves[(curves.corpus == corpus) & (curves.arm == arm) & (curves.trained == trained)]
                color, label = styles[arm].color, styles[arm].label
                axes.fill_between(curve.lag, curve.least, curve.most, color=color, alpha=0.15, linewidth=0)
                shown = curve[curve.left > 1e-9]
                style = line_of(styles[arm].encoder) | {"markevery": max(1, len(curve) // 6), "markersize": 4}
                lines += axes.plot(shown.lag, shown.left, color=color, label=label, **style) if len(shown) else []
            if training == BEFORE:
                axes.set_ylabel(f"{corpus} reviews", fontweight="bold")
            else:
                label_ends(figure, axes, lines)
    figure.supxlabel("steps back from the last token (line: median of the seeds; band: all seeds)", fontsize="medium")
    figure.supylabel(LEFT, fontsize="medium")
    return figure


@styled
def left(
    before: Mapping[str, Interval], succeed: Mapping[str, Interval], tenth: float, steps: int, styles: Arms
) -> Figure:
    """Gradient that is left before training beside the share of seeds that succeed, with the intervals of both: a row
    for each arm, the one with the least left on top."""
    arms = sorted(before, key=lambda arm: before[arm].estimate)
    figure, panels = new_figure(2, height=1.0 + 0.25 * len(arms))
    for axes, values, scale in zip(panels, (before, succeed), (1, 100), strict=True):
        for row, arm in enumerate(arms):
            color, (value, *bounds) = styles[arm].color, scale * np.array(values[arm])
            axes.plot(bounds, [row, row], color=color, alpha=0.4, linewidth=4, solid_capstyle="butt")
            axes.plot(value, row, line_of(styles[arm].encoder)["marker"], color=color, clip_on=False)
        mark_rows(axes, [styles[arm].label if axes is panels[0] else "" for arm in arms])
    panels[0].set(xscale="log", xlabel=f"{LEFT} {steps} steps back,\nbefore training (dashed: a tenth)")
    panels[1].set(xlim=(-4, 104), xlabel=f"{SUCCEED}\nat lag {steps} after it")
    panels[0].axvline(tenth, **GUIDE)
    return figure


@styled
def reading(entry: Mapping[str, Any], arms: Iterable[str], styles: Arms) -> Figure:
    """Running predictions on a text: the probability of a positive review after each word, a row for each model.

    Args:
        entry: of `explorer.json`.
    """
    arms, tokens = list(arms), entry["tokens"]
    figure, (axes,) = new_figure(height=0.9 + 0.45 * len(arms))
    percent = 100 * np.array([entry[arm] for arm in arms])
    axes.imshow(percent, cmap="RdBu", vmin=-50, vmax=150, aspect="auto")
    for (row, column), value in np.ndenumerate(percent):
        axes.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize="small", fontweight="bold")
    axes.set_xticks(range(len(tokens)), tokens, rotation=40, ha="left", rotation_mode="anchor")
    axes.set_yticks(range(len(arms)), [styles[arm].label for arm in arms])
    axes.xaxis.tick_top()
    figure.supxlabel("probability of a positive review after each word [%], after training on IMDb", fontsize="medium")
    plain(axes)
    return figure


@styled
def gates(entry: Mapping[str, Any], label: str) -> Figure:
    """Gates and cells, token by token, of the units of an LSTM with the largest weights in the output layer.

    Args:
        entry: of `explorer.json`.
    """
    figure = Figure(figsize=(WIDTH, 7), layout="constrained")
    panels = figure.subplots(len(GATES) + 1, sharex=True)
    shown = {gate: ("Blues", 0.0, 1.0, f"{gate} gate") for gate in GATES} | {"cell": ("RdBu_r", -2.0, 2.0, "cell")}
    for axes, (name, (colors, low, high, title)) in zip(panels, shown.items(), strict=True):
        values = np.transpose(entry["gates"][name])
        image = axes.imshow(values, cmap=colors, vmin=low, vmax=high, aspect="auto", interpolation="nearest")
        axes.set(yticks=[], title=title)
        plain(axes)
        figure.colorbar(image, ax=axes, fraction=0.03, pad=0.01)
    panels[-1].set_xticks(range(len(entry["tokens"])), entry["tokens"], rotation=40, ha="right", rotation_mode="anchor")
    figure.supylabel(f"{label}: the {DRAWN} units with the largest weights", fontsize="medium")
    return figure


def plain(axes: Axes) -> None:
    """Leave out grid, ticks and frame."""
    axes.grid(False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
