"""The history of a search as a figure."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sentiment_rnn.report.figures import PALETTE, new_figure, styled


@styled
def search_history(values: Mapping[int, float], pruned: Sequence[int], metric: str, mode: str) -> Figure:
    """The score of each trial, and the best so far.

    Args:
        values: score by the trial's number, of those that trained to their end.
        pruned: numbers of the trials that were ended early or diverged.
        mode: `max` or `min`: which scores are good.
    """
    figure, (axes,) = new_figure(1, width=6.4)
    numbers = sorted(values)
    best: list[float] = []
    for number in numbers:
        better = max if mode == "max" else min
        best.append(better([*best[-1:], values[number]]))
    axes.plot(numbers, [values[number] for number in numbers], "o", color=PALETTE[0], label="trial")
    axes.step(numbers, best, where="post", color=PALETTE[1], label="best so far")
    if pruned:
        height = 0.02 if mode == "max" else 0.98
        axes.plot(pruned, [height] * len(pruned), "x", color=PALETTE[2], transform=axes.get_xaxis_transform(),
                  label="pruned or diverged")  # fmt: skip
    axes.set(xlabel="trial", ylabel=f"best {metric}", title="Search")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
    return figure
