"""Faults of a run on one machine, each in a real process: the same command then ends like an undisturbed one."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from forked_commands import Command
from mlflow.entities import Run
from short_runs import LSTM, REVIEWS, SMALL, assert_equal_states, last_state

from processes import environment
from sentiment_rnn.tracking.checkpoints import load_checkpoint
from stored_runs import rows, runs_in, sweep_in

pytestmark = pytest.mark.slow

SWEEP = (
    "-m", *LSTM, *SMALL, "trainer.epochs=3", "data.train_reviews=500", "data.batch_size=10",
    "trainer.checkpoint_minutes=0.0003",
    "tracking.repeat=false", "hydra.run.dir=/tmp", "hydra.output_subdir=null", "hydra/job_logging=stdout",
)  # fmt: skip
"""The same command resumes a sweep; this one has one job, of 120 steps and a checkpoint every few of them."""
ENDED_AT_ITS_SETUP = """
import os, signal, sys
from sentiment_rnn.cli.main import main
from sentiment_rnn.runs import engine

set_up = engine.set_up

def end_the_second(config):
    if config.seed == 1:
        os.kill(os.getpid(), signal.SIGTERM)
    return set_up(config)

engine.set_up = end_the_second
sys.argv = ["sentiment-rnn", "train", *sys.argv[1:]]
main()
"""
"""A sweep that is asked to end while its second run is being set up."""
LAST = Path("runs/checkpoints/*/last.ckpt")


def run_of(folder: Path) -> Run:
    """The one run of the sweep in `folder`."""
    (run,) = sweep_in(folder)[1]
    return run


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which nothing befell the run."""
    folder = tmp_path_factory.mktemp("undisturbed") / "folder"
    command = Command(folder, *SWEEP)
    assert command.end() == 0, command.said()
    return folder


@pytest.fixture
def begun(undisturbed: Path, tmp_path: Path) -> Path:
    """A folder that has the token cache, but no runs."""
    shutil.copytree(undisturbed / "data", tmp_path / "folder" / "data")
    return tmp_path / "folder"


def assert_resumes(folder: Path, undisturbed: Path) -> None:
    """The same command finishes the run: with the same weights, and each metric once at each step."""
    command = Command(folder, *SWEEP)
    assert command.end() == 0, command.said()
    assert run_of(folder).info.status == "FINISHED"
    states = [last_state(place / LAST.parents[1], run_of(place)) for place in (folder, undisturbed)]
    assert_equal_states(*states)
    found, expected = (rows(runs_in(place)[0], run_of(place)) for place in (folder, undisturbed))
    assert found == expected
    assert len(found) == len({(name, step) for name, step, _ in found})


def test_ten_kills_at_random_moments_change_nothing(begun: Path, undisturbed: Path) -> None:
    chance = random.Random(0)
    for number, step in enumerate(sorted(chance.sample(range(75), 10))):  # far enough from the end, step 120
        command = Command(begun, *SWEEP)
        while command.running and steps_of(begun) < step:
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.2 if number in (0, 3, 6) else 0.03))
        assert command.running, command.said()
        os.kill(command.pid, signal.SIGKILL)
        assert command.end() == -signal.SIGKILL, command.said()
    assert_resumes(begun, undisturbed)


