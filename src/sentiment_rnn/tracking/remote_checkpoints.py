"""Checkpoints as artifacts of their run on a tracking server, where another machine finds them.

checkpoints/0/last.ckpt, checkpoints/1/last.ckpt   written in turn, so that a copy that broke off spares the other
checkpoints/best.ckpt, checkpoints/epoch0.ckpt, …  as they are called in the run's folder
"""

import logging
import tempfile
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from mlflow.exceptions import MlflowException

from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.answers import no_answer, short_reason
from sentiment_rnn.tracking.checkpoint_files import LAST, PREVIOUS, folder_of, load_checkpoint
from sentiment_rnn.tracking.names import LAST_CHECKPOINT_TAG
from sentiment_rnn.tracking.store import Store

log = logging.getLogger("sentiment_rnn")

ARTIFACTS = "checkpoints"


class Upload:
    """Copies the checkpoints of one run to the server, in a thread of its own: training does not wait for it.

    Of files of one name that wait, the newest is copied. The last checkpoint follows the others: on the server
    it speaks of no best one that is not there, unless the server refuses that. What it refuses is a line. What it
    missed while it was away, which the run's outbox says, is tried again with the next file, and when the run ends.
    """

    def __init__(self, store: Store, run_id: str) -> None:
        self.store = store
        self.run_id = run_id
        self.slot = 1 - _newest_on_server(store, run_id)[0]  # spares the newest
        self.waiting: dict[str, tuple[Path, int]] = {}
        self.missed: dict[str, tuple[Path, int]] = {}
        self.lock = threading.Lock()
        self.thread = ThreadPoolExecutor(1)
        self.copying: Future[None] | None = None

    def add(self, path: Path, step: int) -> None:
        """Have a file copied.

        Args:
            step: steps of training that are in it.
        """
        self._queue({path.name: (path, step)})

    def finish(self) -> None:
        """Wait until everything is copied, or the server does not answer."""
        self.thread.submit(lambda: None).result()  # what is on its way
        self._queue({})  # what was missed
        self.thread.shutdown()
        if self.missed:
            folder = folder_of(self.store, self.run_id)
            log.info("run %s: not on the server: %s; kept in %s", self.run_id, ", ".join(sorted(self.missed)), folder)

    def _queue(self, files: dict[str, tuple[Path, int]]) -> None:
        """Have these files copied, and those that the server missed."""
        with self.lock:
            self.waiting = self.missed | self.waiting | files
            self.missed = {}
            if self.waiting and self.copying is None:
                self.copying = self.thread.submit(self._copy_all)

    def _copy_all(self) -> None:
        while True:
            with self.lock:
                if not self.waiting:
                    self.copying = None
                    return
                name = next((name for name in self.waiting if name != LAST), LAST)
                path, step = self.waiting.pop(name)
                if name == LAST and self.missed:
                    self.missed[name] = path, step
                    continue
            try:
                self._copy(path, step)
            except Exception as error:  # of whatever keeps the server's files; the next one is tried all the same
                if isinstance(error, MlflowException) and no_answer(error):
                    with self.lock:
                        if name not in self.waiting:  # a newer one
                            self.missed[name] = path, step
                    continue
                log.warning(
                    "run %s: %s could not be copied to the server (%s); it is kept in %s",
                    self.run_id, name, short_reason(error), path.parent,
                )  # fmt: skip

    def _copy(self, path: Path, step: int) -> None:
        client = self.store.client
        if path.name != LAST:
            client.log_artifact(self.run_id, str(path), ARTIFACTS)
            return
        client.log_artifact(self.run_id, str(path), f"{ARTIFACTS}/{self.slot}")
        client.set_tag(self.run_id, LAST_CHECKPOINT_TAG, f"{self.slot} {step}")
        self.slot = 1 - self.slot


def fetch_newer(store: Store, run_id: str) -> None:
    """Bring a run's folder up to date where the server has a later checkpoint, as after work on another machine."""
    slot, step = _newest_on_server(store, run_id)
    if step <= _step_in(folder_of(store, run_id) / LAST):
        return
    log.info("run %s: its checkpoint after %d steps is fetched from the server", run_id, step)
    _fetch(store, run_id, f"{1 - slot}/{LAST}", PREVIOUS)
    for name in _names_on_server(store, run_id):
        _fetch(store, run_id, name, name)
    if not _fetch(store, run_id, f"{slot}/{LAST}", LAST):
        log.warning("run %s: its last checkpoint cannot be fetched from the server", run_id)


def fetch_missing(store: Store, run_id: str, name: str) -> None:
    """Fetch a checkpoint that the run's folder lacks, where the server has it."""
    if not (folder_of(store, run_id) / name).exists():
        _fetch(store, run_id, name, name)


def _names_on_server(store: Store, run_id: str) -> list[str]:
    """Names of the checkpoints on the server, but for the last ones."""
    try:
        found = store.client.list_artifacts(run_id, ARTIFACTS)
    except (MlflowException, OSError):
        return []
    return [Path(each.path).name for each in found if not each.is_dir and each.path.endswith(".ckpt")]


def _newest_on_server(store: Store, run_id: str) -> tuple[int, int]:
    """Slot and step of the last checkpoint on the server; slot 1 and step -1 where there is none."""
    said = store.client.get_run(run_id).data.tags.get(LAST_CHECKPOINT_TAG, "")
    slot, _, step = said.partition(" ")
    return (int(slot), int(step)) if slot in ("0", "1") and step.isdecimal() else (1, -1)


def _step_in(path: Path) -> int:
    """Steps of training in a checkpoint; -1 where there is none that can be read."""
    try:
        return int(load_checkpoint(path).get("global_step", -1))
    except UserError:
        return -1


def _fetch(store: Store, run_id: str, artifact: str, name: str) -> bool:
    """Whether an artifact was there to be put into the run's folder as `name`."""
    folder = folder_of(store, run_id)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=folder) as fetched:
        try:
            path = Path(store.client.download_artifacts(run_id, f"{ARTIFACTS}/{artifact}", fetched))
        except (MlflowException, OSError):
            return False
        path.replace(folder / name)
    return True
