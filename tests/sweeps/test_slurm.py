"""A sweep on a real Slurm cluster of one node: a job is requeued, the launcher is killed and started again."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import torch
from mlflow.entities import Run

from processes import environment, run_command, wait_for
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
    disturbed, undisturbed = tmp_path / "disturbed", tmp_path / "undisturbed"
    disturbed.mkdir()
    undisturbed.mkdir()
    command = [sys.executable, "-m", "sentiment_rnn", "train", *SWEEP, *SLURM]
    with subprocess.Popen(command, cwd=disturbed, env=environment() | cluster) as launcher:
        by_hand, _ = next_running(disturbed)
        assert not slurm(cluster, "scontrol", "requeue", by_hand)
        warned, process = next_running(disturbed, besides=by_hand)
        os.kill(process, signal.SIGUSR2)  # as Slurm warns a job that is out of time
        launcher.send_signal(signal.SIGKILL)
    with ThreadPoolExecutor(1) as beside:
        alone = beside.submit(run_command, "train", undisturbed, *SWEEP, status=0)
        again = subprocess.run(
            command, cwd=disturbed, env=environment() | cluster, capture_output=True, text=True, timeout=400
        )
        alone.result()
    assert again.returncode == 0, again.stdout + again.stderr
    wait_for(lambda: not slurm(cluster, "squeue", "--noheader").strip())
    for job in (by_hand, warned):
        assert log_of(disturbed, job).count("Starting with JobEnvironment") == 2

    parent, jobs = jobs_in(disturbed)
    assert parent.info.status == "FINISHED"
    assert [job.info.status for job in jobs.values()] == ["FINISHED"] * 4
    listed = {identity for identity, _ in jobs_of(parent).values()}
    assert listed == {job.data.tags["sentiment_rnn.identity"] for job in jobs.values()}, "as they are on the nodes"
    for key, expected in jobs_in(undisturbed)[1].items():
        assert rows(runs_in(disturbed)[0], jobs[key]) == rows(runs_in(undisturbed)[0], expected)
        torch.testing.assert_close(weights(disturbed, jobs[key]), weights(undisturbed, expected), rtol=0, atol=0)


def test_a_job_on_two_devices_is_two_tasks_and_one_run(tmp_path: Path, cluster: dict[str, str]) -> None:
    devices = ["encoder=rnn", "seed=0", "trainer.epochs=2", "trainer.devices=2", "trainer.strategy=ddp"]
    command = [sys.executable, "-m", "sentiment_rnn", "train", *SWEEP, *SLURM, *devices]
    done = subprocess.run(command, cwd=tmp_path, env=environment() | cluster, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    parent, jobs = jobs_in(tmp_path)
    assert [run.info.status for run in (parent, *jobs.values())] == ["FINISHED"] * 2


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


def jobs_in(folder: Path) -> tuple[Run, dict[tuple[str, str], Run]]:
    """The parent run, and its runs by encoder and seed; no two of them are the same."""
    (parent,), jobs = sweep_in(folder)
    by_key = {(run.data.params["encoder.name"], run.data.params["seed"]): run for run in jobs}
    assert len(by_key) == len(jobs)
    return parent, by_key


def weights(folder: Path, run: Run) -> dict[str, torch.Tensor]:
    """Weights of a run after its last epoch."""
    path = folder / "runs" / "checkpoints" / run.data.tags["sentiment_rnn.identity"] / "final.ckpt"
    return dict(torch.load(path, weights_only=True)["state_dict"])


def log_of(folder: Path, job: str) -> str:
    """Output of a job, from each of its starts."""
    return "".join(path.read_text() for path in folder.rglob(f"{job}_*_log.out"))
