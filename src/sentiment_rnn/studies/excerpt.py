"""Which part of a review says most: its end, its beginning, or half of each."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from sentiment_rnn.report.figures import draw_level, new_figure, styled
from sentiment_rnn.report.statistics import accuracy_difference, points, spread
from sentiment_rnn.studies.kit.encoder_groups import Styles, plain_styles_of
from sentiment_rnn.studies.kit.findings import Findings
from sentiment_rnn.studies.kit.measurements import Measurements, read_rows, read_styles
from sentiment_rnn.studies.kit.study import Study, Sweep
from sentiment_rnn.studies.kit.verdicts import Verdict, above, judged
from sentiment_rnn.studies.length.pooled import (
    PooledEncoder,
    ScoreBySeed,
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
ByPart = dict[str, dict[PooledEncoder, ScoreBySeed]]
"""Test accuracy by part, encoder and pooling, and seed."""


def measure(store: Store) -> Measurements:
    """Test accuracy in the sweep over parts, and of the runs of the length study that read the last tokens."""
    results = [result for result in results_of_sweeps(store, "length_tokens", "excerpt") if tokens_of(result) == PART]
    by_part = by_setting(results, lambda result: result.config.data.keep)
    rows = [
        (part, *pooled, seed, value)
        for part in PARTS
        for pooled, runs in by_part[part].items()
        for seed, value in accuracies(runs).items()
    ]
    return Measurements.of_rows(("part", "encoder", "pooling", "seed", "accuracy"), rows, plain_styles_of(results))


def findings(folder: Path) -> Findings:
    """Findings from the test accuracies."""
    styles = read_styles(folder)
    scores: ByPart = {}
    for row in read_rows(folder):
        by_seed = scores.setdefault(row["part"], {}).setdefault((row["encoder"], row["pooling"]), {})
        by_seed[int(row["seed"])] = float(row["accuracy"])
    named = {PARTS[part]: groups for part, groups in scores.items()}
    return Findings(
        tables=[accuracy_by_setting_table(f"Test accuracy [%] by the {PART} tokens that are read", named, styles)],
        verdicts=verdicts(scores),
        figures={"excerpt": excerpt_figure(scores, styles)},
    )


@styled
def excerpt_figure(by_part: ByPart, styles: Styles) -> Figure:
    """Accuracy of each encoder and pooling by the part that is read, mean ± standard deviation."""
    figure, (axes,) = new_figure(1, width=8, height=4)
    shown = list(dict.fromkeys(pooled for groups in by_part.values() for pooled in groups))
    for offset, pooled in enumerate(shown):
        positions = np.array([place for place, groups in enumerate(by_part.values()) if pooled in groups])
        values = [spread(list(groups[pooled].values())) for groups in by_part.values() if pooled in groups]
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


def verdicts(scores: ByPart) -> list[Verdict]:
    """Whether the end of a review says more than its beginning, to encoders that need not remember it."""
    gains, mixed = {}, {}
    for encoder in ("lstm", "rnn"):
        tail, head, both = (list(scores[part][encoder, "mean_max"].values()) for part in ("tail", "head", "both"))
        gains[encoder] = accuracy_difference(tail, head)
        mixed[encoder] = accuracy_difference(both, tail)
    return [
        Verdict(
            "The end of a review says more than its beginning.",
            judged(*(above(gain, 0) for gain in gains.values())),
            f"With mean and max pooling, the last {PART} tokens are better than the first by {points(gains['lstm'])} "
            f"points for an LSTM and {points(gains['rnn'])} for an RNN. Half of each is better than the last by "
            f"{points(mixed['lstm'])} and {points(mixed['rnn'])} points.",
        )
    ]


STUDY = Study(
    name="excerpt",
    order=70,
    sweeps=(Sweep("excerpt"),),
    measure=measure,
    findings=findings,
    needs={"length": ("length_tokens",)},
)
