"""A GRU from a language model together with n-grams, by `protocols/2026-12-04_together.md`."""

import pandas as pd

from experiments.best.parts import measure_run as measure_run  # costs, and the accuracy of each part alone
from experiments.best.repetitions import LINEAR, Pair, Row, findings_of_rows
from experiments.lab.findings import Findings
from experiments.lab.rules import Evidence

SWEEP, ARM = "together", "gru_together"
TOGETHER = Row("both together", SWEEP, ARM)
NETWORK = Row("GRU from a language model", SWEEP, f"{ARM}_network")
NGRAMS = Row("n-grams", SWEEP, f"{ARM}_ngrams", seeds=(0,))
ROWS = (NETWORK, NGRAMS, TOGETHER, LINEAR)
"""Lines of the table."""
COMPARED = {
    "network": [Pair(TOGETHER, NETWORK)],
    "ngrams": [Pair(TOGETHER, NGRAMS, margin=0.01)],
    "published": [Pair(NETWORK, LINEAR)],
}
"""Comparisons by claim."""


def findings(evidence: Evidence, table: pd.DataFrame) -> Findings:
    """The verdicts, the accuracy of each part and of both, and a table of runs."""
    return findings_of_rows(evidence, table, ROWS, COMPARED)
