"""Pictures of the gradient on its way back, of its rate, and of how far it reaches beside what is learnt."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sentiment_rnn.analysis.figures import color_of, draw_level, new_figure, styled
from sentiment_rnn.studies.measured import LONGEST, SHARE, BySeed, Measured
from sentiment_rnn.studies.starts import COLORS, LABELS


@styled
def flow_figure(measured: list[Measured], before: list[Measured]) -> Figure:
    """Gradient by distance: every start before training, and the two usual ones on IMDb, epoch by epoch."""
    figure, panels = new_figure(3, width=4.9, height=4.4)
    for one in before:
        label = LABELS[one.encoder] if one.seed == min(m.seed for m in before) else None
        panels[0].plot(_drawn(one.flow.memory), color=COLORS[one.encoder], linewidth=1.3, label=label)
    panels[0].set_title("Before training, every start")
    on_imdb = [m for m in measured if m.corpus == "IMDb"]
    first = min((m.seed for m in on_imdb), default=0)
    last = max((m.epoch for m in on_imdb), default=0)
    for axes, name in zip(panels[1:], ("rnn", "lstm"), strict=True):
        for one in (m for m in on_imdb if m.encoder == name):
            label = f"after epoch {one.epoch}" if one.epoch else "before training"
            axes.plot(
                _drawn(one.flow.memory), color=color_of(name, 0), alpha=0.25 + 0.75 * one.epoch / max(1, last),
                linewidth=1.2, linestyle=":" if one.epoch == 0 else "-", label=label if one.seed == first else None,
            )  # fmt: skip
        axes.set_title(f"IMDb, {'RNN: ∂L/∂h' if name == 'rnn' else 'LSTM: ∂L/∂C'} (a line a seed)")
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
def rate_figure(measured: list[Measured]) -> Figure:
    """The rate per step as theory says it and as it is."""
    figure, (axes,) = new_figure(1, width=5.6, height=4.8)
    for one in measured:
        style: dict[str, Any] = {
            "marker": "^" if one.epoch else "o",
            "color": COLORS[one.encoder],
            "s": 22,
            "alpha": 0.7,
            "linewidth": 0,
        }
        axes.scatter(one.flow.predicted, one.flow.rate, **style)
    axes.plot([0, 2], [0, 2], color="#999999", linestyle="--", linewidth=1)
    _legend(axes, {m.encoder for m in measured})
    axes.scatter([], [], color="#555555", marker="o", label="before training")
    axes.scatter([], [], color="#555555", marker="^", label="after an epoch")
    axes.legend(fontsize=8, loc="upper left")
    most = 1.05 * max(max(one.flow.predicted, one.flow.rate) for one in measured)
    axes.set(title="What a gradient keeps at each step back", xlabel="theory", ylabel="measured")
    axes.set(xlim=(0, most), ylim=(0, most))
    return figure


@styled
def span_figure(reached: BySeed, found: BySeed) -> Figure:
    """Reach of the untrained gradient against the span learnt, a point a seed."""
    figure, (axes,) = new_figure(1, width=5.6, height=4.8)
    for name, by_seed in reached.items():
        x, y = np.array([(by_seed[seed], found[name][seed]) for seed in by_seed]).T
        axes.scatter(np.maximum(1, x), np.maximum(1, y), color=COLORS[name], s=60, alpha=0.7, linewidth=0)
    axes.plot([1, LONGEST], [1, LONGEST], color="#999999", linestyle="--", linewidth=1)
    _legend(axes, set(reached))
    axes.legend(fontsize=8, loc="upper left")
    axes.set(
        title="Reach before training, and span learnt", xscale="log", yscale="log",
        xlabel=f"distance at which {SHARE:g} of the gradient is left [tokens]",
        ylabel="memory span, trained at one distance [tokens]",
    )  # fmt: skip
    return figure


def _legend(axes: Axes, names: Iterable[str]) -> None:
    for name in [n for n in LABELS if n in set(names)]:
        axes.scatter([], [], color=COLORS[name], label=LABELS[name])
