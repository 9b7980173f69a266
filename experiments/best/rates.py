"""Perplexity of language models by their learning rate, by `protocols/2026-12-07_rates.md`."""

import pandas as pd

from experiments.best.pretrained import measure_run as measure_run  # weights, minutes and tokens of each run
from experiments.lab.findings import Findings
from experiments.lab.results import values_of
from experiments.lab.rules import Evidence
from sentiment_rnn.report.tables import Table


def findings(evidence: Evidence, table: pd.DataFrame) -> Findings:
    """One table: a row for each encoder, and a column for each rate. Rates that were not run are empty."""
    study, protocol = evidence.study, evidence.protocol
    perplexity = values_of(table[table.protocol == protocol.name], "perplexity", "validation")
    found: dict[str, dict[float, str]] = {}
    for sweep in protocol.sweeps:
        for arm in sweep.arms:
            for value in perplexity.get((arm, ""), {}).values():
                of_encoder = found.setdefault(study.arms[arm].label, {})
                of_encoder[sweep.settings["optimizer.learning_rate"]] = f"{value:.1f}"
    rates = sorted({sweep.settings["optimizer.learning_rate"] for sweep in protocol.sweeps})
    lines = [(label, *(by_rate.get(rate, "") for rate in rates)) for label, by_rate in found.items()]
    title = "Perplexity on held-out films after two epochs, by learning rate"
    return Findings({"perplexity": Table(title, ("language model", *map(str, rates)), lines)})
