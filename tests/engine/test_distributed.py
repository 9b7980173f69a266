"""Who trains a run in two processes gets one run, in which each review counts once, and one line where it fails."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from processes import environment, run_command, training_that
from sentiment_rnn.inference.predictions import Predictions
from short_runs import assert_equal_states
from stored_runs import runs_in

SMALL = [
    "data=generated", "data.train_reviews=120", "data.test_reviews=40", "data.max_lag=10", "data.batch_size=20",
    "encoder=rnn", "encoder.hidden_size=8", "embedding.size=8", "trainer=cpu", "trainer.threads=1",
    "trainer.devices=2", "trainer.strategy=ddp", "trainer.epochs=3", "tracking.system_metrics=false",
]  # fmt: skip


def disturbed(deed: str, rank: int, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Train, and have one of the processes do something when its second epoch starts."""
    program = training_that(f"({deed}) if os.environ['LOCAL_RANK'] == '{rank}' else None", epoch=1)
    # From a file: Lightning starts the second process with the same command.
    (folder / "program.py").write_text(program.replace('"sentiment-rnn", "train"', "sys.argv[0]"))
    command = [sys.executable, "program.py", "train", *arguments]
    return subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=280)


@pytest.mark.slow
def test_processes_of_torchrun_train_a_run_together_and_once(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command += ["-m", "sentiment_rnn", "train", *SMALL]
    for _ in range(2):  # the second time both find that it is done
        subprocess.run(command, cwd=tmp_path, env=environment(), check=True, timeout=280)
        client, (run,) = runs_in(tmp_path)
        assert run.info.status == "FINISHED"
        history = client.get_metric_history(run.info.run_id, "val/loss")
        assert [point.step for point in history] == [2, 5, 8], "steps of 3, on two devices, and one writer"


@pytest.mark.slow
def test_a_loss_that_is_no_number_on_one_device_ends_both_with_one_line_each_and_once(tmp_path: Path) -> None:
    ended = disturbed("[p.data.fill_(float('nan')) for p in module.parameters()]", 1, tmp_path, *SMALL)
    assert (ended.returncode, "Traceback" in ended.stderr) == (1, False), ended.stderr
    said = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert set(said) == {said[0]}
    assert said[0].startswith("error: the loss is nan in batch 1 of epoch 2")
    again = run_command("train", tmp_path, *SMALL, status=1)
    assert sorted(line for line in again.stderr.splitlines() if line.startswith("error: ")) == [
        "error: the first process of this run, rank 0, does not answer; its output says why", said[0],
    ]  # fmt: skip


@pytest.mark.slow
def test_both_processes_score_every_review_once_and_resume_from_the_same_checkpoint(tmp_path: Path) -> None:
    arguments = [*SMALL, "embedding.dropout=0", "embedding.word_dropout=0", "trainer.keep_epochs=true"]
    folders = undisturbed, resumed = tmp_path / "undisturbed", tmp_path / "resumed"
    for folder in folders:
        folder.mkdir()
    run_command("train", undisturbed, *arguments, status=0)
    client, (whole,) = runs_in(undisturbed)
    scored = Predictions.load(Path(client.download_artifacts(whole.info.run_id, "predictions/test.npz", str(tmp_path))))
    assert not np.isnan(scored.probabilities).any(), "each review by one of the two"
    assert scored.correct.mean() == pytest.approx(whole.data.metrics["test/accuracy"])
    assert len(whole.outputs.model_outputs) == 1
    killed = disturbed("os.kill(os.getpid(), signal.SIGKILL)", 0, resumed, *arguments)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    (run,) = runs_in(resumed)[1]
    run_command("train", resumed, *arguments, status=0)
    assert [(one.info.run_id, one.info.status) for one in runs_in(resumed)[1]] == [(run.info.run_id, "FINISHED")]
    states = [torch.load(next(folder.rglob("epoch2.ckpt")), weights_only=True) for folder in folders]
    assert_equal_states(*(state["state_dict"] for state in states))
