"""How learning rates were chosen: every rate that was tried, the best one, and the one that the study used."""

from collections.abc import Callable, Sequence

import numpy as np

from sentiment_rnn.report.tables import Table
from sentiment_rnn.tracking.names import BEST_ACCURACY
from sentiment_rnn.tracking.results import RunResult


def learning_rate_table(
    title: str,
    tried: Sequence[RunResult],
    used: Sequence[RunResult],
    score: Callable[[RunResult], float],
    condition: Callable[[RunResult], str] = lambda _: "",
    lowest: bool = False,
) -> Table:
    """One row per encoder and condition: the mean validation score of each rate, the best in bold, and the rate used.

    Args:
        tried: the runs of the sweep that chose.
        used: the runs of the study.
        condition: what the rate was chosen for, where each encoder has several.
        lowest: the best score is the lowest.
    """
    rates = sorted({result.learning_rate for result in tried})
    labels = {result.encoder: result.label for result in reversed(tried)}
    rows = []
    for encoder, chosen_for in dict.fromkeys((result.encoder, condition(result)) for result in tried):
        trials, users = (
            [result for result in results if result.encoder == encoder and condition(result) == chosen_for]
            for results in (tried, used)
        )
        means = {}
        for rate in rates:
            scores = [score(result) for result in trials if result.learning_rate == rate]
            if scores:
                means[rate] = float(np.mean(scores))
        best = min(means.values()) if lowest else max(means.values())
        cells = [
            ("**{:.4g}**" if means[rate] == best else "{:.4g}").format(means[rate]) if rate in means else ""
            for rate in rates
        ]
        used_rates = ", ".join(f"{rate:g}" for rate in sorted({result.learning_rate for result in users}))
        rows.append((labels[encoder], *([chosen_for] if chosen_for else []), *cells, used_rates))
    conditional = any(condition(result) for result in tried)
    columns = ("encoder", *(["for"] if conditional else []), *(f"{rate:g}" for rate in rates), "used")
    return Table(title, columns, rows)


def validation_accuracy(result: RunResult) -> float:
    """Best validation accuracy of a run, in percent."""
    return 100 * result.metrics[BEST_ACCURACY]
