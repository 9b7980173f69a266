"""Figures of the gradient on its way back, of its decay rate, and of its reach beside the span that is learnt."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sentiment_rnn.report.figures import draw_level, new_figure, styled
from sentiment_rnn.studies.gradient_flow.measurements import LONGEST, SHARE, Measured, Rate, TokensBySeed
from sentiment_rnn.studies.kit.encoder_groups import Styles

TITLES = {"rnn": "RNN", "lstm": "LSTM"}
"""Encoders in the titles of the panels on IMDb; others go by their labels."""


@styled
def flow_figure(measured: Sequence[Measured], before: Sequence[Measured], styles: Styles, plain: Styles) -> Figure:
    """Gradient by distance: every encoder before training, and those trained on IMDb, epoch by epoch.

    Args:
        styles: for the initializations that are compared.
        plain: for the encoders on IMDb.
    """
    on_imdb = [m for m in measured if m.corpus == "IMDb"]
    trained = list(dict.fromkeys(m.encoder for m in on_imdb))
    figure, panels = new_figure(1 + len(trained), width=4.9, height=4.4)
    for one in before:
        label, color = styles[one.encoder]
        shown = label if one.seed == min(m.seed for m in before) else None
        panels[0].plot(_drawn(one.flow.memory), color=color, linewidth=1.3, label=shown)
    panels[0].set_title("Before training, every initialization")
    first = min((m.seed for m in on_imdb), default=0)
    last = max((m.epoch for m in on_imdb), default=0)
    for axes, encoder in zip(panels[1:], trained, strict=True):
        of_encoder = [m for m in on_imdb if m.encoder == encoder]
        for one in of_encoder:
            label = f"after epoch {one.epoch}" if one.epoch else "before training"
            axes.plot(
                _drawn(one.flow.memory), color=plain[encoder].color, alpha=0.25 + 0.75 * one.epoch / max(1, last),
                linewidth=1.2, linestyle=":" if one.epoch == 0 else "-", label=label if one.seed == first else None,
            )  # fmt: skip
        gradient = "∂L/∂h" if of_encoder[0].flow.cell is None else "∂L/∂C"
        axes.set_title(f"IMDb, {TITLES.get(encoder, styles[encoder].label)}: {gradient} (one line per seed)")
    for axes in panels:
        axes.set(
            yscale="log", ylim=(1e-60 if axes is panels[0] else 1e-45, 1e3), xlabel="distance from the end [tokens]"
        )
        draw_level(axes, 1.2e-38, "float32 ends")
        axes.legend(fontsize=8, loc="lower left", frameon=True, framealpha=1, edgecolor="none")  # over the dashed line
    panels[0].set_ylabel("median ‖gradient‖")
    return figure


def _drawn(norms: np.ndarray) -> np.ndarray:
    return np.where(norms > 0, norms, np.nan)


@styled
def rate_figure(rates: Sequence[Rate], styles: Styles) -> Figure:
    """The rate per step as theory predicts it, and as it was measured."""
    figure, (axes,) = new_figure(1, width=5.6, height=4.8)
    for one in rates:
        style: dict[str, Any] = {
            "marker": "^" if one.epoch else "o",
            "color": styles[one.encoder].color,
            "s": 22,
            "alpha": 0.7,
            "linewidth": 0,
        }
        axes.scatter(one.predicted, one.measured, **style)
    axes.plot([0, 2], [0, 2], color="#999999", linestyle="--", linewidth=1)
    _legend(axes, (one.encoder for one in rates), styles)
    axes.scatter([], [], color="#555555", marker="o", label="before training")
    axes.scatter([], [], color="#555555", marker="^", label="after an epoch")
    axes.legend(fontsize=8, loc="upper left")
    most = 1.05 * np.nanmax([(one.predicted, one.measured) for one in rates])  # no theory of a gradient that is cut
    axes.set(title="What a gradient keeps at each step back", xlabel="theory", ylabel="measured")
    axes.set(xlim=(0, most), ylim=(0, most))
    return figure


@styled
def span_figure(reached: TokensBySeed, learnt: TokensBySeed, styles: Styles) -> Figure:
    """Reach of the untrained gradient against the span learnt, one point per seed."""
    figure, (axes,) = new_figure(1, width=5.6, height=4.8)
    for encoder, by_seed in reached.items():
        x, y = np.array([(by_seed[seed], learnt[encoder][seed]) for seed in by_seed]).T
        axes.scatter(np.maximum(1, x), np.maximum(1, y), color=styles[encoder].color, s=60, alpha=0.7, linewidth=0)
    axes.plot([1, LONGEST], [1, LONGEST], color="#999999", linestyle="--", linewidth=1)
    _legend(axes, reached, styles)
    axes.legend(fontsize=8, loc="upper left")
    axes.set(
        title="Reach before training, and span learnt", xscale="log", yscale="log",
        xlabel=f"distance at which {SHARE:g} of the gradient is left [tokens]",
        ylabel="memory span, trained at one distance [tokens]",
    )  # fmt: skip
    return figure


def _legend(axes: Axes, encoders: Iterable[str], styles: Styles) -> None:
    for encoder in dict.fromkeys(encoders):
        axes.scatter([], [], color=styles[encoder].color, label=styles[encoder].label)
