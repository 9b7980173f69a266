"""Figures of the gradient on its way back, of its rate, and of what is left of it beside the seeds that learn."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sentiment_rnn.report.figures import new_figure, styled
from sentiment_rnn.studies.gradient_flow.claims import TENTH, Mixed, left_of
from sentiment_rnn.studies.gradient_flow.measurements import STEPS, Curves, Rate
from sentiment_rnn.studies.kit.arm_panels import BEHIND, arm_panels, mark_rows, name_arms
from sentiment_rnn.studies.kit.encoder_groups import Styles
from sentiment_rnn.studies.kit.learnt_shares import share_above
from sentiment_rnn.studies.kit.planned_runs import GENERATED
from sentiment_rnn.studies.kit.scores import Scores

FLOOR = 1e-12
"""Least share of the gradient that is drawn."""


@styled
def flow_figure(curves: Curves, corpus: str, styles: Styles) -> Figure:
    """The gradient at each token as a share of that at the last, a panel for each encoder: the median over seeds before
    training (dotted) and after it, in a band from the least to the most."""
    arms = list(dict.fromkeys(arm for of_corpus, arm, _ in curves if of_corpus == corpus))

    def draw(axes: Axes, arm: str) -> None:
        for other in arms:
            axes.plot(_drawn(curves[corpus, other, True].middle), color=BEHIND, linewidth=1)
        for trained, line in ((False, ":"), (True, "-")):
            curve, color = curves[corpus, arm, trained], styles[arm].color
            axes.fill_between(range(len(curve.middle)), curve.least, curve.most, color=color, alpha=0.2, linewidth=0)
            axes.plot(_drawn(curve.middle), color=color, linestyle=line, linewidth=1.6)
        axes.axvline(STEPS, color="#999999", linestyle="--", linewidth=1)
        axes.set(yscale="log", ylim=(FLOOR, 1e4))
        if arm == arms[-1]:
            for line, label in ((":", "before training"), ("-", "after it")):
                axes.plot([], [], color="#555555", linestyle=line, label=label)
            axes.legend(fontsize=8, loc="lower left")

    return arm_panels(arms, styles, "steps before the last token", "gradient at a token / at the last", draw)


def _drawn(shares: np.ndarray) -> np.ndarray:
    return np.where(shares > 0, shares, np.nan)


@styled
def rate_figure(rates: Sequence[Rate], styles: Styles) -> Figure:
    """The rate per step as theory predicts it, and as it was measured."""
    figure, panels = new_figure(2, width=4.4, height=4.4)
    drawn = np.array([(one.theory, one.measured) for one in rates])
    bounds = (0.97 * np.nanmin(drawn), 1.03 * np.nanmax(drawn))
    for axes, trained in zip(panels, (False, True), strict=True):
        for one in rates:
            if one.trained == trained:
                marker = "o" if one.corpus == GENERATED else "s"
                color = styles[one.encoder].color
                axes.scatter(one.theory, one.measured, marker=marker, color=color, s=18, alpha=0.6, linewidth=0)
        axes.plot(bounds, bounds, color="#999999", linestyle="--", linewidth=1)
        axes.set(title=f"{'After' if trained else 'Before'} training", xlabel="theory", xlim=bounds, ylim=bounds)
    panels[0].set_ylabel("gradient, multiplied by at each step back")
    name_arms(panels[0], (one.encoder for one in rates), styles)
    panels[0].scatter([], [], color="#555555", marker="o", label="generated")
    panels[0].scatter([], [], color="#555555", marker="s", label="IMDb")
    figure.legend(*panels[0].get_legend_handles_labels(), fontsize=8, loc="outside right center")
    return figure


@styled
def left_figure(rates: Sequence[Rate], scores: Scores, styles: Styles) -> Figure:
    """Share of seeds that learn against what is left of the gradient before training, with the intervals of both; each
    arm is moved a little, so that none hides another."""
    figure, (axes,) = new_figure(1, width=6.8, height=3.9)
    for place, arm in enumerate(scores):
        left, share = left_of(rates, arm), share_above(scores[arm][STEPS])
        aside = 0.006 * (place - (len(scores) - 1) / 2)  # so that no arm hides another
        error = {
            name: [[value.estimate - value.low], [value.high - value.estimate]]
            for name, value in (("xerr", left), ("yerr", share))
        }
        label, color = styles[arm]
        axes.errorbar(left.estimate, share.estimate + aside, **error, color=color, marker="o", capsize=2, label=label)  # type: ignore[arg-type]
    axes.axvline(TENTH, color="#999999", linestyle="--", linewidth=1, label="a tenth")
    axes.set(
        xscale="log", xlabel=f"gradient {STEPS} steps back / at the last token, before training", ylim=(-0.06, 1.06),
        ylabel=f"share of seeds that learn {STEPS} tokens",
    )  # fmt: skip
    figure.legend(fontsize=8, loc="outside right center")
    return figure


@styled
def mixed_figure(mixed: Sequence[Mixed], styles: Styles) -> Figure:
    """The rate after training of each seed, in the arms of which some learn (filled) and some do not."""
    figure, (axes,) = new_figure(1, width=7, height=1.1 + 0.5 * max(1, len(mixed)))
    for row, (arm, learn, fail) in enumerate(mixed):
        color = styles[arm].color
        axes.scatter(learn, [row - 0.12] * len(learn), color=color, s=30, alpha=0.7, linewidth=0)
        axes.scatter(fail, [row + 0.12] * len(fail), facecolors="none", edgecolors=color, s=30)
    axes.scatter([], [], color="#555555", label="learns")
    axes.scatter([], [], facecolors="none", edgecolors="#555555", label="does not")
    axes.axvline(1, color="#999999", linestyle="--", linewidth=1)
    mark_rows(axes, [styles[one.arm].label for one in mixed])
    axes.set_xlabel("gradient after training, multiplied by at each step back (one dot per seed)")
    figure.legend(loc="outside right center")
    return figure
