"""How learning rates were chosen: every rate that was tried, the best one, and the one that the study used."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from sentiment_rnn.report.tables import Table, csv_text
from sentiment_rnn.studies.kit.encoder_groups import Styles
from sentiment_rnn.studies.kit.measurements import read_rows
from sentiment_rnn.tracking.names import BEST_ACCURACY
from sentiment_rnn.tracking.results import RunResult

RATES = "learning_rates.csv"


def learning_rates_csv(
    tried: Sequence[RunResult],
    used: Sequence[RunResult],
    score: Callable[[RunResult], float],
    condition: Callable[[RunResult], str] = lambda _: "",
) -> str:
    """One row per encoder, condition and rate: the mean validation score, and the rates that the study used.

    Args:
        tried: the runs of the sweep that chose.
        used: the runs of the study.
        condition: what the rate was chosen for, where each encoder has several.
    """
    scores: dict[tuple[str, str, float], list[float]] = {}
    for result in tried:
        scores.setdefault((result.encoder, condition(result), result.learning_rate), []).append(score(result))
    used_rates: dict[tuple[str, str], set[float]] = {}
    for result in used:
        used_rates.setdefault((result.encoder, condition(result)), set()).add(result.learning_rate)
    rows = [
        (
            encoder, chosen_for, f"{rate:g}", float(np.mean(of_rate)),
            " ".join(f"{one:g}" for one in sorted(used_rates.get((encoder, chosen_for), ()))),
        )
        for (encoder, chosen_for, rate), of_rate in scores.items()
    ]  # fmt: skip
    return csv_text(("encoder", "condition", "learning_rate", "score", "used"), rows)


def learning_rate_table(title: str, folder: Path, styles: Styles, lowest: bool = False) -> Table:
    """One row per encoder and condition: the score of each rate, the best in bold, and the rate used.

    Args:
        lowest: the best score is the lowest.
    """
    groups: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in read_rows(folder, RATES):
        groups.setdefault((row["encoder"], row["condition"]), []).append(row)
    rates = sorted({row["learning_rate"] for group in groups.values() for row in group}, key=float)
    conditional = any(condition for _, condition in groups)
    rows = []
    for (encoder, condition), group in groups.items():
        scores = {row["learning_rate"]: float(row["score"]) for row in group}
        best = min(scores.values()) if lowest else max(scores.values())
        cells = [
            ("**{:.4g}**" if scores[rate] == best else "{:.4g}").format(scores[rate]) if rate in scores else ""
            for rate in rates
        ]
        used = group[0]["used"].replace(" ", ", ")
        rows.append((styles[encoder].label, *([condition] if conditional else []), *cells, used))
    return Table(title, ("encoder", *(["for"] if conditional else []), *rates, "used"), rows)


def validation_accuracy(result: RunResult) -> float:
    """Best validation accuracy of a run, in percent."""
    return 100 * result.metrics[BEST_ACCURACY]
