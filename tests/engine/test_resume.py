"""Whoever gives the command of a run again that broke off behind its last epoch, or by a scheduler, gets an undisturbed
run."""

from pathlib import Path

import pytest

from sentiment_rnn.engine import train as engine
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
