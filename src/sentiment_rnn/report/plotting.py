"""Figures, each a function from numbers to a matplotlib `Figure`; nothing is shown on a screen."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from io import BytesIO
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from PIL import Image

from sentiment_rnn.files import replacement_of, write_whole
from sentiment_rnn.inference.predictions import Predictions
from sentiment_rnn.report.statistics import binned, logarithmic_bins, quantile_bins, wilson_interval

WIDTH = 7.0
"""Width of a figure [inches]: at 700 pixels its smallest letters are 12 pixels high, and on paper it fills a page."""
# Colours of Okabe & Ito (2008), which colour-blind readers can tell apart. Markers and lines help in gray prints.
PALETTE = ("#0072B2", "#D55E00", "#7A7A7A", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_LINES = {
    "lstm_chrono": "v-", "lstm": "^-", "rnn_relu": "s--", "rnn_orthogonal": "X--", "rnn": "o-", "gru": "D-.",
    "bag": "P:", "slstm": "<-", "min_lstm": ">--", "min_gru": "d-.", "lru": "p-",
}  # fmt: skip
"""Marker and line by how an encoder's name begins."""
GUIDE: dict[str, Any] = {"color": "#8A8A8A", "linestyle": (0, (4, 3)), "linewidth": 1}
"""Style of a line that others are compared with."""
PERCENT = PercentFormatter(1, symbol=" %")
STYLE: dict[str, Any] = {
    "figure.dpi": 150,
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#666666",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.7,
    "lines.linewidth": 1.8,
    "lines.markersize": 5.5,
}

Arguments = ParamSpec("Arguments")
Drawn = TypeVar("Drawn")


