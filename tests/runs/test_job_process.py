"""Sweeps whose jobs run side by side, in real processes that are really killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from multiprocessing import Pipe
from pathlib import Path

import psutil
import pytest
import torch
from hydra.core.utils import JobReturn
from joblib.externals.loky.process_executor import ProcessPoolExecutor
from mlflow.entities import Run
from omegaconf import OmegaConf

from processes import environment, wait_for
from sentiment_rnn.errors import UserError
from sentiment_rnn.runs import job_process
from sentiment_rnn.runs.job_process import Workers, end_with_launcher
from sentiment_rnn.runs.launchers import JOBLIB, WORKERS, prepare_launcher
from sentiment_rnn.runtime import visible_gpus
from sentiment_rnn.tracking.ownership import writer_of
from stored_runs import sweep_in

SIDE_BY_SIDE = (
    "-m", "data=generated", "data.train_reviews=120", "data.test_reviews=40", "data.max_lag=10",
    "data.batch_size=20", "encoder.hidden_size=8", "embedding.size=8", "trainer.threads=1",
    "tracking.system_metrics=false", "tracking.record=results", "hydra/launcher=joblib",
)  # fmt: skip
FOR_EVER = "trainer.epochs=100000"


class Sweep:
    """`sentiment-rnn train` in a session of its own, as a terminal would have it."""

    def __init__(self, folder: Path, *overrides: str) -> None:
        self.folder = folder
        command = [sys.executable, "-m", "sentiment_rnn", "train", *SIDE_BY_SIDE, *overrides]
        told = environment() | {"PYTHONFAULTHANDLER": "1"}
        with (folder / "output").open("w") as output:
            self.process = subprocess.Popen(
                command, cwd=folder, env=told, stdout=output, stderr=output, start_new_session=True
            )

    def said(self) -> str:
        """All that it has printed."""
        return (self.folder / "output").read_text()

    def status(self, seconds: float) -> int:
        """Its exit status; where it has not ended by then, its processes print where they stand, and end."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            stuck = psutil.Process(self.process.pid)
            for process in [*stuck.children(recursive=True), stuck]:
                process.send_signal(signal.SIGABRT)
            self.process.wait(20)
            raise AssertionError(self.said()) from None

    def runs(self) -> tuple[Run | None, list[Run]]:
        """The parent run, where it is there, and its jobs' runs."""
        if not (self.folder / "runs" / "artifacts").exists():
            return None, []
        parents, jobs = sweep_in(self.folder)
        return (parents[0] if parents else None), jobs

    def writers(self) -> dict[str, int]:
        """The process that writes each run, by the run's id."""
        return {run.info.run_id: owner.pid for run in self.runs()[1] if (owner := writer_of(run))}

    def statuses(self) -> list[str]:
        """How the jobs' runs stand, sorted."""
        return sorted(run.info.status for run in self.runs()[1])

    def moments(self, seconds: float = 200) -> Iterator[None]:
        """Moments to look at it until the time is over."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            yield
            time.sleep(0.05)
        raise TimeoutError(self.said())


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_end_with_their_launcher_and_their_runs_write_a_checkpoint(number: int, tmp_path: Path) -> None:
    sweep = Sweep(tmp_path, "encoder=bag", "seed=0,1", f"{FOR_EVER},1", "hydra.launcher.n_jobs=3")
    for _ in sweep.moments():  # two jobs are done, two train for ever, and one worker is idle
        running = {run.info.run_id for run in sweep.runs()[1] if run.info.status == "RUNNING"}
        trains = {path.parent.name for path in (tmp_path / "runs" / "checkpoints").glob("*/last.ckpt")}
        if sweep.statuses() == ["FINISHED", "FINISHED", "RUNNING", "RUNNING"] and running <= trains:
            break
        assert sweep.process.poll() is None, sweep.said()
    workers = psutil.Process(sweep.process.pid).children(recursive=True)
    assert len(workers) >= 3
    if number == signal.SIGKILL:
        sweep.process.send_signal(number)
    else:
        os.killpg(sweep.process.pid, number)  # as a terminal does, and a scheduler
    assert sweep.status(60) == (-number if number == signal.SIGKILL else 130), sweep.said()
    alive = psutil.wait_procs(workers, timeout=60)[1]
    assert alive == []
    assert sweep.statuses() == ["FINISHED", "FINISHED", "KILLED", "KILLED"], sweep.said()
    parent, _ = sweep.runs()
    assert parent
    assert "Traceback" not in sweep.said()
    assert sweep.said().count("interrupted; checkpoint after") == 2
    if number != signal.SIGKILL:  # else nobody was left to say so
        assert parent.info.status == "KILLED"
        assert "sweep: interrupted; the same command resumes it, run " in sweep.said()
        assert "FAILED" not in sweep.said()


@pytest.mark.slow
def test_a_job_whose_worker_is_killed_each_time_takes_no_other_with_it_and_the_same_command_resumes(
    tmp_path: Path,
) -> None:
    overrides = ("encoder=bag", "seed=0,1,2", "trainer.epochs=300", "tracking.repeat=false", "hydra.launcher.n_jobs=2")
    sweep = Sweep(tmp_path, *overrides)
    killed: set[int] = set()
    for _ in sweep.moments():
        if sweep.process.poll() is not None:
            break
        victims = [run.info.run_id for run in sweep.runs()[1] if run.data.params.get("seed") == "1"]
        for run_id, process in sweep.writers().items():
            if run_id in victims and process not in killed and len(killed) < 3:
                os.kill(process, signal.SIGKILL)
                killed.add(process)
    assert sweep.process.returncode == 1
    assert len(killed) == 3
    assert sweep.statuses() == ["FAILED", "FINISHED", "FINISHED"]
    said = sweep.said()
    assert said.count("job #1: its process was killed (SIGKILL); it is tried again") == 2
    assert said.count("job #1: its process was killed (SIGKILL); given up after 3 tries") == 1
    assert "error: 1 of 3 runs are missing" in said.splitlines()[-1]
    assert "the same command runs them again" in said.splitlines()[-1]
    assert "Traceback" not in said
    parent, runs = sweep.runs()
    assert parent
    assert parent.info.status == "FAILED"
    (lost,) = [run for run in runs if run.info.status == "FAILED"]
    assert lost.data.tags["sentiment_rnn.error"] == "its process was killed"
    again = Sweep(tmp_path, *overrides)
    assert again.status(200) == 0, again.said()
    assert again.statuses() == ["FINISHED"] * 3
    assert "2 of 3 runs are there" in again.said()
    assert not any("sentiment_rnn.error" in run.data.tags for run in again.runs()[1])


ODD = """
import torch
from sentiment_rnn.model.encoders import Bag

