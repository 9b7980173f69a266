"""A single run that was killed, and resumed by its id."""

import signal
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from unittest.mock import Mock

import lightning.pytorch as pl
import pytest
import torch
from forked_commands import Command
from mlflow import MlflowClient
from mlflow.entities import Run
from short_runs import ADDING_TASK, REVIEWS

from processes import training_that
from sentiment_rnn.config.run import RunConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.errors import UserError
from sentiment_rnn.runs import engine
from sentiment_rnn.runs.engine import train
from sentiment_rnn.runs.resume import ResumePosition
from sentiment_rnn.tracking.names import PARENT_TAG
from stored_runs import MEASURED, last_run

SMALL = (
    "encoder.hidden_size=8", "trainer.epochs=3", "trainer.threads=1", "trainer=cpu", "tracking.system_metrics=false",
)  # fmt: skip

KILLED = training_that("os.kill(os.getpid(), signal.SIGKILL)", epoch=2)


def small_config(folder: Path, *overrides: str) -> RunConfig:
    """A run of a few seconds that keeps everything in `folder`."""
    return run_config(*SMALL, *places(folder), *overrides)


def places(folder: Path) -> list[str]:
    """Where a run keeps what it writes; no data for a textbook task."""
    return [f"tracking.directory={folder}/runs"]


def scores(run: Run) -> dict[str, float]:
    """Metrics of a run, but for time and memory."""
    return {name: value for name, value in run.data.metrics.items() if not name.startswith(MEASURED)}


def curve(folder: Path, run: Run) -> list[tuple[int, float]]:
    """Step and value of the validation loss after each epoch."""
    client = MlflowClient(f"sqlite:///{folder}/runs/mlflow.db")
    return [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, "val/loss")]


