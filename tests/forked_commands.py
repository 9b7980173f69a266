"""The command line in processes of its own that need not import anything first: a test can start it a dozen times."""

import multiprocessing
import os
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path

from processes import wait_for

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload([
    "sentiment_rnn.cli.train", "sentiment_rnn.engine.train", "sentiment_rnn.tasks.reviews",
    "mlflow.store.tracking.sqlalchemy_store",
])  # fmt: skip
PLAIN = """
import sys
from sentiment_rnn.cli.main import main
sys.argv = ["sentiment-rnn", "train", *sys.argv[1:]]
main()
"""


class Command:
    """`sentiment-rnn train`, running in `folder`.

    Args:
        program: that of `training_that`, instead of the plain command.
    """

    def __init__(self, folder: Path, *overrides: str, program: str = PLAIN) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.output = folder.parent / f"{folder.name}.output"
        arguments = (str(folder), str(self.output), overrides, program)
        self.process: BaseProcess = _SERVER.Process(target=_train, args=arguments)
        self.process.start()

    @property
    def pid(self) -> int:
        """The process."""
        assert self.process.pid
        return self.process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.process.is_alive()

    def wait_for(self, path: Path) -> None:
        """Wait for a file that matches: `path` may hold asterisks in its name or its folder's."""
        wait_for(lambda: [*path.parent.parent.glob(f"{path.parent.name}/{path.name}")] or not self.running)
        assert self.running, self.said()

    def end(self, timeout: float = 250) -> int:
        """Wait for its end; its exit status, the negative number of the signal that killed it."""
        self.process.join(timeout)
        assert self.process.exitcode is not None, self.said()
        return self.process.exitcode

    def said(self) -> str:
        """All that it has printed."""
        return self.output.read_text()


def _train(folder: str, output: str, overrides: tuple[str, ...], program: str) -> None:
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(file, stream)
    os.chdir(folder)
    sys.argv[1:] = overrides
    exec(program, {})
