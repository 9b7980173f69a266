"""Runs that train in two processes."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from processes import Refused, environment, run_command, training_that
from sentiment_rnn.inference.predictions import Predictions
from stored_runs import runs_in

SMALL = [
    "data=generated", "data.train_reviews=120", "data.test_reviews=40", "data.max_lag=10", "data.batch_size=20",
    "encoder=rnn", "encoder.hidden_size=8", "embedding.size=8", "trainer=cpu", "trainer.threads=1",
    "trainer.devices=2", "trainer.strategy=ddp", "tracking.system_metrics=false",
]  # fmt: skip
KILLED = training_that("os.kill(os.getpid(), signal.SIGKILL) if os.environ['LOCAL_RANK'] == '0' else None", epoch=1)
"""A run whose first process is killed when its second epoch starts."""


def disturbed(program: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run a program that trains, from a file: Lightning starts the second process with the same command."""
    folder.joinpath("program.py").write_text(program.replace('"sentiment-rnn", "train"', "sys.argv[0]"))
    command = [sys.executable, "program.py", "train", *arguments]
    return subprocess.run(command, cwd=folder, env=environment(), capture_output=True, timeout=280)


def test_a_sweep_on_several_devices_of_this_machine_is_one_line(tmp_path: Path, refused: Refused) -> None:
    line = refused(tmp_path, "-m", *SMALL, "seed=0,1")
    assert re.fullmatch(r"error: trainer.devices=2 trainer.nodes=1: .* hydra/launcher=slurm alone, .*", line)
    assert not (tmp_path / "runs" / "mlflow.db").exists()


@pytest.mark.slow
def test_processes_of_torchrun_train_a_run_together_and_once(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command += ["-m", "sentiment_rnn", "train", *SMALL, "trainer.epochs=2"]
    for _ in range(2):  # the second time both find that it is done
        subprocess.run(command, cwd=tmp_path, env=environment(), check=True, timeout=280)
        client, (run,) = runs_in(tmp_path)
        assert run.info.status == "FINISHED"
        history = client.get_metric_history(run.info.run_id, "val/loss")
        assert [point.step for point in history] == [2, 5], "steps of 3, on two devices, and one writer"


@pytest.mark.slow
def test_a_loss_that_is_no_number_on_one_device_ends_both_with_one_line_each_and_once(tmp_path: Path) -> None:
    deed = "[p.data.fill_(float('nan')) for p in module.parameters()] if os.environ['LOCAL_RANK'] == '1' else None"
    ended = disturbed(training_that(deed, epoch=1), tmp_path, *SMALL, "trainer.epochs=3")
    assert ended.returncode == 1, ended.stderr.decode()
    said = [line for line in ended.stderr.decode().splitlines() if line.startswith("error: ")]
    assert set(said) == {said[0]}
    assert said[0].startswith("error: the loss is nan in batch 1 of epoch 2")
    assert "Traceback" not in ended.stderr.decode()
    again = run_command("train", tmp_path, *SMALL, "trainer.epochs=3", status=1)
    assert sorted(line for line in again.stderr.splitlines() if line.startswith("error: ")) == [
        "error: the first process of this run, rank 0, does not answer; its output says why", said[0],
    ]  # fmt: skip


@pytest.mark.slow
def test_a_signal_ends_a_run_on_several_devices(tmp_path: Path) -> None:
    ended = disturbed(KILLED.replace("SIGKILL", "SIGTERM"), tmp_path, *SMALL, "trainer.epochs=3")
    assert ended.returncode == 130, ended.stderr.decode()
    (run,) = runs_in(tmp_path)[1]
    assert run.info.status == "KILLED"


@pytest.mark.slow
def test_both_processes_score_every_review_once_and_resume_from_the_same_checkpoint(tmp_path: Path) -> None:
    arguments = [*SMALL, "trainer.epochs=3", "embedding.dropout=0", "embedding.word_dropout=0"]
    arguments += ["trainer.keep_epochs=true"]  # every epoch's checkpoint stays
    folders = undisturbed, resumed = tmp_path / "undisturbed", tmp_path / "resumed"
    for folder in folders:
        folder.mkdir()
    run_command("train", undisturbed, *arguments, status=0)
    client, (whole,) = runs_in(undisturbed)
    scored = Predictions.load(Path(client.download_artifacts(whole.info.run_id, "predictions/test.npz", str(tmp_path))))
    assert not np.isnan(scored.probabilities).any(), "each review by one of the two"
    assert scored.correct.mean() == pytest.approx(whole.data.metrics["test/accuracy"])
    assert len(whole.outputs.model_outputs) == 1
    killed = disturbed(KILLED, resumed, *arguments)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    (run,) = runs_in(resumed)[1]
    run_command("train", resumed, *arguments, status=0)
    assert [(one.info.run_id, one.info.status) for one in runs_in(resumed)[1]] == [(run.info.run_id, "FINISHED")]
    expected, found = weights(undisturbed), weights(resumed)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=0, msg=name)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """Weights of the only run after its last epoch."""
    state: dict[str, torch.Tensor] = torch.load(next(folder.rglob("epoch2.ckpt")), weights_only=True)["state_dict"]
    return state
