"""A panel for each arm, with the others behind it in gray: many arms side by side, and none hidden by another."""

import math
import textwrap
from collections.abc import Callable, Iterable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sentiment_rnn.studies.kit.encoder_groups import Styles

BEHIND = "#DCDCDC"
"""Colour of the other arms."""
MOST_COLUMNS = 4
TITLE_LETTERS = 26
"""Most letters of a line of a label over its panel."""
Y_LABEL_LETTERS = 30
"""Most letters of a line of the y label, for each row of panels."""


def arm_panels(
    arms: Iterable[str], styles: Styles, xlabel: str, ylabel: str, draw: Callable[[Axes, str], None]
) -> Figure:
    """A grid of panels on the same axes, each arm's label over its own.

    Args:
        draw: draws what an arm has into its panel.
    """
    names = list(arms)
    rows = math.ceil(len(names) / MOST_COLUMNS)
    columns = math.ceil(len(names) / rows)
    figure = Figure(figsize=(2.7 * columns + 0.3, 2.0 * rows + 0.7), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, name in zip(panels, names, strict=False):
        draw(axes, name)
        axes.set_title(textwrap.fill(styles[name].label, TITLE_LETTERS))
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    for axes in panels[max(0, len(names) - columns) : len(names)]:  # the lowest of each column
        axes.tick_params(labelbottom=True)
    figure.supxlabel(xlabel, fontsize="medium")
    figure.supylabel(textwrap.fill(ylabel, Y_LABEL_LETTERS * rows), fontsize="medium")
    return figure


def mark_distances(axes: Axes, distances: Iterable[int]) -> None:
    """A log axis with the distances that were tried, and no others, on it."""
    tried = sorted(distances)
    axes.set_xscale("log")
    axes.set_xticks(tried, [str(distance) for distance in tried], fontsize="small")
    axes.minorticks_off()


def mark_rows(axes: Axes, labels: Sequence[str]) -> None:
    """A row for each arm, the first on top, with its label; an empty one where a panel beside it has it."""
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)


def name_arms(axes: Axes, arms: Iterable[str], styles: Styles) -> None:
    """A dot in the legend for each arm, in its colour, once."""
    for arm in dict.fromkeys(arms):
        axes.scatter([], [], color=styles[arm].color, label=styles[arm].label)
