"""Classifiers from several language models are compared over these and over films, as their protocols say."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from experiments.best import cells, repetitions, together
from experiments.best.cells import GRU, LSTM, RNN
from experiments.best.repetitions import LINEAR, Answers, Row
from experiments.best.together import NETWORK, NGRAMS, TOGETHER
from experiments.lab.results import Correct, correct_file, read_correct, rows_of
from experiments.lab.rules import FAILS, HOLDS, IN_PART, UNDECIDED, Evidence
from experiments.lab.statistics import repeated, repeated_difference
from experiments.lab.study import find_study

STUDY = find_study("best")
FILMS = np.arange(1000)


def right(*shares: float) -> np.ndarray:
    """float [runs, 1000], runs that classify these shares of the reviews correctly, the first ones."""
    return np.array([np.arange(1000) < 1000 * share for share in shares], float)


def answers_of(shares: Mapping[Row, tuple[float, ...]]) -> Answers:
    """Rows with runs of these accuracies."""
    return Answers({row: right(*of) for row, of in shares.items()}, FILMS, np.array([3]))


@pytest.mark.parametrize("own", [together, cells])
def test_every_row_and_every_claim_is_one_of_the_declared(own: ModuleType) -> None:
    protocol = STUDY.protocol(own.__name__.rpartition(".")[2])
    assert [claim.id for claim in protocol.claims] == list(own.COMPARED)
    assert {row for pairs in own.COMPARED.values() for pair in pairs for row in pair[:2]} <= set(own.ROWS)
    for row in set(own.ROWS) - {LINEAR}:
        sweep = STUDY.sweep(row.sweep)
        words = STUDY.sweep(str(sweep.settings["pretrained"]))
        assert sweep.compared
        assert words.pretrains
        assert (row.arm.removesuffix("_network").removesuffix("_ngrams"),) == tuple(sweep.arms)
        assert set(row.seeds) <= set(sweep.seeds)
        assert sweep.seeds == words.seeds == repetitions.SEEDS


def test_a_row_of_one_run_draws_nothing() -> None:
    runs = read_correct(STUDY.folder)
    first, *others = (runs[(*NGRAMS.keys[0][:-1], seed)].right for seed in repetitions.SEEDS)
    assert all((first == other).all() for other in others)


@pytest.mark.parametrize(
    ("own", "claim", "shares", "judged"),
    [
        (together, "network", {TOGETHER: (0.94, 0.94, 0.941), NETWORK: (0.92, 0.921, 0.92)}, HOLDS),
        (together, "network", {TOGETHER: (0.94, 0.9, 0.95), NETWORK: (0.92, 0.921, 0.92)}, UNDECIDED),
        (together, "ngrams", {TOGETHER: (0.925, 0.925, 0.926), NGRAMS: (0.9,)}, HOLDS),
        (together, "ngrams", {TOGETHER: (0.905, 0.905, 0.906), NGRAMS: (0.9,)}, FAILS),
        (together, "published", {NETWORK: (0.92, 0.921, 0.92), LINEAR: (0.9,)}, HOLDS),
        (cells, "gru", {GRU.alone: (0.93, 0.931, 0.93), LSTM.alone: (0.9, 0.901, 0.9)}, HOLDS),
        (cells, "gru", {GRU.alone: (0.93, 0.85, 0.95), LSTM.alone: (0.9, 0.901, 0.9)}, UNDECIDED),
        (cells, "gru", {GRU.alone: (0.88, 0.881, 0.88), LSTM.alone: (0.9, 0.901, 0.9)}, FAILS),
        (cells, "lstm", {LSTM.alone: (0.925, 0.926, 0.925), RNN.alone: (0.9, 0.901, 0.9)}, HOLDS),
        (cells, "lstm", {LSTM.alone: (0.905, 0.906, 0.905), RNN.alone: (0.9, 0.901, 0.9)}, FAILS),
        (cells, "linear", {LSTM.alone: (0.93, 0.931, 0.93), LINEAR: (0.9,)}, HOLDS),
        (cells, "ngrams", {RNN.alone: (0.9, 0.9, 0.9), RNN.together: (0.93, 0.93, 0.931),
                           LSTM.alone: (0.9, 0.9, 0.9), LSTM.together: (0.9, 0.9, 0.901)}, IN_PART),
    ],
)  # fmt: skip
def test_a_claim_is_judged_over_language_models_and_films(
    own: ModuleType, claim: str, shares: dict[Row, tuple[float, ...]], judged: str
) -> None:
    pairs = own.COMPARED[claim]
    found = answers_of(shares).verdict(pairs)
    assert found.verdict == judged
    assert [(of.arm, of.against) for of in found.rows] == [(pair.first.label, pair.second.label) for pair in pairs]


def test_only_rows_of_the_same_runs_are_compared_run_by_run() -> None:
    rows = {LSTM.alone: (0.9, 0.92, 0.94), LSTM.together: (0.91, 0.93, 0.95), RNN.alone: (0.8, 0.82, 0.84)}
    alone, both, other = (right(*of) for of in rows.values())
    assert answers_of(rows).difference(cells.COMPARED["ngrams"][1]) == repeated(both - alone, FILMS)
    assert answers_of(rows).difference(cells.COMPARED["lstm"][0]) == repeated_difference(alone, other, FILMS)


def test_what_is_there_has_a_line_and_only_whole_comparisons_a_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / repetitions.FILMS, FILMS)
    np.save(tmp_path / repetitions.IN_TRAIN, np.array([3]))
    monkeypatch.setattr(repetitions, "find_study", lambda _: replace(STUDY, folder=tmp_path))
    study, protocol = replace(STUDY, folder=tmp_path, output=tmp_path), STUDY.protocol("cells")
    evidence = Evidence(study, protocol, rows_of("best", []), {}, {}, {})
    runs = {LINEAR.keys[0]: Correct(right(0.91)[0] > 0, "digest")}
    measures: list[tuple[object, ...]] = []
    for row, share in ((LSTM.alone, 0.9), (LSTM.together, 0.92)):
        for key in row.keys:
            (tmp_path / "correct.npz").write_bytes(correct_file(runs))
            so_far = cells.findings(evidence, rows_of("best", measures))
            assert list(so_far.verdicts) == ([] if row == LSTM.alone else ["linear"])
            assert bool(so_far.tables) == (row == LSTM.together)
            runs[key] = Correct(right(share)[0] > 0, "digest")
            at = row.arm, "", key[-1], None
            metric = "accuracy" if row == LSTM.alone else "best_accuracy"
            measures.append((row.sweep, "cells", *at, "validation", metric, share + key[-1] / 1000))
            if row == LSTM.alone:
                words = STUDY.sweep(row.sweep).settings["pretrained"]
                measures.append((words, "cells", "words", *at[1:], "validation", "perplexity", 74.0))
                measures.append((words, "cells", "words", *at[1:], "train", "minutes", 30.0))
                measures.append((row.sweep, "cells", *at, "train", "minutes", 4.0))
    (tmp_path / "correct.npz").write_bytes(correct_file(runs))
    found = cells.findings(evidence, rows_of("best", measures))
    assert list(found.verdicts) == ["linear"]
    by_label = {line[0]: line[1:4] for line in found.tables["accuracy"].rows}
    assert by_label[LSTM.alone.label] == ("74.0 ± 0.0", "34.0 ± 0.0", "90.1 ± 0.1")
    assert by_label[LINEAR.label] == ("", "", "")
    assert by_label.keys() == {LSTM.alone.label, LSTM.together.label, LINEAR.label}
    assert (LSTM.together.label, "1", "74.00", "34.00", "92.10", "92.00") in found.tables["runs"].rows
