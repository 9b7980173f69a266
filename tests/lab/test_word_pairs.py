"""The findings on linear classifiers whose code was removed."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.imdb import word_pairs
from experiments.imdb.word_pairs import COMPARED, findings
from experiments.lab.findings import Findings
from experiments.lab.rules import FAILS, HOLDS, UNDECIDED, evidence_of
from experiments.lab.statistics import clustered, points
from experiments.lab.study import find_study
from experiments.lab.table import CORRECT, Correct, correct_file, read_results, rows_of

STUDY = find_study("imdb")
PROTOCOL = STUDY.protocol("word_pairs")


def findings_in(folder: Path, table: pd.DataFrame) -> Findings:
    return findings(evidence_of(replace(STUDY, output=folder), PROTOCOL, table), table)


def test_a_classifier_is_better_where_the_interval_of_their_difference_is_above_a_point(tmp_path: Path) -> None:
    reviews = 2000
    shares = {
        "NBSVM, words": 0.80, "NBSVM, words and pairs": 0.90, "NBSVM, words, pairs and triples": 0.89,
        "NBSVM, words and pairs, shuffled": 0.895, "SVM, words": 0.85, "SVM, words and pairs": 0.86,
    }  # fmt: skip
    right = {name: np.arange(reviews) < share * reviews for name, share in shares.items()}
    runs = {("word_pairs", name, "", 0): Correct(of, "reviews") for name, of in right.items()}
    (tmp_path / CORRECT).write_bytes(correct_file(runs))
    np.save(content := io.BytesIO(), np.arange(reviews, dtype="<u2"))
    (tmp_path / word_pairs.FILMS).write_bytes(content.getvalue())
    table = rows_of("imdb", [
        ("word_pairs", "word_pairs", name, "", 0, None, split, metric, value)
        for name, share in shares.items()
        for split, metric, value in (("train", "C", 0.1), ("validation", "accuracy", 0.5), ("test", "accuracy", share))
    ])  # fmt: skip
    found = findings_in(tmp_path, table)
    verdicts = {claim: verdict.verdict for claim, verdict in found.verdicts.items()}
    assert verdicts == {"pairs": HOLDS, "order": FAILS, "triples": FAILS, "ratios": UNDECIDED}
    together = clustered(1.0 * right["SVM, words and pairs"] - right["SVM, words"], np.arange(reviews), comparisons=4)
    assert found.verdicts["ratios"].rows[0].difference == points(together)
    assert found.tables["accuracy"].rows[0] == ("NBSVM, words", "0.1", "50.0 %", "80.0 % (78.2–81.8)")
    assert findings_in(tmp_path, table[:0]) == Findings()


def test_every_claim_of_the_protocol_compares_two_classifiers() -> None:
    assert list(COMPARED) == [claim.id for claim in PROTOCOL.claims]
    rows = read_results(STUDY.folder)
    assert {name for pair in COMPARED.values() for name in pair} <= set(rows[rows.protocol == PROTOCOL.name].arm)
