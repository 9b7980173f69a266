"""`train --dry-run` promises: it says what would be trained and about how long, and trains nothing."""

from pathlib import Path

import pytest

from in_process import ask
from sentiment_rnn.sweeps.preparation import as_time
from stored_runs import runs_in

TINY = (
    "task=adding", "task.steps=6", "task.batch_size=8", "task.batches=5", "task.test_sequences=32", "trainer.threads=1",
    "encoder.hidden_size=8", "trainer.epochs=2", "study=mine", "tracking.system_metrics=false",
)  # fmt: skip


def planned(folder: Path, *overrides: str) -> dict[str, str]:
    """State by job, by its overrides."""
    lines = ask("train", folder, "-m", *TINY, *overrides, "--dry-run").stdout.splitlines()
    cells = ([cell.strip() for cell in line.split("│")] for line in lines if line.startswith("│"))
    return {cell[2]: " ".join(filter(None, cell[3:5])) for cell in cells}


def test_a_plan_tells_finished_runs_from_those_that_train_and_makes_nothing(tmp_path: Path) -> None:
    assert planned(tmp_path, "encoder=rnn,lstm", "seed=0") == {
        "encoder=rnn": "trains 2 epochs ?", "encoder=lstm": "trains 2 epochs ?",
    }  # fmt: skip
    assert not (tmp_path / "runs").exists()
    ask("train", tmp_path, "-m", *TINY, "encoder=rnn", "seed=0,1")
    before = {run.info.run_id for run in runs_in(tmp_path)[1]}
    found = planned(tmp_path, "encoder=rnn,lstm", "seed=0,1,2")
    assert found["encoder=rnn seed=0"] == found["encoder=rnn seed=1"] == "finished"
    assert found["encoder=rnn seed=2"].startswith("trains 2 epochs ")
    assert not found["encoder=rnn seed=2"].endswith("?"), "runs of its arm are there"
    assert found["encoder=lstm seed=0"] == "trains 2 epochs ?"
    assert {run.info.run_id for run in runs_in(tmp_path)[1]} == before


def test_what_an_override_refers_to_is_that_of_its_job(tmp_path: Path) -> None:
    referring = "task.steps=${optimizer.draw}", "trainer.epochs=${optimizer.draw}", "seed=${optimizer.draw}0"
    states = planned(tmp_path, "encoder=rnn", "optimizer.draw=3,4", *referring)
    assert sorted(states.values()) == ["trains 3 epochs ?", "trains 4 epochs ?"]


def test_a_plan_says_from_which_epoch_a_run_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("sentiment_rnn.engine.train.pl.Trainer.test", interrupt)
        ask("train", tmp_path, *TINY, "encoder=rnn", status=130)
    said = ask("train", tmp_path, *TINY, "encoder=rnn", "--dry-run").stdout
    assert "resumes after epoch 2 of 2" in said
    assert "1 of 1 jobs would train" in said


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_plan_downloads_nothing_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IMDB_ARCHIVE", raising=False)
    said = ask("train", tmp_path, "data=imdb", "encoder=bag", "--dry-run").stdout
    assert "aclImdb_v1.tar.gz is not here; training downloads it" in said
    assert "0 of 1 jobs would train" in said
    assert not (tmp_path / "data").exists()


def test_a_time_is_said_in_seconds_minutes_or_hours() -> None:
    assert as_time(12.4) == "12 s"
    assert as_time(600) == "10 min"
    assert as_time(7200) == "2.0 h"
