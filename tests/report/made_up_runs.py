"""Finished runs of a known outcome, with no store behind them."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from made_results import recorded_run
from sentiment_rnn.config.sections import EncoderConfig
from sentiment_rnn.inference.predictions import Predictions
from sentiment_rnn.tracking.results import RecordedRun


def made_up_run(
    arm: str,
    seed: int,
    metrics: Mapping[str, float],
    predictions: Predictions,
    *,
    validation: Sequence[float] = (0.6, 0.8),
    gradients: np.ndarray | None = None,
    pooling: str = "last",
    color: str | None = None,
    overrides: Mapping[str, str] | None = None,
    run_id: str | None = None,
) -> RecordedRun:
    """A run of `arm`: an encoder's name, and perhaps what else its sweep varied, `lstm, hidden_size=64` say.

    Args:
        validation: its accuracy after each epoch.
        gradients: float [3, D], as `RecordedRun.gradients`.
        overrides: further ones.
    """
    encoder, *varied = arm.split(", ")
    config: Any = SimpleNamespace(
        seed=seed,
        encoder=EncoderConfig("", encoder, color=color),
        pooling=SimpleNamespace(name=pooling),
        optimizer=SimpleNamespace(learning_rate=0.002),
        deciding_settings=dict,
    )
    of_arm = {"encoder": encoder, "seed": str(seed)} | dict(setting.split("=") for setting in varied)
    run = recorded_run(run_id or f"{arm}-{seed}", seed, metrics, {})
    curves = {"val/accuracy": ([40 * (epoch + 1) for epoch in range(len(validation))], list(validation))}
    vars(run).update(
        config=config,
        overrides=of_arm | dict(overrides or {}),
        predictions=predictions,
        gradients=np.ones((3, 5)) if gradients is None else gradients,
        curve=curves.__getitem__,
    )  # as if they had been read from the store before
    return run
