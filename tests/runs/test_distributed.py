"""Sweeps whose runs train in two processes each."""

import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from processes import environment, run_command, training_that
from stored_runs import runs_in

SMALL = [
    "data=generated", "data.train_reviews=120", "data.test_reviews=40", "data.max_distance=10", "data.batch_size=20",
    "encoder=rnn", "encoder.hidden_size=8", "embedding.size=8", "trainer=cpu", "trainer.threads=1",
    "trainer.devices=2", "trainer.strategy=ddp", "tracking.system_metrics=false",
]  # fmt: skip

KILLED = training_that("os.kill(os.getpid(), signal.SIGKILL)", epoch=1)
"""A run whose first process is killed when its second epoch starts."""


WITHOUT_WORK = """
import time
from sentiment_rnn.runs import rank

rank.take_part = lambda *_: time.sleep(0.5)
rank.main()
"""


@pytest.mark.slow
def test_another_process_whose_work_is_done_ends_with_status_0_beside_the_first() -> None:
    with subprocess.Popen([sys.executable, "-c", WITHOUT_WORK], stdin=subprocess.PIPE, env=environment()) as other:
        assert other.stdin
        other.stdin.write(pickle.dumps((None, None)))
        other.stdin.flush()
        assert other.wait(60) == 0


@pytest.mark.slow
def test_the_second_process_of_a_job_runs_that_job_and_not_the_sweep(tmp_path: Path) -> None:
    run_command("train", tmp_path, "-m", *SMALL, "trainer.epochs=2", "seed=0,1", status=0)
    client, runs = runs_in(tmp_path)
    *jobs, parent = runs
    assert [run.info.status for run in runs] == ["FINISHED"] * 3
    assert {run.data.tags["mlflow.parentRunId"] for run in jobs} == {parent.info.run_id}
    assert {run.data.params["seed"] for run in jobs} == {"0", "1"}
    for run in jobs:
        history = client.get_metric_history(run.info.run_id, "val/loss")
        assert [point.step for point in history] == [2, 5], "steps of 3, on two devices, and one writer"


@pytest.mark.slow
def test_a_signal_ends_a_run_on_several_devices(tmp_path: Path) -> None:
    script = KILLED.replace("SIGKILL", "SIGTERM")
    ended = subprocess.run(
        [sys.executable, "-c", script, *SMALL, "trainer.epochs=3"],
        cwd=tmp_path, env=environment(), capture_output=True, timeout=100,
    )  # fmt: skip
    assert ended.returncode == 130, ended.stderr.decode()
    (run,) = runs_in(tmp_path)[1]
    assert run.info.status == "KILLED"


@pytest.mark.slow
def test_both_processes_resume_from_the_same_checkpoint(tmp_path: Path) -> None:
    arguments = [*SMALL, "trainer.epochs=3", "embedding.dropout=0", "embedding.word_dropout=0"]
    folders = undisturbed, resumed = tmp_path / "undisturbed", tmp_path / "resumed"
    for folder in folders:
        folder.mkdir()
    run_command("train", undisturbed, *arguments, status=0)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, *arguments], cwd=resumed, env=environment(), capture_output=True, timeout=280
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    (run,) = runs_in(resumed)[1]
    run_command("train", resumed, *arguments, f"tracking.resume={run.info.run_id}", status=0)
    assert [run.info.status for run in runs_in(resumed)[1]] == ["FINISHED"]
    expected, found = weights(undisturbed), weights(resumed)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=0, msg=name)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """Of the last epoch of the only run."""
    _, (run,) = runs_in(folder)
    path = folder / "runs" / "checkpoints" / run.info.run_id / "last.ckpt"
    return dict(torch.load(path, weights_only=True)["state_dict"])
