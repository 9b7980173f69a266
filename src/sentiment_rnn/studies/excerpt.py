"""Which part of a review says most: its end, its beginning, or half of each."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from sentiment_rnn.analysis.figures import color_of, draw_level, new_figure, styled
from sentiment_rnn.analysis.predictions import Predictions, correct_by_seed
from sentiment_rnn.analysis.statistics import bootstrap_difference, spread
from sentiment_rnn.studies.findings import Findings, Verdict, csv_text, judged, points
from sentiment_rnn.studies.length import Arm, Runs, accuracies, accuracy_table, by_arm, name_of, tokens_of
from sentiment_rnn.tracking.results import predictions_of, runs_of
from sentiment_rnn.tracking.store import Store

EXPERIMENTS = ("excerpt",)
NEEDS = {"length": ("length_tokens",)}
PART = 100
"""Tokens of each part."""
NAMES = {"tail": f"the last {PART}", "head": f"the first {PART}", "both": "half of each"}


def findings(store: Store) -> Findings:
    """What the sweeps say."""
    runs = [run for run in runs_of(store, "length_tokens", "excerpt") if tokens_of(run) == PART]
    by_keep = by_arm(runs, lambda run: run.data.params["data.keep"])
    by_part = {part: by_keep[part] for part in NAMES}
    correct = {
        part: {arm: [predictions_of(store, run) for run in of] for arm, of in runs.items()}
        for part, runs in by_part.items()
    }
    rows = [
        (part, *arm, seed, value)
        for part, runs in by_part.items()
        for arm, of in runs.items()
        for seed, value in accuracies(of).items()
    ]
    found = {NAMES[part]: {arm: accuracies(of) for arm, of in runs.items()} for part, runs in by_part.items()}
    return Findings(
        tables=[accuracy_table(f"Test accuracy [%] by the {PART} tokens that are read", found)],
        figures={"excerpt": excerpt_figure(by_part)},
        results=csv_text(("part", "encoder", "pooling", "seed", "accuracy"), rows),
        verdicts=verdicts(correct),
    )


@styled
def excerpt_figure(by_part: Mapping[str, Runs]) -> Figure:
    """Accuracy of each arm by the part that is read, mean ± standard deviation."""
    figure, (axes,) = new_figure(1, width=8, height=4)
    positions = np.arange(len(by_part))
    for offset, arm in enumerate(next(iter(by_part.values()))):
        values = [spread(list(accuracies(runs[arm]).values())) for runs in by_part.values()]
        mean, deviation = np.array(values).T
        style: dict[str, Any] = {"color": color_of(arm[0], 0), "alpha": 0.45 if arm[1] == "last" else 0.9}
        axes.bar(positions + 0.2 * (offset - 1.5), mean, 0.18, yerr=deviation, capsize=3, label=name_of(arm), **style)
    draw_level(axes, 0.5)
    axes.set_xticks(positions, [NAMES[part] for part in by_part])
    axes.set(title=f"Test accuracy by the {PART} tokens that are read", ylabel="accuracy", ylim=(0.4, 1.01))
    axes.legend(loc="upper center", ncols=4, fontsize=8)
    return figure


def verdicts(correct: Mapping[str, Mapping[Arm, list[Predictions]]]) -> list[Verdict]:
    """Whether the end of a review says more than its beginning, to readers that need not remember."""
    gains, mixed = {}, {}
    for encoder in ("lstm", "rnn"):
        tail, head, both = (correct_by_seed(correct[part][encoder, "mean_max"]) for part in ("tail", "head", "both"))
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
