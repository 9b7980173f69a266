"""The project's commands in processes of their own, as a person runs them."""

import os
import re
import subprocess
import sys
from pathlib import Path

LIBRARY_WARNING = re.compile(r"\w+Warning: |^W\d{4} |nanobind: leaked", re.MULTILINE)
"""Python's warnings, torch's log lines of that level, and what triton prints when Python exits."""


def environment() -> dict[str, str]:
    """This environment without another store or a GPU in it, one thread per process."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
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
