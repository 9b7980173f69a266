"""Findings on linear classifiers of IMDb, by `protocols/2026-11-26_word_pairs.md`.

Their code was removed: `experiments/best/linear.py` has the better classifier.
"""

import numpy as np
import pandas as pd

from experiments.lab.findings import Findings
from experiments.lab.results import read_correct, values_of
from experiments.lab.rules import Evidence, Numbers, Verdict, above, judged
from experiments.lab.statistics import clustered, points
from sentiment_rnn.report.statistics import Interval, percent
from sentiment_rnn.report.tables import Table

SWEEP = "word_pairs"
FILMS = "films.npy"
"""The film of each test review: uint16 [N]."""
WORTH = 0.01
"""Difference in accuracy from which a classifier counts as better."""
COMPARED = {
    "pairs": ("NBSVM, words and pairs", "NBSVM, words"),
    "order": ("NBSVM, words and pairs", "NBSVM, words and pairs, shuffled"),
    "triples": ("NBSVM, words, pairs and triples", "NBSVM, words and pairs"),
    "ratios": ("SVM, words and pairs", "SVM, words"),
}
"""By claim."""


def findings(evidence: Evidence, table: pd.DataFrame) -> Findings:
    """Accuracies and verdicts, from which test reviews were classified correctly, and their films."""
    rows = table[table.protocol == evidence.protocol.name]
    if rows.empty:
        return Findings()
    costs, validation = values_of(rows, "C", "train"), values_of(rows, "accuracy", "validation")
    runs, films = read_correct(evidence.study.output), np.load(evidence.study.output / FILMS)
    right = {name: runs[SWEEP, name, "", 0].right.astype(float) for name, _ in costs}
    accuracies = [
        (name, f"{costs[name, ''][0]:g}", f"{100 * validation[name, ''][0]:.1f} %", percent(clustered(answers, films)))
        for name, answers in right.items()
    ]
    verdicts = {}
    for claim in evidence.protocol.claims:
        first, second = ((name, right[name]) for name in COMPARED[claim.id])
        difference, numbers = over_films(first, second, films, comparisons=len(COMPARED))
        verdicts[claim.id] = Verdict(judged(above(difference, WORTH)), (numbers,))
    columns = ("classifier", "C", "validation", "test")
    return Findings({"accuracy": Table("Accuracy, with 95 % intervals over films", columns, accuracies)}, verdicts)


def over_films(
    first: tuple[str, np.ndarray], second: tuple[str, np.ndarray], films: np.ndarray, comparisons: int = 1
) -> tuple[Interval, Numbers]:
    """Difference of two classifiers on the same test reviews, first - second, with its interval over films, and the
    numbers of both.

    Args:
        first, second: a label, and float [N], how often each review is classified correctly.
        films: int [N].
        comparisons: so many intervals hold together in 95 %.
    """
    difference = clustered(first[1] - second[1], films, comparisons)
    one, other = ((label, percent(clustered(right, films))) for label, right in (first, second))
    return difference, Numbers("", *one, *other, points(difference))
