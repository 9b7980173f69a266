"""Figures of gates, cells, states and the running prediction."""

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sentiment_rnn.report.figures import draw_level, new_figure, styled
from sentiment_rnn.studies.gates.readers import GATES, SHARES, TEST_REVIEWS, Reader
from sentiment_rnn.studies.kit.arm_panels import name_arms
from sentiment_rnn.studies.kit.encoder_groups import Styles

DRAWN = 24
"""Units drawn: those that move the logit most."""
LESSON = ("weather", "cinema")
"""The two sentences of the lesson, which are drawn."""


@styled
def gate_figure(reader: Reader, label: str) -> Figure:
    """Gates, cell and state, token by token, of the units that move the logit most; one column per sentence."""
    figure = Figure(figsize=(11, 12), layout="constrained")
    sentences = [reader.sentences[name] for name in LESSON]
    widths = [len(sentence.tokens) for sentence in sentences]
    panels = figure.subplots(5, len(widths), width_ratios=widths, squeeze=False)
    moved = np.abs(reader.weight * reader.sentences["cinema"].unrolled.states[-1][0].detach().numpy())
    units = np.argsort(-moved)[:DRAWN]
    for column, (tokens, unrolled) in enumerate(sentences):
        layers = {f"{gate} gate": (unrolled.gates[gate][0].numpy(), "Blues", 0.0, 1.0) for gate in GATES}
        cells = torch.stack(unrolled.cells, 1)[0].detach().numpy()
        states = torch.stack(unrolled.states, 1)[0].detach().numpy()
        layers |= {"cell state C": (cells, "RdBu_r", -2.0, 2.0), "hidden state h": (states, "RdBu_r", -1.0, 1.0)}
        for row, (title, (values, colors, low, high)) in enumerate(layers.items()):
            axes = panels[row, column]
            image = axes.imshow(
                values[:, units].T, cmap=colors, vmin=low, vmax=high, aspect="auto", interpolation="nearest"
            )
            axes.grid(False)
            axes.set_yticks([])
            axes.set_xticks(range(len(tokens)), tokens if row == 4 else [""] * len(tokens), rotation=60, ha="right")
            axes.set_title(title if column == 0 else "")
            if column == len(widths) - 1:
                figure.colorbar(image, ax=axes, fraction=0.03, pad=0.01)
    figure.supylabel(f"the {DRAWN} units that move the logit most, the first on top", fontsize="medium")
    figure.suptitle(f"{label}, IMDb, seed {reader.seed}", fontsize="medium", x=0.02, ha="left")
    return figure


@styled
def saturation_figure(gated: Sequence[Reader], styles: Styles) -> Figure:
    """Each unit by how often its gate is shut and open (Karpathy et al. 2015, figure 3)."""
    figure, panels = new_figure(3, width=3.8, height=3.8)
    for axes, gate in zip(panels, GATES, strict=True):
        for reader in gated:
            shut, opened = reader.saturation[gate]
            axes.scatter(shut, opened, s=12, alpha=0.4, linewidth=0, color=styles[reader.encoder].color)
        axes.plot([0, 1], [1, 0], color="#999999", linestyle="--", linewidth=1)
        axes.set(
            title=f"{gate} gate (one dot per unit)",
            xlabel="share of tokens below 0.1",
            xlim=(-0.02, 1),
            ylim=(-0.02, 1),
        )
    panels[0].set_ylabel("share of tokens above 0.9")
    name_arms(panels[0], (reader.encoder for reader in gated), styles)
    if gated:
        panels[0].legend()
    return figure


@styled
def running_figure(readers: Sequence[Reader], styles: Styles) -> Figure:
    """The running prediction of the two sentences, and how soon it is right on test reviews; one line per seed."""
    figure = Figure(figsize=(12, 7.2), layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=[1, 2.2])
    top = figure.add_subplot(grid[0, :])
    weather, parts = figure.add_subplot(grid[1, 0]), figure.add_subplot(grid[1, 1])
    for axes, name in ((top, "cinema"), (weather, "weather")):
        _running(axes, readers, name, styles)
    for reader in readers:
        label, color = styles[reader.encoder]
        shown = label if reader.seed == min(r.seed for r in readers) else None
        parts.plot(np.array(SHARES) * 100, reader.running, marker="o", color=color, label=shown)
    draw_level(parts, 0.5)
    parts.set(
        title=f"Right so far, {TEST_REVIEWS} test reviews",
        xlabel="part of the review that was read [%]",
        ylabel="accuracy",
        ylim=(0.4, 1),
    )
    parts.legend(loc="upper left")
    return figure


def _running(axes: Axes, readers: Sequence[Reader], name: str, styles: Styles) -> None:
    tokens = readers[0].sentences[name].tokens
    for reader in readers:
        probabilities = reader.sentences[name].unrolled.running[0].sigmoid().numpy()
        axes.plot(probabilities, marker="o", markersize=4, color=styles[reader.encoder].color, linewidth=1.4)
    draw_level(axes, 0.5)
    axes.set_xticks(range(len(tokens)), tokens, rotation=35, ha="right")
    axes.set(
        title=f"Running sentiment: {'the cinema' if name == 'cinema' else 'the weather'}",
        ylabel="P(positive)",
        ylim=(0, 1),
    )
