"""The project's commands in processes of their own, as a person runs them."""

import os
import subprocess
import sys
from pathlib import Path


def environment() -> dict[str, str]:
    """This environment without another store in it, one thread a process."""
    return {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")} | {"OMP_NUM_THREADS": "1"}


def run_command(
    name: str, folder: Path, *arguments: str, stdin: str | bytes = "", status: int | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command of the project in `folder`, to its end; expect its exit status, where one is given."""
    done = subprocess.run(
        [sys.executable, "-m", f"sentiment_rnn.{name}", *arguments],
        cwd=folder, capture_output=True, timeout=280, env=environment(),
        input=stdin.encode() if isinstance(stdin, str) else stdin,
    )  # fmt: skip
    assert status in (None, done.returncode), done.stdout.decode() + done.stderr.decode()
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())
