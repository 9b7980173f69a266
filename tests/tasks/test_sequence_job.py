"""Textbook tasks are promised the same engine as reviews: losses, early stopping, a record."""

import math
from pathlib import Path

import pytest

from sentiment_rnn.cli.compare import check_task
from sentiment_rnn.config.run import SequenceConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.data.sequences import adding, copying
from sentiment_rnn.engine.train import train
from sentiment_rnn.errors import UserError
from sentiment_rnn.sweeps.plan import Plan
from sentiment_rnn.sweeps.preparation import prepare
from sentiment_rnn.tasks.job import job_of
from sentiment_rnn.tracking.results import RecordedRun
from sentiment_rnn.tracking.store import existing_store
from stored_runs import last_run

SMALL = (
    "task.steps=6", "task.batch_size=8", "task.batches=5", "task.test_sequences=32", "encoder.hidden_size=8",
    "trainer.epochs=2", "trainer.threads=1", "trainer=cpu", "tracking.system_metrics=false",
)  # fmt: skip


def small_config(folder: Path, *overrides: str, task: str = "adding") -> SequenceConfig:
    """A run of a second that keeps everything in `folder`."""
    return run_config(f"task={task}", *SMALL, f"tracking.directory={folder}/runs", *overrides)


@pytest.mark.parametrize("task", ["adding", "copying", "parity"])
def test_a_run_records_its_losses_and_that_of_who_remembers_nothing(task: str, tmp_path: Path) -> None:
    found = train(small_config(tmp_path, task=task), [])
    client, run = last_run(tmp_path)
    assert run.info.status == "FINISHED"
    assert run.data.tags["task"] == f"{task}-6"
    assert run.data.tags.get("symbols") == ("10" if task == "copying" else None)
    baselines = {"adding": adding(6).baseline, "copying": copying(6, 10, 8).baseline, "parity": math.log(2)}
    assert run.data.metrics["baseline"] == pytest.approx(baselines[task])
    assert ("test/last_step_accuracy" in run.data.metrics) == (task != "adding")
    losses = [point.value for point in client.get_metric_history(run.info.run_id, "val/loss")]
    assert len(losses) == 2
    assert run.data.metrics["val/best_loss"] == pytest.approx(min(losses)) == pytest.approx(found)
    assert {"test/loss", "parameters", "memory/peak_bytes", "train/epoch_seconds"} <= set(run.data.metrics)
    assert not any(key.startswith(("data.", "pooling.", "embedding.")) for key in run.data.params)


def test_early_stopping_ends_a_run_whose_loss_no_longer_falls(tmp_path: Path) -> None:
    train(small_config(tmp_path, "optimizer.learning_rate=1e-30", "trainer.epochs=9", "trainer.patience=2"), [])
    client, run = last_run(tmp_path)
    assert len(client.get_metric_history(run.info.run_id, "val/loss")) == 3


def test_compare_says_of_a_task_that_classifies_no_reviews_that_it_cannot_read_it(tmp_path: Path) -> None:
    config = small_config(tmp_path)
    train(config, [])
    adding = RecordedRun(existing_store(config.tracking), last_run(tmp_path)[1])
    with pytest.raises(UserError, match=r"sums: its runs are of adding, and compare reads runs that classify"):
        check_task("sums", [adding])


def test_two_devices_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    config = small_config(tmp_path, "trainer.devices=2")
    with pytest.raises(UserError, match=r"^trainer.devices=2: task=adding trains on one device; leave it out$"):
        job_of(config)
    assert list(tmp_path.iterdir()) == []


def test_an_encoder_without_a_chosen_rate_takes_the_default_and_one_line_says_so_before_its_runs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="sentiment_rnn")
    overrides = ("encoder=gru", "++optimizer.learning_rates={rnn: 0.5}", "trainer.epochs=1")
    prepare(Plan("adding", [], [small_config(tmp_path, f"seed={seed}", *overrides) for seed in range(2)]))
    line = "optimizer.learning_rate: this experiment has chosen none for gru; the default, 0.002, is used"
    assert caplog.text.count(line) == 1
    caplog.clear()
    prepare(Plan("adding", [], [small_config(tmp_path, *overrides, "encoder=rnn")]))
    assert "has chosen none" not in caplog.text
