"""Signals, a full disk, a store that can only be read, a clock that jumps, a loss that is no number: the user reads one
line, and the same command ends like an undisturbed one."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from mlflow.entities import Run

from forked_commands import Command
from processes import training_that
from sentiment_rnn.tracking.names import IDENTITY_TAG
from short_runs import LSTM, SMALL, assert_equal_states
from stored_runs import rows, runs_in

pytestmark = pytest.mark.slow

SWEEP = (
    "-m", *LSTM, *SMALL, "trainer.epochs=3", "data.train_reviews=500", "data.batch_size=10",
    "trainer.checkpoint_minutes=0.0003", "study=faults", "hydra.run.dir=/tmp", "hydra.output_subdir=null",
    "hydra/job_logging=stdout",
)  # fmt: skip
"""A sweep of one job, of 120 steps and a checkpoint every few of them."""
SINGLE = SWEEP[1:]
LAST = Path("runs/checkpoints/*/last.ckpt")


def killed(what: str, before: bool) -> str:
    """A program: `train`, which is killed before or after it does something for the first time.

    Args:
        what: a method of a class in `sentiment_rnn.tracking`, `run.TrackedRun.send` say.
    """
    module, cls, name = what.split(".")
    return f"""
import os, signal, sys
from sentiment_rnn.cli.main import main
from sentiment_rnn.tracking.{module} import {cls}

act = {cls}.{name}

def act_and_die(*given, **named):
    if not {before}:
        act(*given, **named)
    os.kill(os.getpid(), signal.SIGKILL)

{cls}.{name} = act_and_die
sys.argv = ["sentiment-rnn", "train", *sys.argv[1:]]
main()
"""


def run_of(folder: Path) -> Run:
    """The one run of a job in `folder`."""
    (run,) = [run for run in runs_in(folder)[1] if IDENTITY_TAG in run.data.tags]
    return run


def best_state(folder: Path) -> dict[str, object]:
    """The weights that were tested."""
    (path,) = folder.glob("runs/checkpoints/*/best.ckpt")
    state: dict[str, object] = torch.load(path, weights_only=True)["state_dict"]
    return state


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


def assert_resumes(folder: Path, undisturbed: Path, given: tuple[str, ...] = SWEEP) -> None:
    """The same command finishes the run: with the same weights, and each metric once at each step."""
    command = Command(folder, *given)
    assert command.end() == 0, command.said()
    assert run_of(folder).info.status == "FINISHED"
    assert_equal_states(best_state(folder), best_state(undisturbed))
    found, expected = (rows(runs_in(place)[0], run_of(place)) for place in (folder, undisturbed))
    assert found == expected
    assert len(found) == len({(name, step) for name, step, _ in found})


@pytest.mark.parametrize(
    ("given", "number"), [(SWEEP, signal.SIGTERM), (SINGLE, signal.SIGINT)], ids=["sweep", "single run"]
)
def test_a_signal_has_the_run_write_a_checkpoint_before_it_ends(
    given: tuple[str, ...], number: int, begun: Path, undisturbed: Path
) -> None:
    command = Command(begun, *given, "trainer.checkpoint_minutes=0")
    command.wait_for(begun / LAST)
    os.kill(command.pid, number)
    assert command.end() == 130
    assert "the same command resumes" in command.said()
    assert not re.search("Traceback|FAILED", command.said())
    assert {run.info.status for run in runs_in(begun)[1]} == {"KILLED"}  # the sweep's too
    assert_resumes(begun, undisturbed, given)


@pytest.mark.parametrize(
    ("what", "before"),
    [
        ("run.TrackedRun.send", True),  # a checkpoint is written, and its points are not sent
        ("delivery.Delivery._send_values", False),  # a part of the end is sent
        ("delivery.Delivery.finish", False),  # the run is FINISHED, and its last checkpoint there
    ],
)
def test_a_kill_between_two_steps_of_recording_changes_nothing(
    what: str, before: bool, begun: Path, undisturbed: Path
) -> None:
    command = Command(begun, *SINGLE, program=killed(what, before))
    assert command.end() == -signal.SIGKILL, command.said()
    assert_resumes(begun, undisturbed, SINGLE)
    assert not [*begun.glob(str(LAST))]


def test_a_clock_that_jumps_back_while_a_run_trains_changes_nothing(begun: Path, undisturbed: Path) -> None:
    jump = f"import time; clock = time.time; time.time = lambda: clock() - {4 * 86_400}"
    command = Command(begun, *SWEEP, program=training_that(jump, epoch=1).replace(
        "    start(self", "    if trainer.current_epoch == 2: os.kill(os.getpid(), signal.SIGKILL)\n    start(self"
    ))  # fmt: skip
    assert command.end() == -signal.SIGKILL, command.said()
    assert_resumes(begun, undisturbed)


def test_a_loss_that_is_no_number_ends_the_run_at_once_and_is_settled_for_its_sweep(begun: Path) -> None:
    given = (*SWEEP, "optimizer.learning_rate=1000", "optimizer.weight_decay=1e6")
    command = Command(begun, *given)
    assert command.end() == 1
    (line,) = [line for line in command.said().splitlines() if " failed: the loss is " in line]
    assert "Traceback" not in command.said()
    again = Command(begun, *given)
    assert again.end() == 1
    assert run_of(begun).info.status == "FAILED"
    assert line.partition(" failed: ")[2] in again.said()
    assert "epoch 1 of" not in again.said(), "nothing is trained"


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
    assert [line.partition(" ")[0] for line in lines[-1:]] == ["error:"], command.said()
    assert len(lines) <= 4, command.said()  # the failure, run and sweep that the store has as running, the last line
    assert "Traceback" not in command.said()
    ballast.unlink()
    assert_resumes(small_disk, undisturbed)


def test_a_store_that_can_only_be_read_is_one_line_and_the_run_resumes_once_it_can_be_written(
    small_disk: Path, undisturbed: Path
) -> None:
    def mount(how: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{how}", str(small_disk)], check=True)

    command = Command(small_disk, *SWEEP)
    command.wait_for(small_disk / LAST)
    os.kill(command.pid, signal.SIGTERM)
    assert command.end() == 130
    mount("ro")
    refused = Command(small_disk, *SWEEP)
    assert refused.end() == 1
    lines = refused.said().splitlines()
    mount("rw")
    assert lines[-1].startswith("error: ")
    assert "Read-only file system" in lines[-1] or "it can only be read" in lines[-1]
    assert "Traceback" not in refused.said()
    assert_resumes(small_disk, undisturbed)
