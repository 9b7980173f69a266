"""The project's commands in this process, where they take no five seconds to start."""

import gc
import io
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
import torch
from hydra.core.global_hydra import GlobalHydra

from sentiment_rnn.cli.main import main


def ask(name: str, folder: Path, *arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a command in `folder` and expect its exit status. An error that is not the user's is raised, with which
    Python ends a process with status 1."""
    out, error = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    left: str | int | None = None
    with owned_process(), pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(error):
        patch.chdir(folder)
        patch.setattr("sys.argv", ["sentiment-rnn", name, *arguments])
        GlobalHydra.instance().clear()
        try:
            main()
        except SystemExit as leaving:
            left = leaving.code
    said, line = (stream.buffer.getvalue().decode() for stream in (out, error))  # type: ignore[attr-defined]
    found, line = (1, f"{line}{left}\n") if isinstance(left, str) else (left or 0, line)
    assert found == status, line
    return subprocess.CompletedProcess(name, found, said, line)


@contextmanager
def owned_process() -> Iterator[None]:
    """What a command sets in its process is for it alone."""
    threads, variables, thresholds = torch.get_num_threads(), os.environ.copy(), gc.get_threshold()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        gc.set_threshold(*thresholds)
        os.environ.clear()
        os.environ.update(variables)
