"""Sweeps that are killed at random moments: the same command ends with each run once, and with the weights and numbers
of an undisturbed sweep, bit for bit."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from mlflow import MlflowClient

from processes import environment, wait_for
from sentiment_rnn.tracking.names import IDENTITY_TAG, JOB_TAG, SWEEP_TAG
from servers import Server
from stored_runs import rows

pytestmark = pytest.mark.slow

SWEEP = (
    "-m", "task=adding", "task.steps=30", "task.batches=40", "task.batch_size=16", "task.test_sequences=64",
    "encoder.hidden_size=16", "trainer.epochs=4", "trainer.threads=1", "trainer.checkpoint_minutes=0.002",
    "trainer.log_every_n_steps=5", "tracking.system_metrics=false", "encoder=rnn,lstm", "seed=0,1", "study=killed",
)  # fmt: skip
KILLED_WORKER = "error: a worker was killed, by the system for want of memory maybe; the same command resumes"
JOBLIB = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
Results = dict[str, tuple[list[tuple[str, int, float]], dict[str, Any]]]


def results(uri: str, folder: Path, experiment: str) -> Results:
    """By identity, the numbers of the one run that it has and the weights that were tested; all runs have FINISHED, and
    the one parent lists them."""
    client = MlflowClient(uri)
    runs = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    (parent,) = [run for run in runs if SWEEP_TAG in run.data.tags]
    jobs = [run for run in runs if IDENTITY_TAG in run.data.tags]
    assert parent.info.status == "FINISHED"
    assert [run.info.status for run in jobs] == ["FINISHED"] * 4
    listed = [parent.data.tags[f"{JOB_TAG}{number}"].splitlines()[0] for number in range(4)]
    found = {}
    for run in jobs:
        identity = run.data.tags[IDENTITY_TAG]
        weights = torch.load(folder / "runs" / "checkpoints" / identity / "best.ckpt", weights_only=True)["state_dict"]
        found[identity] = rows(client, run), weights
    assert sorted(listed) == sorted(found), "the launcher and its workers mean the same runs"
    assert not [*folder.rglob("last.ckpt")]
    return found


def launched(folder: Path, *overrides: str) -> "subprocess.Popen[bytes]":
    """The sweep in a process group of its own; it prints into the file `output`."""
    folder.mkdir(exist_ok=True)
    with (folder / "output").open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "sentiment_rnn", "train", *SWEEP, *overrides],
            cwd=folder, env=environment(), stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, float]:
    """Results of the sweep when nobody kills it, and the seconds that it takes."""
    folder = tmp_path_factory.mktemp("undisturbed") / "folder"
    begun = time.monotonic()
    assert launched(folder).wait(100) == 0, (folder / "output").read_text()
    return results(f"sqlite:///{folder}/runs/mlflow.db", folder, "sentiment_rnn"), time.monotonic() - begun


def strike(victim: str, sweep: "subprocess.Popen[bytes]", chance: random.Random) -> None:
    """Kill the launcher, all its group, or one of its workers."""
    if victim == "group":
        os.killpg(sweep.pid, signal.SIGKILL)
    elif victim == "worker":
        chance.choice(workers_of(sweep)).kill()
    else:
        sweep.kill()


def workers_of(sweep: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    """The living processes in which joblib trains. A sweep that ends leaves dead ones for a moment."""
    workers = []
    for child in psutil.Process(sweep.pid).children():
        with suppress(psutil.ZombieProcess, psutil.NoSuchProcess):
            if "loky.backend.popen_loky" in " ".join(child.cmdline()):
                workers.append(child)
    return workers


# One job at a time runs in the launcher itself, which is all of its group.
@pytest.mark.parametrize(
    ("store", "victim", "launcher"),
    [
        ("sqlite", "launcher", ()),
        ("http", "launcher", ()),
        ("http", "group", JOBLIB),
        ("sqlite", "worker", JOBLIB),
    ],
    ids=lambda value: value if isinstance(value, str) else "in turn" if not value else "side by side",
)
def test_a_sweep_that_was_killed_at_a_random_moment_ends_as_an_undisturbed_one(
    store: str, victim: str, launcher: tuple[str, ...], server: Server, undisturbed: tuple[Results, float],
    tmp_path: Path,
) -> None:  # fmt: skip
    expected, seconds = undisturbed
    folder, experiment = tmp_path / "folder", f"{store}-{victim}-{len(launcher)}"
    given = (*launcher, f"tracking.experiment={experiment}")
    given += (f"tracking.uri={server.uri}",) if store == "http" else ()
    chance = random.Random(experiment)
    sweep = launched(folder, *given)
    if victim == "worker":
        wait_for(lambda: sweep.poll() is not None or len(workers_of(sweep)) == 2)
    time.sleep(chance.uniform(0, seconds * (0.5 if victim == "worker" else 0.9)))
    if sweep.poll() is None and (victim != "worker" or workers_of(sweep)):  # else it was too fast
        strike(victim, sweep, chance)
        status, said = sweep.wait(60), (folder / "output").read_text()
        if victim == "worker":
            assert (status, said.splitlines()[-1]) == (1, KILLED_WORKER), said
            assert "Traceback" not in said
        else:
            assert status in (-signal.SIGKILL, 0)  # 0: it had just ended
    sweep.wait(60)
    assert launched(folder, *given).wait(100) == 0, (folder / "output").read_text()
    uri = server.uri if store == "http" else f"sqlite:///{folder}/runs/mlflow.db"
    found = results(uri, folder, experiment)
    assert found.keys() == expected.keys()
    for identity, (numbers, weights) in expected.items():
        assert found[identity][0] == numbers
        torch.testing.assert_close(found[identity][1], weights, rtol=0, atol=0)
