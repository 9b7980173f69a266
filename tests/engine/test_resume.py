"""Runs that break off where a checkpoint says less than usual: behind the last epoch, by a scheduler, on several
devices. Who gives the same command again gets an undisturbed run."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast
from unittest.mock import Mock

import lightning.pytorch as pl
import pytest
import torch

from sentiment_rnn.engine import train as engine
from sentiment_rnn.engine.resume import LastCheckpoint
from sentiment_rnn.engine.train import train
from short_runs import ADDING, config_of
from stored_runs import last_run, rows, runs_in


@pytest.mark.parametrize(
    "more",
    [
        ("trainer.tested_epoch=last",),
        ("trainer.patience=2", "trainer.epochs=9", "optimizer.learning_rate=1e-30"),
        ("trainer.target_score=99.0", "trainer.epochs=9"),
    ],
    ids=["last epoch", "patience", "target score"],
)
def test_a_run_that_was_interrupted_behind_its_last_epoch_trains_no_further(
    more: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    disturbed, undisturbed = tmp_path / "disturbed", tmp_path / "undisturbed"
    with monkeypatch.context() as patched:
        patched.setattr(engine.pl.Trainer, "test", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(config_of(disturbed, ADDING, *more), [])
    assert last_run(disturbed)[1].info.status == "KILLED"
    for folder in (disturbed, undisturbed):
        train(config_of(folder, ADDING, *more), [])
    (client, (resumed,)), (other, (expected,)) = runs_in(disturbed), runs_in(undisturbed)
    assert resumed.info.status == "FINISHED"
    assert rows(client, resumed) == rows(other, expected)


def test_a_scheduler_that_stops_the_process_by_systemexit_is_not_taken_for_ctrl_c(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stop = SystemExit(-1)

    def requeue(*_: object) -> None:
        raise stop

    caplog.set_level("INFO")
    monkeypatch.setattr(engine.EpochTimer, "on_train_epoch_start", requeue)
    with pytest.raises(SystemExit) as left:
        train(config_of(tmp_path, ADDING), [])
    assert left.value is stop
    run = last_run(tmp_path)[1]
    assert run.info.status == "KILLED"
    assert f"run {run.info.run_id} was interrupted; the same command resumes it" in caplog.text


def device(rank: int) -> pl.Trainer:
    """The trainer of one of several devices."""
    return cast(pl.Trainer, SimpleNamespace(global_rank=rank, global_step=0, world_size=3))


def test_each_device_but_the_first_draws_noise_of_its_own() -> None:
    noise = []
    for rank in range(3):
        torch.manual_seed(7)
        LastCheckpoint(None, 0, Mock()).on_train_start(device(rank), Mock())
        noise.append(torch.rand(1).item())
    torch.manual_seed(7)
    assert noise[0] == torch.rand(1).item()
    assert len({*noise}) == 3


def test_of_the_devices_of_a_resumed_run_the_first_alone_goes_on_from_the_random_states_of_the_checkpoint() -> None:
    torch.manual_seed(7)
    position = {"torch": torch.get_rng_state(), "cuda": None, "within_epoch": True}
    expected = torch.rand(1).item()
    for rank, same in ((0, True), (1, False)):
        callback = LastCheckpoint(None, 0, Mock())
        callback.resumed = position
        torch.manual_seed(8)
        callback.on_train_batch_start(device(rank), Mock())
        assert (torch.rand(1).item() == expected) == same
