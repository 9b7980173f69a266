"""The parent run of a sweep: opened, or resumed, by one process at a time."""

import atexit
import logging
from pathlib import Path

from filelock import FileLock, Timeout
from mlflow.entities import RunStatus

from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.names import JOBS, STUDY_TAG, SWEEP_TAG
from sentiment_rnn.tracking.origin import origin_tags
from sentiment_rnn.tracking.store import Store, where_to_look

log = logging.getLogger("sentiment_rnn")


def lock_sweep(store: Store, study: str, digest: str) -> None:
    """Keep a second process on this machine from resuming a sweep that is running; the system releases the lock
    when this process ends, however it ends."""
    lock = FileLock(_lock_path(store, digest))
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise UserError(f"study={study}: this very sweep is running; wait for it, or name another study") from error
    atexit.register(lock.release)  # and keeps it until then; the callback cannot, since jobs get a copy of it


def is_locked(store: Store, digest: str) -> bool | None:
    """Whether a process on this machine works on a sweep; None where none of this machine ever did."""
    path = _lock_path(store, digest)
    if not path.exists():
        return None
    try:
        with FileLock(path).acquire(timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # a folder that this process may not write
        return None


def _lock_path(store: Store, digest: str) -> Path:
    return store.directory / f".sweep-{digest}.lock"


def open_parent(store: Store, study: str, digest: str, jobs: list[list[str]], repeat: bool) -> str:
    """Id of the sweep's parent run: the last one of the same jobs where it did not finish or is not to be repeated, or
    else a new one."""
    earlier = store.client.search_runs(
        [store.experiment_id], f"tags.`{SWEEP_TAG}` = '{digest}'", order_by=["start_time DESC"], max_results=1
    )
    finished = bool(earlier) and earlier[0].info.status == RunStatus.to_string(RunStatus.FINISHED)
    if earlier and not (finished and repeat):
        store.client.update_run(earlier[0].info.run_id, status=RunStatus.to_string(RunStatus.RUNNING))
        log.info("sweep %s: %s", study, "finished before, and not repeated" if finished else "resumed")
        return str(earlier[0].info.run_id)
    tags = {SWEEP_TAG: digest, STUDY_TAG: study, "mlflow.note.content": f"{len(jobs)} runs", **origin_tags()}
    parent = store.client.create_run(store.experiment_id, run_name=study, tags=tags)
    store.client.log_dict(parent.info.run_id, {"jobs": jobs}, JOBS)
    return str(parent.info.run_id)


def close_parent(store: Store, run_id: str, finished: bool) -> None:
    """End a parent run, as FINISHED or FAILED, and say where its runs can be seen."""
    status = RunStatus.to_string(RunStatus.FINISHED if finished else RunStatus.FAILED)
    store.client.set_terminated(run_id, status)
    name = store.client.get_run(run_id).info.run_name
    log.info("sweep %s: %s, run %s; %s", name, status, run_id, where_to_look(store))
