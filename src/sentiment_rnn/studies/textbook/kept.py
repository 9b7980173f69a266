"""What is kept of each task, in tables and figures."""

from collections.abc import Callable, Iterable, Mapping

import numpy as np
from matplotlib.figure import Figure

from sentiment_rnn.report.figures import new_figure, styled
from sentiment_rnn.report.shares import counted
from sentiment_rnn.report.statistics import BySeed, accuracy_interval
from sentiment_rnn.report.tables import Table
from sentiment_rnn.studies.kit.arm_panels import mark_rows
from sentiment_rnn.studies.kit.encoder_groups import Styles
from sentiment_rnn.studies.kit.margin_comparisons import TaskScores, mean_score
from sentiment_rnn.studies.textbook.claims import COPYING, LEARNS, learnt


def kept_table(scores: TaskScores, styles: Styles) -> Table:
    """The mean over seeds of what is kept."""
    title = (
        "Kept: share of the bits (copying) or of the variance (adding), the mean over seeds with its 95 % t interval"
    )
    return table_by_task(title, mean_score, scores, styles)


def learnt_table(scores: TaskScores, styles: Styles) -> Table:
    """How many seeds learn."""
    title = f"Seeds that learn, which keep more than {100 * LEARNS:g} %, with exact 95 % intervals"
    return table_by_task(title, lambda by_seed: counted(*learnt(by_seed)), scores, styles)


def table_by_task(title: str, cell: Callable[[BySeed], str], scores: TaskScores, styles: Styles) -> Table:
    """A row for each arm, a column for each task; nothing where an arm was not run."""
    rows = [
        (styles[arm].label, *(cell(arms[arm]) if arm in arms else "" for arms in scores.values()))
        for arm in arms_of(scores.values())
    ]
    return Table(title, ("encoder", *scores), rows)


def arms_of(tasks: Iterable[Mapping[str, BySeed]]) -> list[str]:
    """The arms that were run on some of these tasks."""
    return list(dict.fromkeys(arm for arms in tasks for arm in arms))


def kept_figures(scores: TaskScores, styles: Styles) -> dict[str, Figure]:
    """What is kept of each task, and the bits that are kept of so many, where more than one number was run."""
    copied = {symbols: scores[task] for symbols, task in COPYING.items() if task in scores}
    found = {"kept": kept_figure(scores, styles)}
    return found | ({"bits": bits_figure(copied, styles)} if len(copied) > 1 else {})


@styled
def bits_figure(copied: Mapping[int, Mapping[str, BySeed]], styles: Styles) -> Figure:
    """Bits that are kept against bits that are to be kept, a line for each arm, with t intervals."""
    figure, (axes,) = new_figure(1, width=6.4, height=3.9)
    axes.plot(list(copied), list(copied), color="#999999", linestyle="--", linewidth=1, label="all of them")
    for place, arm in enumerate(shown := arms_of(copied.values())):
        found = {
            symbols: accuracy_interval(list(arms[arm].values())) for symbols, arms in copied.items() if arm in arms
        }
        aside = 1.02 ** (place - (len(shown) - 1) / 2)  # so that no whisker hides another
        x = [aside * symbols for symbols in found]
        bits, low, high = np.transpose([symbols * np.array(interval) for symbols, interval in found.items()])
        label, color = styles[arm]
        axes.errorbar(x, bits, (bits - low, high - bits), label=label, color=color, marker="o", markersize=5, capsize=2)
    axes.set_xscale("log", base=2)
    axes.set_xticks(list(copied), [str(symbols) for symbols in copied])
    axes.minorticks_off()
    axes.set(xlabel="bits to keep for 28 steps", ylabel="bits kept (mean with 95 % interval)", ylim=(0, None))
    figure.legend(loc="outside right center")
    return figure


@styled
def kept_figure(scores: TaskScores, styles: Styles) -> Figure:
    """What is kept, one dot per seed: a panel for each task, a row for each arm."""
    arms = arms_of(scores.values())
    figure, panels = new_figure(len(scores), width=2.2 + 2.2 / len(scores), height=1.2 + 0.4 * len(arms))
    for axes, (task, of_task) in zip(panels, scores.items(), strict=True):
        for row, arm in enumerate(arms):
            if arm in of_task:
                values = list(of_task[arm].values())
                axes.scatter(values, [row] * len(values), color=styles[arm].color, s=26, alpha=0.6, clip_on=False)
        axes.axvline(LEARNS, color="#999999", linestyle="--", linewidth=1)
        mark_rows(axes, [styles[arm].label if axes is panels[0] else "" for arm in arms])
        axes.set(title=task.replace(" over", "\nover"), xlim=(-0.04, 1.04))
        axes.set_xlabel("share kept")
    return figure
