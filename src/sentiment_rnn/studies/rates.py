"""How learning rates were chosen: every rate that was tried, the best, and the one that the study used."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from mlflow.entities import Run

from sentiment_rnn.analysis.tables import Table


def rate_of(run: Run) -> float:
    """The peak learning rate of a run."""
    return float(run.data.params["optimizer.learning_rate"])


def rate_table(
    title: str,
    tried: Sequence[Run],
    used: Sequence[Run],
    score: Callable[[Run], float],
    part: Callable[[Run], str] = lambda _: "",
    lowest: bool = False,
    names: Mapping[str, str] | None = None,
) -> Table:
    """A row an encoder, and a part of it: the mean score on validation by rate, the best in bold, and the rate used.

    Args:
        tried: the runs of the sweep that chose.
        used: those of the study.
        part: what a choice was made for, where there are several.
        lowest: the best score is the lowest.
        names: of encoders in the table.
    """
    names = names or {}
    rates = sorted({rate_of(run) for run in tried})
    rows = []
    for encoder, of in dict.fromkeys((run.data.params["encoder.name"], part(run)) for run in tried):
        found = {}
        for rate in rates:
            scores = [score(run) for run in tried if same(run, encoder, of, part) and rate_of(run) == rate]
            if scores:
                found[rate] = float(np.mean(scores))
        best = min(found.values()) if lowest else max(found.values())
        cells = [
            ("**{:.4g}**" if found[rate] == best else "{:.4g}").format(found[rate]) if rate in found else ""
            for rate in rates
        ]
        chosen = sorted({rate_of(run) for run in used if same(run, encoder, of, part)})
        rows.append((names.get(encoder, encoder), *([of] if of else []), *cells, ", ".join(f"{r:g}" for r in chosen)))
    parted = any(part(run) for run in tried)
    columns = ("encoder", *(["for"] if parted else []), *(f"{rate:g}" for rate in rates), "used")
    return Table(title, columns, rows)


def same(run: Run, encoder: str, of: str, part: Callable[[Run], str]) -> bool:
    """Whether a run is of this encoder and part."""
    return bool(run.data.params["encoder.name"] == encoder and part(run) == of)


def validation_accuracy(run: Run) -> float:
    """Best validation accuracy of a run, in percent."""
    return 100 * float(run.data.metrics["val/best_accuracy"])
