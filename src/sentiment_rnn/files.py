"""Files that are written whole or not at all, and locks on files that say for whom they wait."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
import psutil

SILENT_SECONDS = 5.0
"""Time for which a command waits without a message."""
log = logging.getLogger("sentiment_rnn")


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Write a file as `replacement_of` has it."""
    with replacement_of(path) as partial:
        partial.write_bytes(content)


@contextmanager
def replacement_of(path: Path) -> Iterator[Path]:
    """Path of a file that replaces `path` when the block ends. A kill or a power cut leaves the old file or the new
    one, never a part of either. An error leaves the old file."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


class FileLock(filelock.FileLock):
    """A lock that one process at a time has. Another waits for it, however long, and says so."""

    def acquire(self, timeout: float | None = None, *given: Any, **named: Any) -> Any:
        """Take the lock; raises `filelock.Timeout` only where a timeout is given."""
        if timeout is not None:
            return super().acquire(timeout, *given, **named)
        try:
            return super().acquire(SILENT_SECONDS, *given, **named)
        except filelock.Timeout:
            path = Path(self.lock_file).absolute()
            log.warning("waiting for %s, which %s holds", path, _holder(path))
            return super().acquire(-1, *given, **named)


def _holder(path: Path) -> str:
    """The process that has a lock, as Linux lists it: `1: FLOCK ADVISORY WRITE <process> <device>:<inode> 0 EOF`."""
    try:
        inode, lines = str(path.stat().st_ino), Path("/proc/locks").read_text().splitlines()
        locks = [line.split() for line in lines]
        process = psutil.Process(next(int(lock[4]) for lock in locks if lock[5].rpartition(":")[2] == inode))
        return f"process {process.pid} ({process.name()}, {process.status()})"
    except (OSError, StopIteration, ValueError, IndexError, psutil.Error):  # of another system, or another container
        return "another process"
