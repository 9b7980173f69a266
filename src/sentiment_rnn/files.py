"""Atomic writing of files, and file locks that log which process they wait for."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
import psutil

SILENT_SECONDS = 5.0
"""How long a command waits before it logs a message."""
log = logging.getLogger("sentiment_rnn")


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Write a file atomically, by `replacement_of`."""
    with replacement_of(path) as partial:
        partial.write_bytes(content)


@contextmanager
def replacement_of(path: Path) -> Iterator[Path]:
    """Path of a temporary file that replaces `path` when the block ends. A kill or a power cut leaves either the old or
    the new file, never a part of one. An error leaves the old file."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


class FileLock(filelock.FileLock):
    """A lock that one process at a time holds. Others wait for it without a limit, and log that they wait."""

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
    """The process that holds a lock. Linux lists it as `1: FLOCK ADVISORY WRITE <process> <device>:<inode> 0 EOF`."""
    try:
        inode, lines = str(path.stat().st_ino), Path("/proc/locks").read_text().splitlines()
        locks = [line.split() for line in lines]
        process = psutil.Process(next(int(lock[4]) for lock in locks if lock[5].rpartition(":")[2] == inode))
        return f"process {process.pid} ({process.name()}, {process.status()})"
    except (OSError, StopIteration, ValueError, IndexError, psutil.Error):  # on another system or in another container
        return "another process"
