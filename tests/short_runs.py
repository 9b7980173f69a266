"""Runs of a few steps with everything that a resumed run has to restore, and what is compared of two such runs."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from sentiment_rnn.config.run import RunConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.engine import train as engine

SMALL = (
    "trainer.epochs=2", "trainer.threads=1", "trainer=cpu", "trainer.log_every_n_steps=1", "trainer.limit_batches=99",
    "tracking.system_metrics=false",
)  # fmt: skip
"""A trial, for its short end: nothing is made of the tested model."""
REVIEWS = (
    "data=generated", "data.train_reviews=200", "data.test_reviews=60", "data.max_lag=10", "data.batch_size=20",
    "embedding.size=8", "embedding.dropout=0.2", "embedding.word_dropout=0.1",
)  # fmt: skip
LSTM = (
    *REVIEWS, "encoder=lstm", "encoder.hidden_size=8", "encoder.layers=2", "encoder.dropout=0.3",
    "task.adversarial=0.5", "task.virtual=0.5",
)  # fmt: skip
BAG = (*REVIEWS, "encoder=bag", "pooling=mean")
ADDING_TASK = ("task=adding", "task.steps=6", "task.batch_size=8", "task.batches=5", "task.test_sequences=32")
ADDING = (*ADDING_TASK, "encoder=rnn", "encoder.hidden_size=8")


def overrides_of(folder: Path, task: tuple[str, ...], *more: str) -> list[str]:
    """The overrides of a run that keeps everything in `folder`."""
    data = () if task is ADDING else (f"data.directory={folder}/data",)
    return [*task, *SMALL, *data, f"tracking.directory={folder}/runs", *more]


def config_of(folder: Path, task: tuple[str, ...], *more: str) -> RunConfig:
    """Its configuration."""
    return run_config(*overrides_of(folder, task, *more))


def signal_after(monkeypatch: pytest.MonkeyPatch, steps: int, number: int) -> None:
    """Have this process get a signal at the end of a step, as from a scheduler."""
    end = engine.EpochTimer.on_train_batch_end

    def end_and_signal(self: Any, trainer: Any, *rest: Any) -> None:
        end(self, trainer, *rest)
        if trainer.global_step == steps:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(engine.EpochTimer, "on_train_batch_end", end_and_signal)


def assert_equal_states(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Bit for bit."""
    torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)
