"""Who sweeps on a Slurm cluster gets each run once, whether jobs are requeued or the launcher is killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from processes import environment, wait_for
from sentiment_rnn.tracking.names import IDENTITY_TAG
from sentiment_rnn.tracking.sweeps import jobs_of
from slurm_cluster import missing, slurm, slurm_cluster
from stored_runs import rows, runs_in, sweep_in

pytestmark = pytest.mark.slow

SWEEP = [
    "-m", "data=generated", "data.train_reviews=400", "data.test_reviews=40", "data.max_lag=10",
    "data.batch_size=20", "encoder=rnn,bag", "seed=0,1", "encoder.hidden_size=8", "embedding.size=8", "trainer=cpu",
    "trainer.epochs=30", "trainer.threads=1", "trainer.log_every_n_steps=5", "embedding.word_dropout=0.1",
    "tracking.system_metrics=false", "trainer.tested_epoch=last",
]  # fmt: skip
SLURM = [
    "hydra/launcher=slurm", "hydra.launcher.cpus_per_task=1", "hydra.launcher.mem_gb=1",
    "hydra.launcher.array_parallelism=2",
]  # fmt: skip


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables by which Slurm's commands find a cluster of this test's own."""
    if reason := missing():
        pytest.skip(reason)
    with slurm_cluster(tmp_path_factory.mktemp("slurm")) as variables:
        yield variables


@pytest.mark.timeout(600)
def test_a_sweep_outlives_its_launcher_and_requeued_jobs_resume(tmp_path: Path, cluster: dict[str, str]) -> None:
    command = [sys.executable, "-m", "sentiment_rnn", "train", *SWEEP, *SLURM]
    with subprocess.Popen(command, cwd=tmp_path, env=environment() | cluster) as launcher:
        by_hand, _ = next_running(tmp_path)
        assert not slurm(cluster, "scontrol", "requeue", by_hand)
        warned, process = next_running(tmp_path, besides=by_hand)
        os.kill(process, signal.SIGUSR2)  # as Slurm warns a job that is out of time
        launcher.send_signal(signal.SIGKILL)
    again = subprocess.run(
        command, cwd=tmp_path, env=environment() | cluster, capture_output=True, text=True, timeout=400
    )
    assert again.returncode == 0, again.stdout + again.stderr
    wait_for(lambda: not slurm(cluster, "squeue", "--noheader").strip())
    for job in (by_hand, warned):
        log = "".join(path.read_text() for path in tmp_path.rglob(f"{job}_*_log.out"))
        assert log.count("Starting with JobEnvironment") == 2
    (parent,), jobs = sweep_in(tmp_path)
    assert [run.info.status for run in (parent, *jobs)] == ["FINISHED"] * 5, "each of the four runs once"
    listed = {identity for identity, _ in jobs_of(parent).values()}
    assert listed == {job.data.tags[IDENTITY_TAG] for job in jobs}, "as they are on the nodes"
    for job in jobs:
        steps = [step for name, step, _ in rows(runs_in(tmp_path)[0], job) if name == "val/loss"]
        assert len(steps) == len({*steps}) == 30, "each epoch once"


def next_running(folder: Path, besides: str = "") -> tuple[str, int]:
    """Slurm's job and the process of a run that has finished an epoch, and not all, once there is one."""
    found: list[tuple[str, int]] = []

    def look() -> bool:
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                variables = process.environ()
                job = f"{variables.get('SLURM_ARRAY_JOB_ID')}_{variables.get('SLURM_ARRAY_TASK_ID')}"
                opened = [Path(file.path) for file in process.open_files() if file.path.endswith("/lock")]
                if job != besides and any(
                    path.is_relative_to(folder) and path.with_name("last.ckpt").exists() for path in opened
                ):
                    found.append((job, process.pid))
        return bool(found)

    wait_for(look)
    return found[0]
