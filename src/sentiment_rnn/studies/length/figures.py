"""The figure of the length study: accuracy by tokens read and by review length, AUROC by filler."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sentiment_rnn.inference.predictions import Predictions
from sentiment_rnn.report.figures import decorate_accuracy, draw_level, new_figure, styled
from sentiment_rnn.report.statistics import quantile_bins, spread
from sentiment_rnn.studies.kit.encoder_groups import Styles
from sentiment_rnn.studies.length.pooled import PooledEncoder, Scores, label_of


@styled
def length_figure(
    tokens: Scores,
    filler: Scores,
    whole: Mapping[PooledEncoder, Sequence[Predictions]],
    styles: Styles,
) -> Figure:
    """Accuracy by tokens read and by review length; AUROC by filler."""
    with_filler = {at: scores for at, scores in filler.items() if isinstance(at, int)}
    figure, (by_tokens, by_length, by_filler) = new_figure(3, width=4.2, height=4)
    for pooled in whole:
        amounts = [amount for amount in tokens if pooled in tokens[amount]]
        _line(by_tokens, amounts, [list(tokens[amount][pooled].values()) for amount in amounts], pooled, styles)
        _line(by_length, *_by_length(whole[pooled]), pooled, styles)
        values = [list(scores[pooled].values()) for scores in with_filler.values()]
        _line(by_filler, list(with_filler), values, pooled, styles)
    for axes, title in ((by_tokens, "tokens read"), (by_length, "length of the review")):
        decorate_accuracy(axes, title)
    figure.legend(*by_tokens.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    draw_level(by_filler, 0.5)
    title = "AUROC with neutral tokens behind"
    by_filler.set(title=title, xlabel="neutral tokens", ylabel="AUROC", ylim=(0.4, 1.01))
    return figure


def _line(
    axes: Axes, x: Sequence[float], values: Sequence[Sequence[float]], pooled: PooledEncoder, styles: Styles
) -> None:
    mean, deviation = np.array([spread(list(value)) for value in values]).T
    line, color = "--" if pooled[1] == "last" else "-", styles[pooled[0]].color
    axes.plot(x, mean, line, marker="o", markersize=4, color=color, label=label_of(pooled, styles), linewidth=1.6)
    axes.fill_between(x, mean - deviation, mean + deviation, color=color, alpha=0.15, linewidth=0)


def _by_length(predictions: Sequence[Predictions]) -> tuple[list[float], list[list[float]]]:
    lengths = predictions[0].lengths
    centers, accuracies = [], []
    for low, high in pairwise(quantile_bins(lengths, 8)):
        inside = (lengths >= low) & (lengths < high)
        if inside.any():
            centers.append(float(np.median(lengths[inside])))
            accuracies.append([float(prediction.correct[inside].mean()) for prediction in predictions])
    return centers, accuracies
