"""What a study measures on its runs comes back as findings, without the runs."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from made_results import make_result, style_of

from sentiment_rnn.inference.predictions import Predictions
from sentiment_rnn.studies import capacity, excerpt, length
from sentiment_rnn.studies.kit.findings import Findings
from sentiment_rnn.studies.length import SETTINGS
from sentiment_rnn.tracking.results import RunResult

SEEDS = range(3)


def predictions(accuracy: float, distances: np.ndarray) -> Predictions:
    right = np.arange(len(distances)) % 20 < 20 * accuracy
    labels = np.ones(len(distances), np.int8)
    return Predictions(np.where(right, 0.9, 0.1), labels, np.arange(1, len(distances) + 1), distances)


def run(encoder: str, accuracy: float, distances: np.ndarray, **settings: Any) -> RunResult:
    label, color = style_of(encoder)
    metrics = {
        "test/accuracy": accuracy, "val/best_accuracy": accuracy, "parameters": 3e6, "train/epoch_seconds": 9.0,
    }  # fmt: skip
    found = predictions(accuracy, distances)
    return make_result(encoder, metrics=metrics, predictions=found, label=label, color=color, **settings)


def pooled(**settings: Any) -> list[RunResult]:
    return [
        run(encoder, 0.8 + 0.05 * seed, np.full(40, -1), pooling=pooling, seed=seed, **settings)
        for encoder in ("rnn", "lstm") for pooling in ("last", "mean_max") for seed in SEEDS
    ]  # fmt: skip


SWEEPS = {
    "length_tokens": lambda: [*pooled(max_tokens=100), *pooled(max_tokens=400)],
    "excerpt": lambda: [*pooled(max_tokens=100, keep="head"), *pooled(max_tokens=100, keep="both")],
    "capacity_depth": lambda: pooled(layers=2),
    "capacity_direction": lambda: pooled(bidirectional=True),
    "capacity_width": lambda: [
        run(encoder, 0.85, np.full(40, -1), pooling=pooling, seed=seed)
        for encoder, pooling in (("rnn_wide", "last"), ("bag", "mean"))
        for seed in SEEDS
    ],
}
"""Runs by their sweep."""


@pytest.fixture
def findings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest) -> Findings:
    """The findings of the study that a test is of, by way of its files."""
    study: ModuleType = request.param

    def results_of_sweeps(_: object, *sweeps: str) -> list[RunResult]:
        return [result for sweep in sweeps for result in SWEEPS.get(sweep, list)()]

    monkeypatch.setattr(study, "results_of_sweeps", results_of_sweeps)
    study.STUDY.measure(None).write(tmp_path / "study")
    found: Findings = study.STUDY.findings(tmp_path / "study")
    return found


@pytest.mark.parametrize("findings", [excerpt], indirect=True)
def test_accuracies_by_part_come_back(findings: Findings) -> None:
    assert [row[0] for row in findings.tables[0].rows] == [
        "rnn, last state", "rnn, mean and max", "lstm, last state", "lstm, mean and max",
    ]  # fmt: skip
    assert {cell for row in findings.tables[0].rows for cell in row[1:]} == {"85.0 ± 5.0"}


@pytest.mark.parametrize("findings", [capacity], indirect=True)
def test_sizes_come_back(findings: Findings) -> None:
    assert {row[0] for row in findings.tables[0].rows} == {
        "RNN", "RNN, as large as the LSTM", "RNN, 2 layers", "RNN, two directions", "LSTM", "LSTM, 2 layers",
        "LSTM, two directions", "bag of words",
    }  # fmt: skip
    assert {row[3] for row in findings.tables[0].rows} == {"3,000,000"}


def test_filler_comes_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(length, "results_of_sweeps", lambda *_: SWEEPS["length_tokens"]())
    scores = {at: dict.fromkeys(SEEDS, 0.9) for at in SETTINGS}
    monkeypatch.setattr(length, "filler_scores", lambda _: scores)
    length.STUDY.measure(None).write(tmp_path)  # type: ignore[arg-type]
    by_tokens, by_filler = length.STUDY.findings(tmp_path).tables
    assert by_tokens.columns == ("encoder", "100", "400")
    assert by_filler.columns == ("encoder", *map(str, SETTINGS))
    assert by_filler.rows[0][1:] == ("90.0 ± 0.0",) * 7
