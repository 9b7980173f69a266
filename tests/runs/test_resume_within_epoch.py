"""A run that a signal interrupts within an epoch, and its resumption: nothing of the result tells of it."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from mlflow import MlflowClient
from mlflow.entities import Run

from sentiment_rnn.config.run import RunConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.runs import engine
from sentiment_rnn.runs.engine import train
from stored_runs import last_run

SMALL = (
    "trainer.epochs=2", "trainer.threads=1", "trainer=cpu", "trainer.log_every_n_steps=1", "trainer.limit_batches=99",
    "tracking.system_metrics=false",
)  # fmt: skip
REVIEWS = (
    "data=generated", "data.train_reviews=200", "data.test_reviews=60", "data.max_distance=10", "data.batch_size=20",
    "embedding.size=8", "embedding.dropout=0.2", "embedding.word_dropout=0.1",
)  # fmt: skip
LSTM = (*REVIEWS, "encoder=lstm", "encoder.hidden_size=8", "encoder.layers=2", "encoder.dropout=0.3")
BAG = (*REVIEWS, "encoder=bag", "pooling=mean")
ADDING = (
    "task=adding", "task.steps=6", "task.batch_size=8", "task.batches=5", "task.test_sequences=32", "encoder=rnn",
    "encoder.hidden_size=8",
)  # fmt: skip


def config_of(folder: Path, task: tuple[str, ...], *overrides: str) -> RunConfig:
    """A run of a few seconds that keeps everything in `folder`."""
    data = () if task is ADDING else (f"data.directory={folder}/data",)
    return run_config(*task, *SMALL, *data, f"tracking.directory={folder}/runs", *overrides)


def stop_after(monkeypatch: pytest.MonkeyPatch, steps: int, number: int) -> None:
    """Have this process get a signal in the step after `steps`, as from a scheduler."""
    end = engine.EpochTimer.on_train_batch_end

    def end_and_signal(self: Any, trainer: Any, *rest: Any) -> None:
        end(self, trainer, *rest)
        if trainer.global_step == steps:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(engine.EpochTimer, "on_train_batch_end", end_and_signal)


def rows(client: MlflowClient, run: Run) -> list[tuple[str, int, float]]:
    """Name, step and value of all that a run logged, but for time and memory."""
    measured = ("train/epoch_seconds", "train/tokens_per_second", "memory/peak_bytes")
    return sorted(
        (name, point.step, point.value)
        for name in run.data.metrics
        if name not in measured
        for point in client.get_metric_history(run.info.run_id, name)
    )


def last_state(folder: Path, run: Run) -> dict[str, Any]:
    """Weights and moments in a run's last checkpoint."""
    state = torch.load(folder / "runs" / "checkpoints" / run.info.run_id / "last.ckpt", weights_only=True)
    return {name: state[name] for name in ("state_dict", "optimizer_states")}


@pytest.mark.parametrize(
    ("task", "steps", "number"),
    [
        pytest.param(LSTM, 3, signal.SIGTERM, id="lstm"),
        pytest.param(BAG, 10, signal.SIGUSR2, id="bag", marks=pytest.mark.slow),
        pytest.param(ADDING, 7, signal.SIGINT, id="adding", marks=pytest.mark.slow),
    ],
)
def test_a_run_that_was_interrupted_within_an_epoch_ends_as_an_undisturbed_one(
    task: tuple[str, ...], steps: int, number: int, tmp_path: Path
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        stop_after(patched, steps, number)
        with pytest.raises(KeyboardInterrupt):
            train(config_of(tmp_path, task), [])
    client, interrupted = last_run(tmp_path)
    assert interrupted.info.status == "KILLED"
    logged = [point.step for point in client.get_metric_history(interrupted.info.run_id, "train/loss")]
    assert logged == list(range(steps))
    train(config_of(tmp_path, task, f"tracking.resume={interrupted.info.run_id}"), [])
    resumed = client.get_run(interrupted.info.run_id)
    assert resumed.info.status == "FINISHED"
    train(config_of(tmp_path, task), [])
    undisturbed = last_run(tmp_path)[1]
    assert undisturbed.info.run_id != resumed.info.run_id
    torch.testing.assert_close(last_state(tmp_path, resumed), last_state(tmp_path, undisturbed), rtol=0, atol=0)
    assert rows(client, resumed) == rows(client, undisturbed)
    assert len(client.get_metric_history(resumed.info.run_id, "train/epoch_seconds")) == 2
