"""The way of all that a run records: what a run has to say is never waited for, and never lost.

With SQLite in a folder it is written at once. Only metrics wait there for each other, since a transaction takes as long
as some steps of a small model: for `METRICS_WAIT` seconds, or until something else is recorded, or `flush`.

What a server is to get is put into the run's journal first (`tracking.journal`), and a thread sends it: a server that
is slow, or away, holds nobody up. What is left at the end of the run is sent by `sentiment-rnn sync`, or by the next
run that records in the same folder.
"""

import logging
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from sentiment_rnn.tracking.answers import short_reason
from sentiment_rnn.tracking.deliveries import deliver, is_refusal
from sentiment_rnn.tracking.journal import MOST_METRICS, UNSENT, Entry, Journal
from sentiment_rnn.tracking.store import Store

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds between attempts to reach a server that is away: doubled after each."""
LAST_WAIT = 10.0
"""Seconds for which the end of a run waits for a server that was away when it came."""
METRICS_WAIT = 5.0
"""Seconds for which metrics wait for more of them before SQLite gets them in one transaction."""

Point = tuple[str, float, int, int]
"""Key, value, time [ms since 1970] and step of a metric."""


class Outbox:
    """What one run records, in order. No method raises what the store says; a full disk raises `OSError`."""

    def __init__(self, store: Store, run_id: str) -> None:
        """Raises `UserError` where another process sends what this run has left."""
        self.store = store
        self.run_id = run_id
        self._folder = store.directory / UNSENT / run_id
        self._lock = threading.Lock()
        self._something, self._closing = threading.Event(), threading.Event()
        self._sender: threading.Thread | None = None
        self._sent_last = self._closed = False
        self._away_since: float | None = None
        self._journal: Journal | None = None
        self._points: list[Point] = []
        """Buffered metrics."""
        self._written = time.monotonic()
        """When metrics were last written."""
        if store.remote or self._folder.exists():
            self._open_journal()

    def metrics(self, points: Sequence[Point]) -> None:
        """Metrics with their time and step."""
        with self._lock:
            self._points += points
            due = time.monotonic() - self._written >= METRICS_WAIT
            if self._journal is not None or due or len(self._points) >= MOST_METRICS:
                self._put_points()

    def flush(self) -> None:
        """Let no metrics wait any longer: before a checkpoint, since a resumed run does not measure them again."""
        with self._lock:
            self._put_points()

    def drop_metrics(self) -> None:
        """Forget the metrics that wait: another process has the run, and measures them itself."""
        with self._lock:
            self._points = []

    def tags(self, tags: Mapping[str, str]) -> None:
        """Tags, which replace those of the same names."""
        self._put({"kind": "tags", "tags": dict(tags)})

    def artifact(self, path: Path, folder: str | None = None) -> None:
        """A file, or what is in a folder, under `folder` of the run's artifacts."""
        self._put({"kind": "artifact", "folder": folder}, path)

    def text(self, text: str, name: str) -> None:
        """A text as the artifact `name`, `figures/table.md` say."""
        with tempfile.TemporaryDirectory() as temporary:
            path = Path(temporary, Path(name).name)
            path.write_text(text, encoding="utf-8")
            parent = Path(name).parent.as_posix()
            self.artifact(path, None if parent == "." else parent)

    def dataset(self, dataset: Mapping[str, str], context: str) -> None:
        """The fields of MLflow's `Dataset`, and what it was used for."""
        self._put({"kind": "dataset", "dataset": dict(dataset), "context": context})

    def model(self, package: Path, tags: Mapping[str, str]) -> None:
        """A packaged model, as `tracking.models.log_model` takes it."""
        self._put({"kind": "model", "tags": dict(tags)}, package)

    def end(self, status: str) -> None:
        """End the run, as `FINISHED`, `FAILED` or `KILLED`; what comes behind this is recorded all the same."""
        self._put({"kind": "end", "status": status, "time": milliseconds()})

    def close(self) -> None:
        """Send what waits, and say what could not be sent; no server is waited for longer than `LAST_WAIT` seconds."""
        self.flush()
        if self._journal is None:
            return
        self._closing.set()
        self._something.set()
        ending = time.monotonic()
        while self._sender and self._sender.is_alive():
            self._sender.join(0.2)
            if self._away_since and time.monotonic() > ending + LAST_WAIT:
                break
        left, refused = self._journal.count(), self._journal.refusals
        if left:
            self._journal.flush()
            log.warning(
                "run %s: %d entries are not on %s yet; they are kept in %s, and sent by: sentiment-rnn sync --store %s",
                self.run_id, left, self.store.uri, self._folder, self.store.directory,
            )  # fmt: skip
        if refused.exists():
            log.warning("run %s: %s refuses what is in %s", self.run_id, self.store.uri, refused)
        with self._lock:
            if self._sender is None or self._sent_last:
                self._journal.close()
            self._closed = True

    def _put(self, entry: Entry, path: Path | None = None) -> None:
        with self._lock:
            self._put_points()
            self._put_now(entry, path)

    def _put_points(self) -> None:
        points, self._points = self._points, []
        self._written = time.monotonic()
        for start in range(0, len(points), MOST_METRICS):
            self._put_now({"kind": "metrics", "metrics": [list(p) for p in points[start : start + MOST_METRICS]]})

    def _put_now(self, entry: Entry, path: Path | None = None) -> None:
        if self._journal is None:
            try:
                deliver(self.store, self.run_id, entry, path)
                return
            except Exception as error:
                self._open_journal()  # on a full disk it cannot be begun, and the run ends
                log.warning(
                    "%s: cannot be written (%s); what the run records is kept in %s and written again later",
                    self.store.uri, short_reason(error), self._folder,
                )  # fmt: skip
        assert self._journal
        self._journal.append(entry, path)
        if self._sender is None:
            self._sender = threading.Thread(target=self._work, name=f"outbox {self.run_id}", daemon=True)
            self._sender.start()
        self._something.set()

    def _open_journal(self) -> None:
        store = self.store
        described = {
            "uri": store.uri, "experiment": store.experiment, "experiment_id": store.experiment_id,
            "run": self.run_id,
        }  # fmt: skip
        self._journal = Journal(self._folder, described, patience=20)

    def _work(self) -> None:
        self._send()
        with self._lock:
            self._sent_last = True
            if self._closed and self._journal:  # nobody waited for the last attempt
                self._journal.close()

    def _send(self) -> None:
        """Send until the run has ended and nothing waits, or the last attempt failed."""
        assert self._journal
        pause = FIRST_PAUSE
        while True:
            self._something.clear()
            last = self._closing.is_set()  # in this order, or the end could be missed
            try:
                if not send_next(self._journal, self.store, self.run_id):
                    if last:
                        return
                    self._something.wait()
                    continue
            except Exception as error:
                self._note_away(error)
                self._journal.flush()
                if last:
                    return
                self._closing.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                pause = FIRST_PAUSE
                if self._away_since:
                    log.info("%s: answers again; sending what waited", self.store.uri)
                    self._away_since = None

    def _note_away(self, error: Exception) -> None:
        if self._away_since is None:
            self._away_since = time.monotonic()
            log.warning(
                "%s: cannot be reached (%s); training goes on, and what it records is kept in %s",
                self.store.uri, short_reason(error), self._folder,
            )  # fmt: skip


def send_next(journal: Journal, store: Store, run_id: str) -> bool:
    """Send what waits longest; False where nothing waits. Raises what keeps the store from taking it now."""
    waiting = journal.next()
    if waiting is None:
        return False
    try:
        if waiting.path and not waiting.path.exists():  # dropped when it was delivered, which was noted in vain
            journal.delivered(waiting)
            return True
        deliver(store, run_id, waiting.entry, waiting.path)
    except Exception as error:
        if not is_refusal(error):
            raise
        log.warning("run %s: %s refuses an entry (%s)", run_id, store.uri, short_reason(error))
        journal.refused(waiting, short_reason(error))
    else:
        journal.delivered(waiting)
    return True


def milliseconds() -> int:
    """Now, as MLflow has it: since 1970."""
    return int(time.time() * 1000)
