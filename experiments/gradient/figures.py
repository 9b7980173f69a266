"""The figure of the gradient by steps back."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.gradient.models import AFTER, BEFORE
from experiments.lab.figures import Arms, label_ends
from sentiment_rnn.report.plotting import WIDTH, line_of, styled

LEFT = "share of the gradient left"
DECAY = ("rnn_uniform", "rnn", "lstm")
"""Arms of the figure that compares an RNN and an LSTM at a glance."""


@styled
def decay(curves: pd.DataFrame, styles: Arms) -> Figure:
    """The share of the gradient that is left, by steps back. There is a row for each kind of reviews, and a column
    before and after training; a line is the median over seeds, in a band from the least to the most.

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
