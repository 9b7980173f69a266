"""The project's commands in processes of their own, as a person runs them."""

import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Ask = Callable[..., "subprocess.CompletedProcess[str]"]
"""The fixture `ask`: a command's name, its folder and arguments, and its `status` to what it printed."""
Refused = Callable[..., str]
"""The fixture `refused`: a folder, arguments and the `command` to its one line of error."""
LIBRARY_WARNING = re.compile(r"\w+Warning: |^W\d{4} |nanobind: leaked", re.MULTILINE)
"""Python's warnings, torch's log lines of that level, and what triton prints when Python exits."""


def environment() -> dict[str, str]:
    """This environment without another store, a GPU or the settings of a make that runs the tests, one thread per
    process."""
    others = ("MLFLOW_", "MAKE", "MFLAGS", "ARGS")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    return kept | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


def run_command(
    name: str, folder: Path, *arguments: str, stdin: str | bytes = "", status: int | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command of the project in `folder`, to its end; expect its exit status, where one is given.

    No library's warning may reach the terminal of a command that goes well.
    """
    done = subprocess.run(
        [sys.executable, "-m", "sentiment_rnn", name, *arguments],
        cwd=folder, capture_output=True, timeout=280, env=environment(),
        input=stdin.encode() if isinstance(stdin, str) else stdin,
    )  # fmt: skip
    assert status in (None, done.returncode), done.stdout.decode() + done.stderr.decode()
    if done.returncode == 0:
        assert not LIBRARY_WARNING.search(done.stderr.decode()), done.stderr.decode()
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def run_python(
    code: str, *arguments: str, folder: Path | None = None, **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Run code in a fresh interpreter, without OpenMP's settings but those given."""
    kept = {name: value for name, value in environment().items() if not name.startswith(("OMP_", "GOMP_"))}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder, env=kept | variables, capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return int(tried.getsockname()[1])


def wait_for(look: Callable[[], object], seconds: float = 200) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def wait_for_answer(address: str, process: "subprocess.Popen[Any]", seconds: float = 120) -> None:
    """Wait until a server answers, or asks who we are; its output is in the error where it ends before that."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(address, timeout=5).read()
            return
        except OSError as error:  # of urllib too
            if isinstance(error, urllib.error.HTTPError) and error.code == 401:
                return
            assert process.poll() is None, process.stdout.read() if process.stdout else f"{address}: ended"
            time.sleep(0.2)
    raise TimeoutError(f"{address} does not answer")


@contextmanager
def served(started: list[str], folder: Path, address: str) -> Iterator[None]:
    """A server in a process group of its own, from its first answer at `address` until the block ends."""
    uri = {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/runs/mlflow.db"} if "mlflow" in started else {}
    # MLflow starts its server through a shell, which has to find this environment's programs.
    path = os.pathsep.join([str(Path(started[0]).parent), str(Path(sys.executable).parent), os.environ["PATH"]])
    process = subprocess.Popen(
        started, cwd=folder, env=environment() | uri | {"PATH": path}, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        wait_for_answer(address, process)
        yield
    finally:
        os.killpg(process.pid, 15)
        process.wait(30)


def training_that(deed: str, epoch: int) -> str:
    """A program: `sentiment-rnn train`, which does something when an epoch starts.

    Args:
        deed: an expression; `os` and `signal` are imported.
        epoch: counted from 0.
    """
    return f"""
import os, signal, sys
from sentiment_rnn.cli.main import main
from sentiment_rnn.engine import train as engine

start = engine.EpochTimer.on_train_epoch_start

def act_and_start(self, trainer, module):
    if trainer.current_epoch == {epoch}:
        {deed}
    start(self, trainer, module)

engine.EpochTimer.on_train_epoch_start = act_and_start
sys.argv = ["sentiment-rnn", "train", *sys.argv[1:]]
main()
"""