def styled(draw: Callable[Arguments, Drawn]) -> Callable[Arguments, Drawn]:
    """Decorator: draws in the project's style, without changing matplotlib's settings."""

    @wraps(draw)
    def drawn(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Drawn:
        with matplotlib.rc_context(STYLE):
            return draw(*args, **kwargs)

    return drawn


def line_of(name: str) -> dict[str, Any]:
    """Marker and line of an encoder: the same in every figure."""
    style = next((style for start, style in _LINES.items() if name.startswith(start)), "o-")
    return {"marker": style[0], "linestyle": style[1:]}


def ink(color: str) -> tuple[float, float, float]:
    """The colour, darkened so that letters in it can be read on white."""
    red, green, blue = to_rgb(color)
    return 0.7 * red, 0.7 * green, 0.7 * blue


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG of 256 colours, which looks the same and is a third as large."""
    drawn = BytesIO()
    figure.savefig(drawn, format="png")
    # By maximum coverage, then k-means: median cut would lose rare colours, such as the ends of a colour bar.
    colours = Image.open(drawn).convert("RGB").quantize(256, method=Image.Quantize.MAXCOVERAGE, kmeans=3)
    colours.save(path, format="PNG", optimize=True)


def write_folder(folder: Path, files: Mapping[str, str | bytes], figures: Mapping[str, Figure]) -> list[Path]:
    """Write files and figures into a folder, which is created if needed. Each file is written atomically.

    Args:
        files: content by file name, which may begin with the name of a folder.
        figures: figures by file name without suffix.

    Returns:
        Their paths.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        write_whole(folder / name, content.encode() if isinstance(content, str) else content)
    for name, figure in figures.items():
        with replacement_of(folder / f"{name}.png") as partial:
            save_figure(figure, partial)
    return [folder / name for name in (*files, *(f"{name}.png" for name in figures))]


def new_figure(columns: int = 1, height: float = 3.5, width: float = WIDTH) -> tuple[Figure, list[Axes]]:
    """A figure with a row of axes; sizes in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, list(np.ravel(figure.subplots(1, columns)))


@styled
def calibration(predictions: Predictions) -> Figure:
    """Reliability diagram: the share of positive reviews by predicted probability, without and with the temperature. A
    dot's area is its share of the reviews."""
    figure, (axes,) = new_figure(width=4.6, height=4)
    axes.plot([0, 1], [0, 1], **GUIDE, label="perfect")
    name = "share positive"
    if predictions.temperature != 1:
        _reliability(axes, predictions.uncalibrated, predictions.labels, PALETTE[5], "before temperature")
        name = f"at temperature {predictions.temperature:.2f}"
    _reliability(axes, predictions.probabilities, predictions.labels, PALETTE[0], name)
    axes.set(title="Calibration", xlabel="predicted probability", ylabel="share positive")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.legend(loc="upper left", markerscale=0.5)
    return figure


def _reliability(axes: Axes, predicted: np.ndarray, labels: np.ndarray, color: str, name: str) -> None:
    bins = 10
    cell = np.minimum((predicted * bins).astype(int), bins - 1)
    used = [b for b in range(bins) if (cell == b).sum() >= 10]
    centers, shares = [predicted[cell == b].mean() for b in used], [labels[cell == b].mean() for b in used]
    axes.plot(centers, shares, color=color, linewidth=1.2)
    sizes = [20 + 300 * (cell == b).mean() for b in used]
    axes.scatter(centers, shares, s=sizes, color=color, label=name, zorder=3)


@styled
def accuracy_by(values: np.ndarray, correct: np.ndarray, edges: np.ndarray, name: str) -> Figure:
    """Accuracy with 95 % intervals, by bins of `values`, which has one number for each review."""
    figure, (axes,) = new_figure()
    rows = [
        (np.median(values[inside]), *wilson_interval(int(correct[inside].sum()), int(inside.sum())))
        for _, _, inside in binned(values, edges)
    ]
    centers, accuracies, low, high = np.array(rows).T
    error = [accuracies - low, high - accuracies]
    axes.errorbar(centers, accuracies, error, marker="o", capsize=3, color=PALETTE[0])
    decorate_accuracy(axes, name)
    return figure


def draw_level(axes: Axes, level: float, name: str = "") -> None:
    """Draw a dashed line at a value to compare with, named at its left end."""
    axes.axhline(level, **GUIDE)
    if name:
        axes.annotate(
            name, (0.01, level), (0, 2), xycoords=("axes fraction", "data"), textcoords="offset points", va="bottom",
            color="#666666", fontsize="small",
        )  # fmt: skip


def decorate_accuracy(axes: Axes, name: str, what: str = "Accuracy") -> None:
    """Set up axes of accuracy against a number, on a log scale, or from 0 on; chance is drawn in."""
    if axes.dataLim.x0 < 1:
        axes.set_xscale("symlog", linthresh=1)
    else:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
    draw_level(axes, 0.5)
    axes.xaxis.set_major_formatter(matplotlib.ticker.StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
    axes.yaxis.set_major_formatter(PERCENT)
    axes.set(title=f"{what} by {name}", xlabel=f"{name} [tokens] (dashed: chance)", ylim=accuracy_limits(axes))


def accuracy_limits(axes: Axes) -> tuple[float, float]:
    """Limits of an accuracy axis: from just below chance, or from the lowest value drawn, to the top."""
    return max(0.0, min(0.4, axes.dataLim.y0)) - 0.01, 1.01


@styled
def search_history(values: Mapping[int, float], pruned: Sequence[int], metric: str, mode: str) -> Figure:
    """The score of each trial, and the best so far.

    Args:
        values: score by number of each trial that trained to its end.
        pruned: numbers of the trials that were ended early or diverged.
        mode: `max` or `min`, whether high or low scores are good.
    """
    figure, (axes,) = new_figure()
    numbers = sorted(values)
    better = np.maximum if mode == "max" else np.minimum
    best = better.accumulate([values[number] for number in numbers])
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


def prediction_figures(predictions: Predictions) -> dict[str, Figure]:
    """Figures of predictions on labelled texts, by file name."""
    figures = {
        "calibration": calibration(predictions),
        "accuracy_by_length": accuracy_by(
            predictions.lengths, predictions.correct, quantile_bins(predictions.lengths, 10), "length"
        ),
    }
    if predictions.has_lags:
        edges = logarithmic_bins(predictions.lags, 8)
        figures["accuracy_by_lag"] = accuracy_by(predictions.lags, predictions.correct, edges, "lag")
    return figures
