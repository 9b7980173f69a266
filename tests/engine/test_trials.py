"""Whoever tries a part of a run is promised that it is marked as a trial, since its scores mean nothing."""

from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run

from sentiment_rnn.config.run import RunConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.engine.train import train
from stored_runs import last_run

SMALL = (
    "data=generated", "data.train_reviews=100", "data.test_reviews=40", "data.max_lag=10", "data.batch_size=10",
    "data.eval_batch_size=10", "encoder=bag", "embedding.size=8", "trainer.epochs=2", "trainer.threads=1",
    "trainer=cpu", "trainer.log_every_n_steps=1", "tracking.system_metrics=false",
)  # fmt: skip


def small_config(folder: Path, *overrides: str) -> RunConfig:
    """A run of a second that keeps everything in `folder`."""
    places = (f"data.directory={folder}/data", f"tracking.directory={folder}/runs")
    return run_config(*SMALL, *places, *overrides)


def tried(folder: Path, *overrides: str) -> tuple[MlflowClient, Run]:
    """Train, and the run."""
    train(small_config(folder, *overrides), [])
    return last_run(folder)


def test_a_trial_takes_so_many_steps_and_is_marked(tmp_path: Path) -> None:
    client, run = tried(tmp_path, "trainer.limit_batches=3")
    assert run.info.status == "FINISHED"
    assert run.data.tags["sentiment_rnn.trial"] == "limit_batches"
    assert len(client.get_metric_history(run.info.run_id, "train/gradient_norm")) == 2 * 3
    assert len(client.get_metric_history(run.info.run_id, "val/loss")) == 2
    assert "test/accuracy" in run.data.metrics
    assert not run.outputs.model_outputs, "no model of a trial is logged"
