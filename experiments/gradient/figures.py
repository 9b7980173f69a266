"""Figures of the gradient on its way back, and of gates, cells, states and the running prediction."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.gradient.models import AFTER, BEFORE, GENERATED, IMDB, models_with, of_model
from experiments.gradient.readers import DRAWN, GATES, RUNNING, SHARES, Reader
from experiments.lab.figures import BEHIND, GUIDE, Arms, arm_panels, mark_rows, name_arms
from sentiment_rnn.report.figures import draw_level, new_figure, styled
from sentiment_rnn.report.statistics import Interval

FLOOR = 1e-12
"""Least share of the gradient that is drawn."""
PLAIN = "#555555"
"""Of what a legend says of every arm."""
MARKERS = {GENERATED: "o", IMDB: "s"}


@styled
def gradient_panels(curves: pd.DataFrame, clause: int, styles: Arms) -> Figure:
    """The gradient at each token as a share of that at the last, a panel for each arm: the median over seeds before
    training (dotted) and after it, in a band from the least to the most.

    Args:
        curves: rows of `curves.csv`.
        clause: steps back where the clause ends.
    """
    of_models = dict(list(curves.assign(left=curves.left.where(curves.left > 0)).groupby(["arm", "trained"])))
    arms = list(dict.fromkeys(curves.arm))

    def draw(axes: Axes, arm: str) -> None:
        for other in arms:
            axes.plot(of_models[other, 1].lag, of_models[other, 1].left, color=BEHIND, linewidth=1)
        for trained, line, label in ((0, ":", "before training"), (1, "-", "after it")):
            curve, color = of_models[arm, trained], styles[arm].color
            axes.fill_between(curve.lag, curve.least, curve.most, color=color, alpha=0.2, linewidth=0)
            axes.plot(curve.lag, curve.left, color=color, linestyle=line, linewidth=1.6)
            axes.plot([], [], color=PLAIN, linestyle=line, label=label)
        axes.axvline(clause, **GUIDE)
        axes.set(yscale="log", ylim=(FLOOR, 1e4))
        if arm == arms[-1]:
            axes.legend(fontsize=8, loc="lower left")

    return arm_panels(arms, styles, "steps before the last token", "gradient at a token / at the last", draw)


@styled
def rates(values: pd.DataFrame, styles: Arms) -> Figure:
    """The rate per step as theory predicts it, and as it was measured."""
    figure, panels = new_figure(2, width=4.4, height=4.4)
    points = {
        model: pd.DataFrame({x: of_model(values, x, *model) for x in ("theory", "rate")}).dropna()
        for model in models_with(values, "rate")
    }
    drawn = pd.concat(points.values()).to_numpy()
    bounds = 0.97 * drawn.min(), 1.03 * drawn.max()
    for axes, training in zip(panels, (BEFORE, AFTER), strict=True):
        for (reviews, arm, of_training), there in points.items():
            if of_training == training:
                marker, color = MARKERS[reviews], styles[arm].color
                axes.scatter(there.theory, there.rate, s=18, color=color, marker=marker, alpha=0.6, linewidth=0)
        axes.plot(bounds, bounds, **GUIDE)
        axes.set(title=f"{training.capitalize()} training", xlabel="theory", xlim=bounds, ylim=bounds)
    panels[0].set_ylabel("gradient, multiplied by at each step back")
    name_arms(panels[0], (arm for _, arm, _ in points), styles)
    for reviews, marker in MARKERS.items():
        panels[0].scatter([], [], color=PLAIN, marker=marker, label=reviews)
    figure.legend(*panels[0].get_legend_handles_labels(), fontsize=8, loc="outside right center")
    return figure


@styled
def left(
    before: Mapping[str, Interval], learn: Mapping[str, Interval], tenth: float, steps: int, styles: Arms
) -> Figure:
    """Share of seeds that learn against what is left of the gradient before training, with the intervals of both."""
    figure, (axes,) = new_figure(1, width=6.8, height=3.9)
    for place, (arm, (x, *x_bounds)) in enumerate(before.items()):
        y, *y_bounds = learn[arm]
        xerr, yerr = np.abs(np.array(x_bounds) - x)[:, None], np.abs(np.array(y_bounds) - y)[:, None]
        aside = 0.006 * (place - (len(before) - 1) / 2)  # so that no arm hides another
        color, label = styles[arm].color, styles[arm].label
        axes.errorbar(x, y + aside, yerr, xerr, marker="o", capsize=2, color=color, label=label)
    axes.axvline(tenth, label="a tenth", **GUIDE)
    axes.set(
        xscale="log", xlabel=f"gradient {steps} steps back / at the last token, before training", ylim=(-0.06, 1.06),
        ylabel=f"share of seeds that learn {steps} tokens",
    )  # fmt: skip
    figure.legend(fontsize=8, loc="outside right center")
    return figure


@styled
def mixed(rates: Mapping[str, tuple[list[float], list[float]]], styles: Arms) -> Figure:
    """The rate after training of each seed, in the arms of which some learn (filled) and some do not."""
    figure, (axes,) = new_figure(1, width=7, height=1.1 + 0.5 * max(1, len(rates)))
    for row, (arm, (learn, fail)) in enumerate(rates.items()):
        color = styles[arm].color
        axes.scatter(learn, [row - 0.12] * len(learn), color=color, s=30, alpha=0.7, linewidth=0)
        axes.scatter(fail, [row + 0.12] * len(fail), facecolors="none", edgecolors=color, s=30)
    axes.scatter([], [], color=PLAIN, label="learns")
    axes.scatter([], [], facecolors="none", edgecolors=PLAIN, label="does not")
    axes.axvline(1, **GUIDE)
    mark_rows(axes, [styles[arm].label for arm in rates])
    axes.set_xlabel("gradient after training, multiplied by at each step back (one dot per seed)")
    figure.legend(loc="outside right center")
    return figure


@styled
def gates(reader: Reader, label: str) -> Figure:
    """Gates, cell and state, token by token, of the units that move the logit most; one column per sentence."""
    figure = Figure(figsize=(11, 12), layout="constrained")
    sentences = [reader.sentences[name] for name in ("weather", "cinema")]
    widths = [len(sentence.tokens) for sentence in sentences]
    panels = figure.subplots(5, len(widths), width_ratios=widths, squeeze=False)
    moved = np.abs(reader.weight * sentences[-1].unrolled.states[-1][0].detach().numpy())
    units = np.argsort(-moved)[:DRAWN]
    for column, (tokens, unrolled) in enumerate(sentences):
        layers = {f"{gate} gate": (unrolled.gates[gate], "Blues", 0.0, 1.0) for gate in GATES}
        layers["cell state C"] = torch.stack(unrolled.cells, 1), "RdBu_r", -2.0, 2.0
        layers["hidden state h"] = torch.stack(unrolled.states, 1), "RdBu_r", -1.0, 1.0
        for axes, (title, (values, colors, low, high)) in zip(panels[:, column], layers.items(), strict=True):
            shown = values[0].detach().numpy()[:, units].T
            image = axes.imshow(shown, cmap=colors, vmin=low, vmax=high, aspect="auto", interpolation="nearest")
            axes.grid(False)
            axes.set(yticks=[], xticks=[], title=title if column == 0 else "")
            if column == len(widths) - 1:
                figure.colorbar(image, ax=axes, fraction=0.03, pad=0.01)
        panels[-1, column].set_xticks(range(len(tokens)), tokens, rotation=60, ha="right")
    figure.supylabel(f"the {DRAWN} units that move the logit most, the first on top", fontsize="medium")
    figure.suptitle(f"{label}, IMDb, seed {reader.seed}", fontsize="medium", x=0.02, ha="left")
    return figure


@styled
def saturation(readers: Sequence[Reader], styles: Arms) -> Figure:
    """Each unit by how often its gate is shut and open (Karpathy et al. 2015, figure 3)."""
    figure, panels = new_figure(3, width=3.8, height=3.8)
    for axes, gate in zip(panels, GATES, strict=True):
        for reader in readers:
            shut, opened = reader.saturation[gate]
            axes.scatter(shut, opened, s=12, alpha=0.4, linewidth=0, color=styles[reader.arm].color)
        axes.plot([0, 1], [1, 0], **GUIDE)
        axes.set(
            title=f"{gate} gate (one dot per unit)", xlabel="share of tokens below 0.1", xlim=(-0.02, 1),
            ylim=(-0.02, 1),
        )  # fmt: skip
    panels[0].set_ylabel("share of tokens above 0.9")
    name_arms(panels[0], (reader.arm for reader in readers), styles)
    if readers:
        panels[0].legend()
    return figure


@styled
def running(readers: Sequence[Reader], reviews: int, styles: Arms) -> Figure:
    """The running prediction of the two sentences, and how soon it is right on test reviews; one line per seed."""
    figure = Figure(figsize=(12, 7.2), layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=[1, 2.2])
    top, weather, parts = (figure.add_subplot(grid[place]) for place in ((0, slice(None)), (1, 0), (1, 1)))
    for axes, name in ((top, "cinema"), (weather, "weather")):
        for reader in readers:
            probabilities = reader.sentences[name].unrolled.running[0].sigmoid().numpy()
            axes.plot(probabilities, marker="o", markersize=4, color=styles[reader.arm].color, linewidth=1.4)
        tokens = readers[0].sentences[name].tokens
        axes.set_xticks(range(len(tokens)), tokens, rotation=35, ha="right")
        axes.set(title=f"Running sentiment: the {name}", ylabel="P(positive)", ylim=(0, 1))
    for reader in readers:
        right = [reader.metrics[f"{RUNNING}: {share:g}"] for share in SHARES]
        parts.plot(100 * np.array(SHARES), right, marker="o", color=styles[reader.arm].color)
    parts.set(
        title=f"Right so far, {reviews} test reviews", xlabel="part of the review that was read [%]",
        ylabel="accuracy", ylim=(0.4, 1),
    )  # fmt: skip
    name_arms(parts, (reader.arm for reader in readers), styles)
    parts.legend(loc="upper left")
    for axes in (top, weather, parts):
        draw_level(axes, 0.5)
    return figure
