"""Whoever interrupts a run, within an epoch or behind the last one, and gives the same command again is promised that
nothing of the result tells of it."""

import signal
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
from short_runs import ADDING, BAG, LSTM, REVIEWS, assert_equal_states, config_of, signal_after
from stored_runs import last_run, rows, runs_in

LANGUAGE_MODEL = (*REVIEWS, "task=language_model", "task.samples=20", "encoder=lstm", "encoder.hidden_size=12")
KEPT = "trainer.keep_epochs=true"
"""Every epoch's checkpoint stays."""


@pytest.mark.parametrize(
    ("task", "steps", "number"),
    [
        pytest.param(LSTM, 3, signal.SIGTERM, id="lstm"),
        pytest.param(LANGUAGE_MODEL, 3, signal.SIGINT, id="language model"),
        pytest.param(BAG, 10, signal.SIGUSR2, id="bag", marks=pytest.mark.slow),
        pytest.param(ADDING, 7, signal.SIGINT, id="adding", marks=pytest.mark.slow),
    ],
)
def test_a_run_that_was_interrupted_within_an_epoch_ends_as_an_undisturbed_one(
    task: tuple[str, ...], steps: int, number: int, tmp_path: Path
) -> None:
    disturbed, undisturbed = tmp_path / "disturbed", tmp_path / "undisturbed"
    with pytest.MonkeyPatch.context() as patched:
        signal_after(patched, steps, number)
        with pytest.raises(KeyboardInterrupt):
            train(config_of(disturbed, task, KEPT), [])
    client, interrupted = last_run(disturbed)
    assert interrupted.info.status == "KILLED"
    logged = [point.step for point in client.get_metric_history(interrupted.info.run_id, "train/loss")]
    assert logged == list(range(steps))
    train(config_of(disturbed, task, KEPT), [])
    train(config_of(undisturbed, task, KEPT), [])
    (resumed,), (expected,) = (runs_in(folder)[1] for folder in (disturbed, undisturbed))
    assert (resumed.info.run_id, resumed.info.status) == (interrupted.info.run_id, "FINISHED")
    assert rows(client, resumed) == rows(runs_in(undisturbed)[0], expected)
    assert len(client.get_metric_history(resumed.info.run_id, "train/epoch_seconds")) == 2
    states = [torch.load(next(folder.rglob("epoch1.ckpt")), weights_only=True) for folder in (disturbed, undisturbed)]
    assert_equal_states(*(state["state_dict"] for state in states))
    assert not [*tmp_path.rglob("last.ckpt")], "a finished run does not resume"


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
