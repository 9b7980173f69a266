"""Sweeps that are killed at random moments, and started again: every run once, and to the digit as undisturbed."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from processes import environment, wait_for
from servers import Server
from stored_runs import rows

pytestmark = pytest.mark.slow

SWEEP = (
    "-m", "data=generated", "data.train_reviews=200", "data.test_reviews=60", "data.max_lag=10", "data.batch_size=20",
    "embedding.size=8", "encoder.hidden_size=8", "trainer.epochs=50", "trainer.threads=1", "trainer=cpu",
    "encoder=rnn,lstm", "seed=0,1", "tracking.record=results",
)  # fmt: skip
KILLS = int(os.environ.get("KILLS", "1"))
"""Kills of each sweep."""


def started(folder: Path, *overrides: str) -> "subprocess.Popen[bytes]":
    """The sweep, in a session of its own."""
    with (folder / "output").open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "sentiment_rnn", "train", *SWEEP, *overrides],
            cwd=folder, env=environment(), stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip


def wait_for_training(sweep: "subprocess.Popen[bytes]", output: Path) -> None:
    """Wait until it has said how an epoch was, or has ended."""
    before = output.stat().st_size
    wait_for(lambda: b"epoch" in output.read_bytes()[before:] or sweep.poll() is not None)


def results(uri: str, experiment: str) -> tuple[list[Run], dict[tuple[str, str], list[tuple[str, int, float]]]]:
    """The parents of an experiment, and of each run the rows of its metrics; no run is there twice."""
    client = MlflowClient(uri)
    runs = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    jobs = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    found = {(run.data.params["encoder.name"], run.data.params["seed"]): rows(client, run) for run in jobs}
    assert len(found) == len(jobs)
    assert {run.info.status for run in runs} == {"FINISHED"}
    return [run for run in runs if run not in jobs], found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], list[tuple[str, int, float]]]:
    """Results of the sweep when nobody kills it."""
    folder = tmp_path_factory.mktemp("undisturbed")
    assert started(folder).wait(250) == 0
    return results(f"sqlite:///{folder}/runs/mlflow.db", "sentiment_rnn")[1]


# One job at a time runs in the launcher itself, which is all of its group.
@pytest.mark.parametrize(("victim", "at_once"), [("launcher", 1), ("launcher", 2), ("group", 2)])
@pytest.mark.parametrize("store", ["sqlite", "http"])
def test_a_sweep_that_was_killed_at_random_moments_has_every_run_once(
    store: str, victim: str, at_once: int, server: Server, undisturbed: object, tmp_path: Path
) -> None:
    experiment = f"{store}-{victim}-{at_once}"
    overrides = [f"tracking.experiment={experiment}"]
    overrides += ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"] if at_once == 2 else []
    overrides += [f"tracking.uri={server.uri}"] if store == "http" else []
    moments, output = random.Random(experiment), tmp_path / "output"
    for _ in range(KILLS):
        sweep = started(tmp_path, *overrides)
        wait_for_training(sweep, output)
        time.sleep(moments.uniform(0, 2 / KILLS))
        assert sweep.poll() is None, output.read_text()[-3000:]
        (os.killpg if victim == "group" else os.kill)(sweep.pid, signal.SIGKILL)
        assert sweep.wait() == -signal.SIGKILL
    assert started(tmp_path, *overrides).wait(250) == 0, output.read_text()[-3000:]
    parents, found = results(server.uri if store == "http" else f"sqlite:///{tmp_path}/runs/mlflow.db", experiment)
    assert len(parents) == 1
    assert found == undisturbed