def steps_of(folder: Path) -> int:
    """Steps in the last checkpoint of the run in `folder`."""
    found = [load_checkpoint(path)["global_step"] for path in folder.glob(str(LAST))]
    return max(found, default=0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_has_the_run_write_a_checkpoint_before_it_ends(number: int, begun: Path, undisturbed: Path) -> None:
    command = Command(begun, *SWEEP, "trainer.checkpoint_minutes=0")
    command.wait_for(begun / LAST)
    os.kill(command.pid, number)
    assert command.end() == 130
    assert "interrupted; checkpoint after" in command.said()
    assert "Traceback" not in command.said()
    assert {run.info.status for run in runs_in(begun)[1]} == {"KILLED"}  # the sweep's too
    assert "sweep: interrupted; the same command resumes it, run " in command.said()
    assert "FAILED" not in command.said()
    assert_resumes(begun, undisturbed)


def test_a_signal_while_a_run_is_set_up_leaves_its_sweep_killed(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    command = Command(folder, "-m", "encoder=bag", "seed=0,1", *REVIEWS, *SMALL, program=ENDED_AT_ITS_SETUP)
    assert command.end() == 130, command.said()
    statuses = {"mlflow.parentRunId" in run.data.tags: run.info.status for run in runs_in(folder)[1]}
    assert statuses == {False: "KILLED", True: "FINISHED"}


def test_a_loss_that_is_no_number_ends_the_run_at_once(begun: Path) -> None:
    command = Command(begun, *SWEEP, "optimizer.learning_rate=1e38", "optimizer.gradient_clip_norm=1e38")
    assert command.end() == 1
    (line,) = [line for line in command.said().splitlines() if " failed: " in line]
    assert "the loss is " in line
    assert " of epoch 1, at learning rate " in line
    assert "Traceback" not in command.said()
    assert run_of(begun).info.status == "FAILED"
    again = Command(begun, *SWEEP, "optimizer.learning_rate=1e38", "optimizer.gradient_clip_norm=1e38")
    assert again.end() == 1
    assert run_of(begun).info.status == "FAILED"
    assert line.partition(" failed: ")[2] in again.said()
    assert "epoch 1 of" not in again.said()


def test_a_draw_whose_loss_is_no_number_is_the_worst_of_a_random_search_and_no_failure(begun: Path) -> None:
    search = (*SWEEP, "trainer.epochs=1", "optimizer.draw=0,1", "optimizer.draw_learning_rate=[1e-3,1e38]")
    for said in (
        "lstm, draw 0: diverged; it has no score",
        "runs are there; tracking.repeat=true trains them again",
    ):
        command = Command(begun, *search)
        assert command.end() == 0, command.said()
        assert said in command.said()
        assert "Traceback" not in command.said()
        runs = runs_in(begun)[1]
        assert sorted((run.info.status, run.data.params.get("optimizer.draw", "of all")) for run in runs) == [
            ("FAILED", "0"), ("FINISHED", "1"), ("FINISHED", "of all"),
        ]  # fmt: skip
    (diverged,) = [run for run in runs if run.info.status == "FAILED"]
    assert diverged.data.tags["sentiment_rnn.diverged"].startswith("the loss is ")
    chosen = Command(begun, *search[:-2], "++optimizer.draws={lstm:0}", search[-1], "seed=1")
    assert chosen.end() == 0, chosen.said()
    assert "lstm, draw 0: diverged; it has no score" in chosen.said()


def test_a_clock_that_jumps_back_breaks_nothing(begun: Path, undisturbed: Path) -> None:
    command = Command(begun, *SWEEP, backwards=True)
    assert command.end() == 0, command.said()
    assert rows(runs_in(begun)[0], run_of(begun)) == rows(runs_in(undisturbed)[0], run_of(undisturbed))
    seconds = runs_in(begun)[0].get_metric_history(run_of(begun).info.run_id, "train/epoch_seconds")
    assert [point.value > 0 for point in seconds] == [True] * 3


@pytest.fixture
def small_disk(begun: Path) -> Iterator[Path]:
    """The folder `begun` on a disk of 12 MB."""
    if os.geteuid() != 0:
        pytest.skip("only root mounts a small disk")
    data = begun.rename(begun.with_name("data"))
    begun.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(begun)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.decode().strip()}")
    shutil.copytree(data, begun, dirs_exist_ok=True)
    yield begun
    subprocess.run(["umount", "--lazy", str(begun)], check=True)


def fill(path: Path) -> None:
    """Write into a file until the disk is full."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass


def test_a_full_disk_is_one_line_and_the_run_resumes_once_there_is_space(small_disk: Path, undisturbed: Path) -> None:
    # Hydra's own log is on the disk as well, and a thread that records has nobody to raise to.
    command = Command(
        small_disk, *SWEEP, "tracking.system_metrics=true", "hydra/job_logging=default", "hydra.sweep.dir=log"
    )
    command.wait_for(small_disk / LAST)
    ballast = small_disk / "ballast"
    fill(ballast)
    filled = time.monotonic()
    assert command.end() == 1
    assert time.monotonic() - filled < 15, "it waits for nothing"
    lines = [line for line in command.said().splitlines() if "disk is full" in line or "No space left" in line]
    assert [line.partition("[ERROR] - ")[2].partition(":")[0][-7:] for line in lines[:1]] == [" failed"], command.said()
    assert [line.partition(" ")[0] for line in lines[-1:]] == ["error:"]
    assert len(lines) <= 3, "one more says that the end of the sweep is not recorded"
    assert "Traceback" not in command.said()
    ballast.unlink()
    assert_resumes(small_disk, undisturbed)


def test_a_reader_who_has_enough_of_the_lines_ends_no_run_and_sees_no_more(begun: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "sentiment_rnn", "train", *SWEEP],
        cwd=begun, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout
    assert process.stderr
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.wait()
    assert run_of(begun).info.status == "FINISHED"


def test_a_folder_of_checkpoints_that_cannot_be_written_is_one_line(begun: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root mounts a disk that can only be read")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        command = Command(begun, *SWEEP, f"tracking.checkpoints={disk}")
        assert command.end() == 1
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
    last = command.said().splitlines()[-1]
    assert last.startswith(f"error: tracking.checkpoints={disk}: cannot be written (Read-only file system); choose an")
    assert "Traceback" not in command.said()
