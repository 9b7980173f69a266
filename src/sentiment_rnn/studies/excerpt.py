"""Which part of a review says most: its end, its beginning, or half of each."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from sentiment_rnn.inference.predictions import Predictions, correct_by_seed
from sentiment_rnn.report.figures import draw_level, new_figure, styled
from sentiment_rnn.report.statistics import bootstrap_difference, spread
from sentiment_rnn.studies.kit.encoder_groups import Styles, plain_styles_of
from sentiment_rnn.studies.kit.findings import Findings, Verdict, csv_text, judged, points
from sentiment_rnn.studies.kit.study import Study, Sweep
from sentiment_rnn.studies.length import (
    PooledEncoder,
    PooledResults,
    accuracies,
    accuracy_by_setting_table,
    by_setting,
    label_of,
    tokens_of,
)
from sentiment_rnn.tracking.results import results_of_sweeps
from sentiment_rnn.tracking.store import Store

PART = 100
"""Tokens of each part."""
PARTS = {"tail": f"the last {PART}", "head": f"the first {PART}", "both": "half of each"}
"""Values of `data.keep`, as they are called in tables and figures."""


def findings(store: Store) -> Findings:
    """Findings from the sweep over parts, and from the runs of the length study that read the last tokens."""
    results = [result for result in results_of_sweeps(store, "length_tokens", "excerpt") if tokens_of(result) == PART]
    styles = plain_styles_of(results)
    by_keep = by_setting(results, lambda result: result.config.data.keep)
    by_part = {part: by_keep[part] for part in PARTS}
    predictions = {
        part: {pooled: [result.predictions for result in runs] for pooled, runs in groups.items()}
        for part, groups in by_part.items()
    }
    rows = [
        (part, *pooled, seed, value)
        for part, groups in by_part.items()
        for pooled, runs in groups.items()
        for seed, value in accuracies(runs).items()
    ]
    scores = {
        PARTS[part]: {pooled: accuracies(runs) for pooled, runs in groups.items()} for part, groups in by_part.items()
    }
    return Findings(
        tables=[accuracy_by_setting_table(f"Test accuracy [%] by the {PART} tokens that are read", scores, styles)],
        figures={"excerpt": excerpt_figure(by_part, styles)},
        results=csv_text(("part", "encoder", "pooling", "seed", "accuracy"), rows),
        verdicts=verdicts(predictions),
    )


@styled
def excerpt_figure(by_part: Mapping[str, PooledResults], styles: Styles) -> Figure:
    """Accuracy of each encoder and pooling by the part that is read, mean ± standard deviation."""
    figure, (axes,) = new_figure(1, width=8, height=4)
    shown = list(dict.fromkeys(pooled for groups in by_part.values() for pooled in groups))
    for offset, pooled in enumerate(shown):
        positions = np.array([place for place, groups in enumerate(by_part.values()) if pooled in groups])
        values = [spread(list(accuracies(runs[pooled]).values())) for runs in by_part.values() if pooled in runs]
        mean, deviation = np.array(values).T
        encoder, pooling = pooled
        style: dict[str, Any] = {"color": styles[encoder].color, "alpha": 0.45 if pooling == "last" else 0.9}
        centers = positions + 0.8 / len(shown) * (offset - (len(shown) - 1) / 2)
        width = 0.72 / len(shown)
        axes.bar(centers, mean, width, yerr=deviation, capsize=3, label=label_of(pooled, styles), **style)
    draw_level(axes, 0.5)
    axes.set_xticks(np.arange(len(by_part)), [PARTS[part] for part in by_part])
    axes.set(title=f"Test accuracy by the {PART} tokens that are read", ylabel="accuracy", ylim=(0.4, 1.01))
    axes.legend(loc="upper center", ncols=4, fontsize=8)
    return figure


def verdicts(predictions: Mapping[str, Mapping[PooledEncoder, list[Predictions]]]) -> list[Verdict]:
    """Whether the end of a review says more than its beginning, to encoders that need not remember it."""
    gains, mixed = {}, {}
    for encoder in ("lstm", "rnn"):
        tail, head, both = (
            correct_by_seed(predictions[part][encoder, "mean_max"]) for part in ("tail", "head", "both")
        )
        gains[encoder] = bootstrap_difference(tail, head, 2000)
        mixed[encoder] = bootstrap_difference(both, tail, 2000)
    more = [gain.low > 0 for gain in gains.values()]
    return [
        Verdict(
            "The end of a review says more than its beginning.",
            judged(all(more), any(more)),
            f"Read out over all states, the last {PART} tokens are better than the first by {points(gains['lstm'])} "
            f"points for an LSTM and {points(gains['rnn'])} for an RNN; half of each against the last makes "
            f"{points(mixed['lstm'])} and {points(mixed['rnn'])} points.",
        )
    ]


STUDY = Study(
    name="excerpt",
    order=70,
    sweeps=(Sweep("excerpt"),),
    findings=findings,
    needs={"length": ("length_tokens",)},
)
