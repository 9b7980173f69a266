"""Finished runs without a store, and the styles of the encoders in `conf/encoder/`."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml

from sentiment_rnn.config.folders import CONFIGURATION
from sentiment_rnn.config.model import EncoderConfig
from sentiment_rnn.inference.predictions import Predictions
from sentiment_rnn.studies.kit import sweep_runs
from sentiment_rnn.studies.kit.correctness import check_accuracies
from sentiment_rnn.studies.kit.encoder_groups import EncoderStyle
from sentiment_rnn.studies.kit.parts import added_to
from sentiment_rnn.studies.kit.scores import Score
from sentiment_rnn.studies.kit.study import Study
from sentiment_rnn.tracking.results import Metrics, RunResult, check_epochs

INITIALIZATIONS = (
    "rnn_uniform", "rnn", "rnn_identity", "lstm_forget_0", "lstm", "lstm_forget_3", "lstm_forget_5", "lstm_chrono",
    "bag",
)  # fmt: skip
"""Encoders that differ in their initialization, and a bag of words."""


def style_of(encoder: str) -> EncoderStyle:
    """Label and colour of an encoder in `conf/encoder/`."""
    values = yaml.safe_load(Path(CONFIGURATION, "encoder", f"{encoder}.yaml").read_text())
    values = values.get("encoder", values)
    return EncoderStyle(values["label"], values["color"])


STYLES = {encoder: style_of(encoder) for encoder in INITIALIZATIONS}


def make_result(
    encoder: str = "lstm",
    *,
    seed: int = 0,
    learning_rate: float = 0.001,
    pooling: str = "last",
    metrics: dict[str, float] | None = None,
    predictions: Predictions | None = None,
    label: str | None = None,
    color: str | None = None,
    layers: int = 1,
    bidirectional: bool = False,
    **data: Any,
) -> RunResult:
    """A finished run; `data` are keys of its reviews."""
    config = SimpleNamespace(
        seed=seed,
        encoder=EncoderConfig(
            "", encoder, label=label, color=color, hidden_size=256, layers=layers, bidirectional=bidirectional
        ),
        optimizer=SimpleNamespace(learning_rate=learning_rate),
        trainer=SimpleNamespace(epochs=2),
        pooling=SimpleNamespace(name=pooling),
        data=SimpleNamespace(**{"max_tokens": 400, "max_distance": 20, "keep": "tail"} | data),
    )
    store: Any = None
    result = RunResult(store, f"run of {encoder}", config, overrides={}, metrics=Metrics(metrics or {}))
    if predictions is not None:
        vars(result)["predictions"] = predictions  # as the cached property keeps them
    return result


def predictions_of(correct: Sequence[int], distance: int) -> Predictions:
    """What a run said of positive reviews with the clause at one distance, right or wrong as given."""
    count = len(correct)
    distances = np.full(count, distance, np.int32)
    return Predictions(np.where(correct, 0.9, 0.1), np.ones(count, np.int8), np.arange(count), distances)


def make_learner(arm: str, distance: int, seed: int, learns: bool) -> RunResult:
    """A run at one distance that is right in all of four reviews, or in two; validation is as good as the test."""
    label, color = style_of(arm)
    accuracy = 1.0 if learns else 0.5
    found = predictions_of([1, 1, 1, 1] if learns else [1, 0, 1, 0], distance)
    metrics = {"test/accuracy": accuracy, "val/best_accuracy": accuracy}
    result = make_result(
        arm, seed=seed, predictions=found, metrics=metrics, label=label, color=color, max_distance=distance
    )
    result.config.optimizer.gradient_clip_norm = 1.0
    return result


def make_imdb_runs(
    encoder: str, seeds: Iterable[int], accuracy: Callable[[int], float], reviews: int = 20, **settings: Any
) -> list[RunResult]:
    """Runs that are right in a share of their reviews, by seed; validation has 80 %."""
    label, color = style_of(encoder)
    runs = []
    for seed in seeds:
        probabilities = np.where(np.arange(reviews) < round(accuracy(seed) * reviews), 0.9, 0.1)
        predictions = Predictions(
            probabilities, np.ones(reviews, np.int8), np.arange(reviews), np.full(reviews, -1, np.int32)
        )
        run = make_result(
            encoder, seed=seed, predictions=predictions, metrics={"val/best_accuracy": 0.8}, label=label, color=color,
            **settings,
        )  # fmt: skip
        run.config.optimizer.gradient_clip_norm = 1.0
        runs.append(run)
    return runs


def score_of(learning: int, seeds: Sequence[int]) -> Score:
    """The score of an arm of which so many of these seeds learn."""
    return Score(np.where(np.arange(len(seeds)) < learning, 0.99, 0.5), tuple(seeds))


def give_runs(monkeypatch: pytest.MonkeyPatch, sweeps: Mapping[str, Sequence[RunResult]]) -> None:
    """Let a study find these runs, by sweep; each reaches its best validation accuracy at the end."""

    def found(_: object, *names: str, diverged: bool = False) -> list[RunResult]:
        runs = {name: sweeps[name] for name in names if name in sweeps}
        check_epochs(runs)
        return [run for of_sweep in runs.values() for run in of_sweep]

    monkeypatch.setattr(sweep_runs, "results_of_sweeps", found)
    monkeypatch.setattr(RunResult, "curve", lambda self, name: ([224, 449], [0.5, self.metrics["val/best_accuracy"]]))


def measure_into(folder: Path, study: Study, sweeps: Collection[str] = ()) -> None:
    """Measure a study on the runs that `give_runs` gave; with `sweeps`, some of them, added to what its folder has."""
    store: Any = None
    found = study.measure(store, [sweep for sweep in study.sweeps if not sweeps or sweep.experiment in sweeps])
    (added_to(folder, found) if sweeps else found).write(folder)
    check_accuracies(study, folder)
