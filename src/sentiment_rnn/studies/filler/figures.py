"""The figure of the filler study: what is left of a review, by neutral tokens behind it."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sentiment_rnn.report.figures import styled
from sentiment_rnn.studies.filler.measurements import AMOUNTS, MOST, NOTHING, Kept
from sentiment_rnn.studies.filler.reading import BEHIND, IN_FRONT, SENTENCES, Setting
from sentiment_rnn.studies.kit.arm_panels import arm_panels
from sentiment_rnn.studies.kit.encoder_groups import Styles


@styled
def filler_figure(states: Mapping[str, Kept], answers: Mapping[str, Kept], styles: Styles) -> Figure:
    """A panel for each arm: what its states keep, a line for each seed and their mean; what its answers keep, in the
    mean; and what states keep with as much filler in front."""

    def draw(axes: Axes, arm: str) -> None:
        color = styles[arm].color
        amounts = (0, *AMOUNTS)
        states_kept, answers_kept = (
            np.array([
                list(kept[NOTHING if amount == 0 else Setting(SENTENCES, BEHIND, amount)].values())
                for amount in amounts
            ])
            for kept in (states[arm], answers[arm])
        )  # fmt: skip
        if states_kept.size:
            axes.plot(amounts, states_kept, color=color, alpha=0.3, linewidth=0.8)
            axes.plot(amounts, states_kept.mean(1), color=color, linewidth=2.4, label="state, mean of seeds")
            axes.plot(amounts, answers_kept.mean(1), "--", color="#444444", label="answer, mean of seeds")
            front = list(states[arm][Setting(SENTENCES, IN_FRONT, MOST)].values())
            axes.plot([MOST] * len(front), front, "x", color="#444444", markersize=5, label="state, filler in front")
        axes.set_ylim(min(-0.05, axes.get_ylim()[0]), max(1.12, axes.get_ylim()[1]))
        axes.set_xticks([0, 100, 200, 400])

    figure = arm_panels(states, styles, "neutral tokens behind the review", "share kept of what was known", draw)
    last = figure.axes[len(states) - 1]  # where the least is lost
    if last.lines:
        last.legend(loc="lower left", fontsize="small")
    return figure
