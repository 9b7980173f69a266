"""Finished runs without a store."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from mlflow.entities import Metric, Param, Run, RunData, RunInfo, RunTag

from sentiment_rnn.config.sections import EncoderConfig
from sentiment_rnn.inference.predictions import Predictions
from sentiment_rnn.tracking.results import RecordedRun


def make_result(
    encoder: str = "lstm",
    *,
    seed: int = 0,
    learning_rate: float = 0.001,
    draw: int | None = None,
    epochs: int = 2,
    metrics: Mapping[str, float] | None = None,
    predictions: Predictions | None = None,
    tags: Mapping[str, str] | None = None,
    **data: Any,
) -> RecordedRun:
    """A finished run; `data` are keys of its reviews."""
    config = SimpleNamespace(
        seed=seed,
        encoder=EncoderConfig("", encoder, hidden_size=256),
        optimizer=SimpleNamespace(learning_rate=learning_rate, gradient_clip_norm=1.0, draw=draw),
        trainer=SimpleNamespace(epochs=epochs),
        data=SimpleNamespace(**{"max_tokens": 400, "max_lag": 20, "keep": "tail"} | data),
    )
    run = recorded_run(f"run of {encoder}", seed, metrics or {}, tags or {})
    # As the cached properties keep what was read.
    vars(run).update({"config": config, "overrides": {}})
    if predictions is not None:
        vars(run)["predictions"] = predictions
    return run


def recorded_run(run_id: str, seed: int, metrics: Mapping[str, float], tags: Mapping[str, str]) -> RecordedRun:
    """A finished run as MLflow has it, whose files nobody may read."""
    store: Any = None
    data = RunData(
        [Metric(name, value, 0, 0) for name, value in metrics.items()],
        [Param("seed", str(seed))],
        [RunTag(name, value) for name, value in tags.items()],
    )
    info = RunInfo(run_id, "0", "", "FINISHED", 0, 0, "active")
    return RecordedRun(store, Run(info, data))


def predictions_of(correct: Sequence[int], lag: int | Sequence[int]) -> Predictions:
    """A run's predictions on positive reviews with the clause at one lag, or at these; right or wrong as given."""
    lags = np.resize(np.array(lag, np.int32), len(correct))
    count = len(correct)
    return Predictions(np.where(correct, 0.9, 0.1), np.ones(count, np.int8), np.arange(count), lags)
