"""RNN, GRU and LSTM from three language models each, by `protocols/2026-12-07_cells.md`."""

from typing import NamedTuple

import pandas as pd

from experiments.best.parts import measure_run as measure_run  # costs, and the accuracy of each part alone
from experiments.best.repetitions import LINEAR, Pair, Row, findings_of_rows
from experiments.lab.findings import Findings
from experiments.lab.rules import Evidence


class Encoder(NamedTuple):
    """The two rows of an encoder."""

    alone: Row
    together: Row


def encoder(label: str, sweep: str, arm: str) -> Encoder:
    """An encoder from a language model, alone and with n-grams."""
    alone = Row(f"{label}, from a language model", sweep, f"{arm}_network")
    return Encoder(alone, Row(f"{label}, with n-grams", sweep, arm))


RNN = encoder("RNN", "cells_rnn_together", "rnn_together")
LSTM = encoder("LSTM", "cells_lstm_together", "lstm_together")
GRU = encoder("GRU", "cells_gru_anew", "gru_anew")
ROWS = (*RNN, *LSTM, *GRU, LINEAR)
"""Lines of the table."""
COMPARED = {
    "gru": [Pair(GRU.alone, LSTM.alone)],
    "lstm": [Pair(LSTM.alone, RNN.alone, margin=0.01)],
    "linear": [Pair(LSTM.alone, LINEAR)],
    "ngrams": [Pair(RNN.together, RNN.alone), Pair(LSTM.together, LSTM.alone)],
}
"""Comparisons by claim."""


def findings(evidence: Evidence, table: pd.DataFrame) -> Findings:
    """The verdicts on claims whose runs are all there, and a line for each row that is."""
    return findings_of_rows(evidence, table, ROWS, COMPARED)
