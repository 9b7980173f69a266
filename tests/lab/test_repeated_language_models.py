"""Encoders from several language models are compared over these and over films, as their protocol says."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from experiments.best import cells
from experiments.best.cells import COMPARED, LABELS, LINEAR, ROWS, difference, verdict
from experiments.best.together import PUBLISHED
from experiments.lab.results import Correct, correct_file, rows_of
from experiments.lab.rules import FAILS, HOLDS, IN_PART, UNDECIDED, Evidence
from experiments.lab.statistics import repeated, repeated_difference
from experiments.lab.study import find_study

STUDY = find_study("best")
PROTOCOL = STUDY.protocol("cells")
FILMS = np.arange(1000)


def right(*shares: float) -> np.ndarray:
    """float [runs, 1000], runs that classify these shares of the reviews correctly, the first ones."""
    return np.array([np.arange(1000) < 1000 * share for share in shares], float)


def test_every_row_and_every_claim_is_one_of_the_declared() -> None:
    assert [claim.id for claim in PROTOCOL.claims] == list(COMPARED)
    declared = {sweep.name: sweep for name in ("cells", "together") for sweep in STUDY.protocol(name).sweeps}
    for row in ROWS.values():
        sweep, words = declared[row.sweep], declared[row.words]
        assert sweep.compared
        assert words.pretrains
        assert sweep.settings["pretrained"] == words.name
        assert sweep.arms[0] in (row.arm, row.arm.removesuffix("_network"))
        assert sweep.seeds == words.seeds == tuple(cells.SEEDS)


@pytest.mark.parametrize(
    ("claim", "shares", "judged"),
    [
        ("gru", {"GRU": (0.93, 0.931, 0.93), "LSTM": (0.9, 0.901, 0.9)}, HOLDS),
        ("gru", {"GRU": (0.93, 0.85, 0.95), "LSTM": (0.9, 0.901, 0.9)}, UNDECIDED),
        ("gru", {"GRU": (0.88, 0.881, 0.88), "LSTM": (0.9, 0.901, 0.9)}, FAILS),
        ("linear", {"LSTM": (0.93, 0.931, 0.93), LINEAR: (0.9,)}, HOLDS),
        ("ngrams", {"RNN": (0.9, 0.9, 0.9), "RNN, n-grams": (0.93, 0.93, 0.931),
                    "LSTM": (0.9, 0.9, 0.9), "LSTM, n-grams": (0.9, 0.9, 0.901)}, IN_PART),
    ],
)  # fmt: skip
def test_a_claim_is_judged_over_language_models_and_films(
    claim: str, shares: dict[str, tuple[float, ...]], judged: str
) -> None:
    found = verdict(COMPARED[claim], {name: right(*of) for name, of in shares.items()}, FILMS)
    assert found.verdict == judged
    assert (found.rows[0].arm, found.rows[0].against) == (
        LABELS[COMPARED[claim][0].first],
        LABELS[COMPARED[claim][0].second],
    )


def test_only_rows_of_the_same_runs_are_compared_run_by_run() -> None:
    rows = {"LSTM": right(0.9, 0.92, 0.94), "LSTM, n-grams": right(0.91, 0.93, 0.95), "RNN": right(0.8, 0.82, 0.84)}
    alone, both, other = rows.values()
    assert difference(COMPARED["ngrams"][1], rows, FILMS) == repeated(both - alone, FILMS)
    assert difference(COMPARED["lstm"][0], rows, FILMS) == repeated_difference(alone, other, FILMS)


def test_what_is_there_has_a_line_and_only_whole_comparisons_a_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / cells.FILMS, FILMS)
    np.save(tmp_path / cells.IN_TRAIN, np.array([3]))
    monkeypatch.setattr(cells, "find_study", lambda _: replace(STUDY, folder=tmp_path))
    evidence = Evidence(replace(STUDY, folder=tmp_path, output=tmp_path), PROTOCOL, rows_of("best", []), {}, {}, {})
    runs, measures = {PUBLISHED: Correct(right(0.91)[0] > 0, "digest")}, []
    for name, share in (("GRU", 0.93), ("GRU, n-grams", 0.94), ("LSTM", 0.9), ("LSTM, n-grams", 0.92)):
        row = ROWS[name]
        (tmp_path / "correct.npz").write_bytes(correct_file(runs))
        assert bool(cells.findings(evidence, rows_of("best", measures)).tables) == name.endswith("LSTM, n-grams")
        for key in row.keys:
            runs[key] = Correct(right(share)[0] > 0, "digest")
            at = row.arm, "", key[-1], None
            metric = "accuracy" if row.arm.endswith("_network") else "best_accuracy"
            measures.append((row.sweep, "cells", *at, "validation", metric, share))
            if metric == "accuracy":
                measures.append((row.words, "cells", "words", *at[1:], "validation", "perplexity", 74.0))
                measures.append((row.words, "cells", "words", *at[1:], "train", "minutes", 30.0))
                measures.append((row.sweep, "cells", *at, "train", "minutes", 4.0))
    (tmp_path / "correct.npz").write_bytes(correct_file(runs))
    found = cells.findings(evidence, rows_of("best", measures))
    assert list(found.verdicts) == ["gru", "linear"]
    by_label = {line[0]: line[1:4] for line in found.tables["accuracy"].rows}
    assert by_label[ROWS["LSTM"].label] == ("74.0 ± 0.0", "34", "90.0 ± 0.0")
    assert by_label[LABELS[LINEAR]] == ("", "", "")
    assert ROWS["RNN"].label not in by_label