class Odd(Exception):
    def __init__(self, one, other):
        super().__init__(f"{one} {other}")

class Encoder(Bag):
    def forward(self, *given):
        if torch.initial_seed() == 1:
            raise Odd("oddly", "said")
        return super().forward(*given)
"""


@pytest.mark.slow
def test_a_job_whose_error_cannot_be_sent_to_the_launcher_takes_no_other_with_it(tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text(ODD)
    sweep = Sweep(tmp_path, "encoder=bag", "encoder._target_=odd.Encoder", "seed=1,0,2", "hydra.launcher.n_jobs=1")
    assert sweep.status(200) == 1
    assert sweep.statuses() == ["FAILED", "FINISHED", "FINISHED"], sweep.said()
    assert "oddly said" in sweep.said()


def test_workers_take_the_gpus_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    class Pool(ProcessPoolExecutor):  # type: ignore[misc]
        def submit(self, *_: object) -> Future[JobReturn]:
            """Done at once."""
            seen.append(self._env["CUDA_VISIBLE_DEVICES"])
            done: Future[JobReturn] = Future()
            done.set_result(JobReturn())
            return done

    monkeypatch.setattr(job_process, "ProcessPoolExecutor", Pool)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    workers = Workers(())
    workers.launch([["seed=0"], ["seed=1"], ["seed=2"]], 0, 3, 1, visible_gpus())
    assert seen == ["4", "6", "4"]
    left = [worker for worker in workers.idle if workers.gpu_of[worker] == "4"]  # that on 6 was killed
    workers.idle, workers.running = [], {Future(): (job, worker) for job, worker in enumerate(left)}
    workers._start(3, (), 1, visible_gpus())
    assert seen[-1] == "6"
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert visible_gpus() == ["0", "1"]


class Slow:
    """A result that takes half a second to be sent."""

    def __init__(self, begun: Path) -> None:
        self.begun = begun

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        self.begun.touch()
        time.sleep(0.5)
        return str, ("sent",)


def test_a_result_on_its_way_reaches_a_launcher_that_ends_and_its_idle_worker_ends(tmp_path: Path) -> None:
    reader, writer = Pipe(duplex=False)
    worker = ProcessPoolExecutor(1, initializer=end_with_launcher, initargs=(reader,))
    result = worker.submit(Slow, tmp_path / "begun")
    wait_for((tmp_path / "begun").exists)
    (process,) = worker._processes.values()
    writer.close()
    assert result.result(60) == "sent"
    assert psutil.wait_procs([psutil.Process(process.pid)], timeout=60)[1] == []
    worker.shutdown(kill_workers=True)


def test_joblibs_jobs_run_in_workers_of_our_own_and_keys_without_an_effect_are_refused() -> None:
    usual = {"_target_": JOBLIB, "n_jobs": 2}
    keys = {
        "backend": None, "prefer": "processes", "require": None, "verbose": 0, "timeout": None,
        "pre_dispatch": "2*n_jobs", "batch_size": "auto", "temp_folder": None, "max_nbytes": None, "mmap_mode": "r",
    }  # fmt: skip
    launcher = OmegaConf.create(usual | keys)
    prepare_launcher(launcher)
    assert launcher._target_ == WORKERS
    with pytest.raises(UserError, match=r"^hydra.launcher.verbose=3: has no effect here; leave it out"):
        prepare_launcher(OmegaConf.create(usual | keys | {"verbose": 3}))
    with pytest.raises(UserError, match=r"^hydra.launcher.n_jobs=0: expected how many jobs"):
        prepare_launcher(OmegaConf.create(usual | keys | {"n_jobs": 0}))