@pytest.mark.parametrize("task", [(*REVIEWS, "tracking.record=results"), ADDING_TASK], ids=["reviews", "adding"])
def test_a_run_that_was_killed_between_epochs_ends_as_an_undisturbed_one(
    task: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    disturbed = Command(tmp_path, *task, *SMALL, *places(tmp_path), program=KILLED)
    assert disturbed.end() == -signal.SIGKILL, disturbed.said()
    killed = last_run(tmp_path)[1]
    assert killed.info.status == "RUNNING"
    assert not any(name.startswith("test/") for name in killed.data.metrics)
    train(small_config(tmp_path, *task, f"tracking.resume='{killed.info.run_id[:8]}'"), [])
    resumed = last_run(tmp_path)[1]
    assert resumed.info.run_id == killed.info.run_id
    assert resumed.info.status == "FINISHED"
    train(small_config(tmp_path, *task), [])
    undisturbed = last_run(tmp_path)[1]
    assert undisturbed.info.run_id != killed.info.run_id
    assert scores(resumed) == scores(undisturbed)
    assert curve(tmp_path, resumed) == curve(tmp_path, undisturbed)
    kept = {key: value for key, value in resumed.data.params.items() if key != "tracking.resume"}
    assert kept == {key: value for key, value in undisturbed.data.params.items() if key != "tracking.resume"}


@pytest.mark.parametrize(
    "more",
    [
        ("optimizer.average_decay=0.9", "trainer.tested_epoch=last"),
        ("trainer.patience=2", "trainer.epochs=9", "optimizer.learning_rate=1e-30"),
    ],
    ids=["average", "patience"],
)
def test_a_run_that_was_interrupted_behind_its_last_epoch_ends_as_an_undisturbed_one(
    more: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(engine.pl.Trainer, "test", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(small_config(tmp_path, *ADDING_TASK, *more), [])
    interrupted = last_run(tmp_path)[1]
    assert interrupted.info.status == "KILLED"
    train(small_config(tmp_path, *ADDING_TASK, *more, f"tracking.resume={interrupted.info.run_id}"), [])
    resumed = last_run(tmp_path)[1]
    train(small_config(tmp_path, *ADDING_TASK, *more), [])
    undisturbed = last_run(tmp_path)[1]
    assert resumed.info.run_id == interrupted.info.run_id != undisturbed.info.run_id
    assert scores(resumed) == scores(undisturbed)
    assert curve(tmp_path, resumed) == curve(tmp_path, undisturbed)


def test_an_interrupted_run_says_how_it_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    caplog.set_level("INFO")
    with monkeypatch.context() as patched:
        patched.setattr(engine.EpochTimer, "on_train_epoch_start", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(small_config(tmp_path, *ADDING_TASK), [])
    run = last_run(tmp_path)[1]
    assert run.info.status == "KILLED"
    assert f"the same command with tracking.resume={run.info.run_id} resumes it" in caplog.text
    train(small_config(tmp_path, *ADDING_TASK, f"tracking.resume={run.info.run_id}"), [])  # from the first epoch
    assert last_run(tmp_path)[1].info.status == "FINISHED"


def test_a_scheduler_that_stops_the_process_by_systemexit_is_not_taken_for_ctrl_c(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = SystemExit(-1)

    def requeue(*_: object) -> None:
        raise stop

    monkeypatch.setattr(engine.EpochTimer, "on_train_epoch_start", requeue)
    with pytest.raises(SystemExit) as left:
        train(small_config(tmp_path, *ADDING_TASK), [])
    assert left.value is stop
    assert last_run(tmp_path)[1].info.status == "KILLED"


def test_only_an_interrupted_run_of_the_same_configuration_is_resumed(tmp_path: Path) -> None:
    train(small_config(tmp_path, *ADDING_TASK), [])
    run_id = last_run(tmp_path)[1].info.run_id
    with pytest.raises(UserError, match=f"^tracking.resume={run_id}: this run has finished; there is nothing to resum"):
        train(small_config(tmp_path, *ADDING_TASK, f"tracking.resume={run_id}"), [])
    client = MlflowClient(f"sqlite:///{tmp_path}/runs/mlflow.db")
    client.set_terminated(run_id, "KILLED")
    with pytest.raises(UserError, match="its configuration, its data or the code was another"):
        train(small_config(tmp_path, *ADDING_TASK, "seed=1", f"tracking.resume={run_id}"), [])
    evaluation = client.create_run("1", tags={PARENT_TAG: run_id}).info.run_id
    with pytest.raises(UserError, match=f"^tracking.resume={evaluation}: its configuration, its data or the code was"):
        train(small_config(tmp_path, *ADDING_TASK, f"tracking.resume={evaluation}"), [])
    client.delete_run(evaluation)
    with pytest.raises(UserError, match=r"^tracking\.resume=none: no such run in sqlite:"):
        train(small_config(tmp_path, *ADDING_TASK, "tracking.resume=none"), [])
    assert last_run(tmp_path)[1].info.run_id == run_id  # no other was made
    assert last_run(tmp_path)[1].info.status == "KILLED"


def test_each_device_but_the_first_draws_noise_of_its_own() -> None:
    noise = []
    for rank in range(3):
        torch.manual_seed(7)
        ResumePosition().on_train_start(cast(pl.Trainer, SimpleNamespace(global_rank=rank, global_step=0)), Mock())
        noise.append(torch.rand(1).item())
    torch.manual_seed(7)
    assert noise[0] == torch.rand(1).item()
    assert len({*noise}) == 3


def test_of_the_devices_of_a_resumed_run_the_first_alone_goes_on_from_the_random_states_of_the_checkpoint() -> None:
    torch.manual_seed(7)
    position = {"torch": torch.get_rng_state(), "cuda": None, "within_epoch": True}
    expected = torch.rand(1).item()
    for rank, same in ((0, True), (1, False)):
        callback = ResumePosition()
        callback.resumed = position
        torch.manual_seed(8)
        callback.on_train_batch_start(cast(pl.Trainer, SimpleNamespace(global_rank=rank)), Mock())
        assert (torch.rand(1).item() == expected) == same
