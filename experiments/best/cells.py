"""RNN, GRU and LSTM from three language models each, by `protocols/2026-12-07_cells.md`.

The unit is a language model with its classifier. An interval is over these and over films.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from experiments.best.pretrained import FILMS, IN_TRAIN, MINUTES
from experiments.best.together import LINEAR, PUBLISHED, numbers_of
from experiments.best.together import measure_run as measure_run  # costs, and the accuracy of each part alone
from experiments.lab.findings import Findings, mean_of
from experiments.lab.results import Correct, Key, read_correct, values_of
from experiments.lab.rules import Evidence, Verdict, above, judged
from experiments.lab.statistics import repeated, repeated_difference
from experiments.lab.study import find_study
from sentiment_rnn.report.statistics import Interval, percent
from sentiment_rnn.report.tables import Table

SEEDS = range(3)
"""Seeds of the language models, and of the classifiers from them."""


class Row(NamedTuple):
    """Classifiers that are compared: those of an encoder, alone or with n-grams."""

    label: str
    sweep: str
    arm: str
    words: str
    """Sweep of the language models."""

    @property
    def keys(self) -> list[Key]:
        """Its runs in the results."""
        return [(self.sweep, self.arm, "", seed) for seed in SEEDS]


def rows_of(label: str, sweep: str, arm: str, words: str) -> dict[str, Row]:
    """The two rows of an encoder."""
    alone = Row(f"{label}, from a language model", sweep, f"{arm}_network", words)
    return {label: alone, f"{label}, n-grams": Row(f"{label}, with n-grams", sweep, arm, words)}


ROWS = (
    rows_of("RNN", "cells_rnn_together", "rnn_together", "cells_rnn_words_2")
    | rows_of("LSTM", "cells_lstm_together", "lstm_together", "cells_lstm_words_2")
    | rows_of("GRU", "together", "gru_together", "together_words")
)
LABELS = {name: row.label for name, row in ROWS.items()} | {LINEAR: PUBLISHED[1]}


class Compared(NamedTuple):
    """Two rows that a claim compares: names in `ROWS`, or `LINEAR`."""

    first: str
    second: str
    margin: float = 0.0

    @property
    def same_runs(self) -> bool:
        """Whether both are of the same runs, which are then compared one by one."""
        return self.second != LINEAR and ROWS[self.first].sweep == ROWS[self.second].sweep


COMPARED = {
    "gru": [Compared("GRU", "LSTM")],
    "lstm": [Compared("LSTM", "RNN", 0.01)],
    "linear": [Compared("LSTM", LINEAR)],
    "ngrams": [Compared("RNN, n-grams", "RNN"), Compared("LSTM, n-grams", "LSTM")],
}
"""Comparisons by claim."""
Right = Mapping[str, np.ndarray]
"""float [R, N], 1 where a test review is classified correctly, a line for each run, by row."""


def findings(evidence: Evidence, table: pd.DataFrame) -> Findings:
    """The verdicts on claims whose runs are all there, and a line for each row that is. Empty without a run of the
    protocol's own."""
    own, right = {sweep.name for sweep in evidence.protocol.sweeps}, right_of(read_correct(evidence.study.output))
    if not any(ROWS[name].sweep in own for name in right.keys() & ROWS.keys()):
        return Findings()
    films = np.load(find_study("imdb").folder / FILMS)
    others = np.setdiff1d(np.arange(len(films)), double := np.load(evidence.study.folder / IN_TRAIN))
    lines = [line(name, of, table, films, others) for name, of in right.items()]
    columns = ("model", "perplexity", "minutes", "validation", "test", f"without {len(double)} reviews in train")
    title = (
        f"Means of {len(SEEDS)} language models: perplexity, minutes on 2 cores with the classifier, and accuracy [%], "
        "on validation with the standard deviation over them, on test with 95 % intervals over them and films"
    )
    verdicts = {
        claim: verdict(pairs, right, films) for claim, pairs in COMPARED.items()
        if all({pair.first, pair.second} <= right.keys() for pair in pairs)
    }  # fmt: skip
    return Findings({"accuracy": Table(title, columns, lines)}, verdicts)


def right_of(runs: Mapping[Key, Correct]) -> Right:
    """The rows all of whose runs are there, and the linear classifier."""
    keys = {name: row.keys for name, row in ROWS.items()} | {LINEAR: [PUBLISHED]}
    there = {name: of for name, of in keys.items() if all(key in runs for key in of)}
    return {name: np.array([runs[key].right for key in of], float) for name, of in there.items()}


def line(name: str, right: np.ndarray, table: pd.DataFrame, films: np.ndarray, others: np.ndarray) -> tuple[str, ...]:
    """A line of the table."""
    tested = (percent(repeated(right[:, some], films[some]), unit="") for some in (slice(None), others))
    if name == LINEAR:
        return (LABELS[name], "", "", "", *tested)
    row = ROWS[name]
    perplexity = values_of(table[table.sweep == row.words], "perplexity", "validation")
    (of_words,), of_row = perplexity.values(), table[table.sweep == row.sweep]
    minutes = table[table.sweep.isin([row.words, row.sweep]) & (table.metric == MINUTES)].groupby("seed").value.sum()
    validation = values_of(of_row, "accuracy", "validation") | values_of(of_row, "best_accuracy", "validation")
    accuracies = [100 * accuracy for accuracy in validation[row.arm, ""].values()]
    return (row.label, mean_of(of_words.values()), f"{minutes.mean():.0f}", mean_of(accuracies), *tested)


def verdict(pairs: Sequence[Compared], right: Right, films: np.ndarray) -> Verdict:
    """The verdict on a claim with these comparisons."""
    differences = [difference(pair, right, films) for pair in pairs]
    numbers = tuple(
        numbers_of(LABELS[pair.first], right[pair.first], LABELS[pair.second], right[pair.second], found, films)
        for pair, found in zip(pairs, differences, strict=True)
    )
    parts = (above(found, pair.margin) for pair, found in zip(pairs, differences, strict=True))
    return Verdict(judged(*parts), numbers)


def difference(pair: Compared, right: Right, films: np.ndarray) -> Interval:
    """The difference of two rows with its interval."""
    first, second = right[pair.first], right[pair.second]
    return repeated(first - second, films) if pair.same_runs else repeated_difference(first, second, films)
