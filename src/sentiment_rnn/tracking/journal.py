"""What a run has recorded and its store has not got yet, in order, in a folder of the run's own.

`unsent/<run id>/` has the entries, one JSON object per line; the first line says which run of which server it is.
Beside them are copies of their files, and how many bytes of the entries have been delivered. Lines are only ever
added. So a process that is killed leaves whole entries and at most a part of one, which is passed over.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from sentiment_rnn.errors import UserError

UNSENT = "unsent"
"""Folder in `tracking.directory`."""
MOST_METRICS = 1000
"""Metrics that MLflow takes in one request."""

Entry = dict[str, Any]
"""`kind`, and what that kind of entry has; `file` is the place of its file in the journal's folder."""


class Waiting(NamedTuple):
    """What is delivered next."""

    entry: Entry
    end: int
    """Bytes of the journal that are delivered when this is."""
    path: Path | None
    """The file or the folder that goes with it."""


class Journal:
    """The entries of one run; one process has it at a time.

    Raises:
        UserError: another process has it.
    """

    def __init__(self, folder: Path, described: Entry | None = None, patience: float = 0) -> None:
        """Open what is there, or, with `described` (its first line), begin it.

        Args:
            patience: seconds to wait for another process that has it.
        """
        self.folder = folder
        self.entries = folder / "journal.jsonl"
        self.refusals = folder / "refused.jsonl"
        self._delivered = folder / "delivered"
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(folder / "lock", thread_local=False)
        try:
            self._lock.acquire(timeout=patience)
        except Timeout as error:
            raise UserError(f"{folder}: another process is sending this run; wait for it") from error
        with contextlib.ExitStack() as undone:  # a full disk leaves no lock behind
            undone.callback(self._lock.release)
            self._file = undone.enter_context(self.entries.open("ab"))
            self._end_partial_line()
            if self.entries.stat().st_size == 0:
                self._add(described or {})
            with self.entries.open("rb") as file:
                first = file.readline()
            self.described = described or _entry_in(first) or {}
            self._sent = max(len(first), self._read_delivered())
            undone.pop_all()

    def append(self, entry: Entry, path: Path | None = None) -> None:
        """Add an entry, and a copy of its file or folder: it is in the hands of the system when this returns."""
        if path is not None:
            place = self.folder / "files" / str(self._file.tell())
            shutil.rmtree(place, ignore_errors=True)  # of a process that was killed before it added the entry
            place.mkdir(parents=True)
            if path.is_dir():
                shutil.copytree(path, place / path.name)
            else:
                shutil.copyfile(path, place / path.name)
            entry = {**entry, "file": (place / path.name).relative_to(self.folder).as_posix()}
        self._add(entry)

    def flush(self) -> None:
        """Have the system put what was added on the disk."""
        os.fsync(self._file.fileno())

    def next(self) -> Waiting | None:
        """What waits longest, metrics that follow each other as one entry; None where nothing waits."""
        found: Waiting | None = None
        for entry, end in self._lines(self._sent):
            if found and not (
                entry["kind"] == found.entry["kind"] == "metrics"
                and len(found.entry["metrics"]) + len(entry["metrics"]) <= MOST_METRICS
            ):
                break
            if found:
                entry = {**entry, "metrics": found.entry["metrics"] + entry["metrics"]}
            found = Waiting(entry, end, self.folder / entry["file"] if "file" in entry else None)
        return found

    def delivered(self, waiting: Waiting) -> None:
        """Note that it was delivered, and drop its file."""
        temporary = self._delivered.with_suffix(".new")
        temporary.write_text(str(waiting.end))
        temporary.replace(self._delivered)
        self._sent = waiting.end
        if waiting.path:
            shutil.rmtree(waiting.path.parent, ignore_errors=True)

    def refused(self, waiting: Waiting, reason: str) -> None:
        """Put it aside, with its file: the store will never take it, and what comes behind must not wait for it."""
        with self.refusals.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"reason": reason, **waiting.entry}) + "\n")
        self.delivered(Waiting(waiting.entry, waiting.end, None))

    def count(self) -> int:
        """Entries that wait."""
        return sum(1 for _ in self._lines(self._sent))

    def close(self) -> None:
        """Let others have it; the folder goes where nothing is left in it."""
        try:
            self._file.close()  # which writes what a full disk has not taken yet
            if not self.count() and not self.refusals.exists():
                shutil.rmtree(self.folder, ignore_errors=True)
                with contextlib.suppress(OSError):  # where other runs have something
                    self.folder.parent.rmdir()
        finally:
            self._lock.release()

    def _add(self, entry: Entry) -> None:
        self._file.write(json.dumps(entry).encode() + b"\n")
        self._file.flush()

    def _lines(self, start: int) -> Iterator[tuple[Entry, int]]:
        """Whole entries from a byte on, and where each ends."""
        if not self.entries.exists():
            return
        with self.entries.open("rb") as file:
            file.seek(start)
            for line in file:
                start += len(line)
                if not line.endswith(b"\n"):
                    return  # it is being written
                if entry := _entry_in(line):  # else the part of one, at which a process was killed
                    yield entry, start

    def _end_partial_line(self) -> None:
        size = self.entries.stat().st_size
        if size:
            with self.entries.open("rb") as file:
                file.seek(size - 1)
                if file.read() != b"\n":
                    self._file.write(b"\n")
                    self._file.flush()

    def _read_delivered(self) -> int:
        with contextlib.suppress(OSError, ValueError):
            return int(self._delivered.read_text())
        return 0


def _entry_in(line: bytes) -> Entry | None:
    with contextlib.suppress(ValueError):
        entry = json.loads(line)
        return entry if isinstance(entry, dict) else None
    return None


def journals(directory: Path) -> list[Path]:
    """Folders of the runs in `directory`, a `tracking.directory`, of which something is unsent."""
    return sorted(path.parent for path in (directory / UNSENT).glob("*/journal.jsonl"))
