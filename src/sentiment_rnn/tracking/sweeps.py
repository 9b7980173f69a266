"""The parent run of a sweep: opened, or resumed, by one process at a time."""

import atexit
import logging

from filelock import FileLock, Timeout
from mlflow.entities import RunStatus

from sentiment_rnn.config.tracking import TrackingConfig
from sentiment_rnn.errors import UserError
from sentiment_rnn.masking import masked
from sentiment_rnn.tracking.answers import store_errors
from sentiment_rnn.tracking.lease import HeldError, Lease
from sentiment_rnn.tracking.names import JOBS, STUDY_TAG, SWEEP_TAG
from sentiment_rnn.tracking.origin import origin_tags
from sentiment_rnn.tracking.outbox import Outbox
from sentiment_rnn.tracking.store import Store, where_to_look
from sentiment_rnn.tracking.sync import send_left

log = logging.getLogger("sentiment_rnn")


def lock_sweep(store: Store, study: str, digest: str) -> None:
    """Keep a second process on this machine from resuming a sweep that is running; the system releases the lock
    when this process ends, however it ends."""
    lock = FileLock(store.directory / f".sweep-{digest}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise UserError(f"study={study}: this very sweep is running; wait for it, or name another study") from error
    atexit.register(lock.release)  # and keeps it until then; the callback cannot, since jobs get a copy of it


def open_parent(store: Store, config: TrackingConfig, study: str, digest: str, jobs: list[list[str]]) -> Lease:
    """The lease on a sweep's parent run: the last one of the same jobs where it did not finish or is not to be
    repeated, or else a new one.

    Raises:
        UserError: another process, on another machine maybe, runs this sweep.
    """
    send_left(store)  # the end of the earlier sweep, maybe
    with store_errors(store.uri, store.experiment, "EDIT"):
        return _open_parent(store, config, study, digest, jobs)


def _open_parent(store: Store, config: TrackingConfig, study: str, digest: str, jobs: list[list[str]]) -> Lease:
    earlier = store.client.search_runs(
        [store.experiment_id], f"tags.`{SWEEP_TAG}` = '{digest}'", order_by=["start_time DESC"], max_results=1
    )
    finished = bool(earlier) and earlier[0].info.status == RunStatus.to_string(RunStatus.FINISHED)
    if earlier and not (finished and config.repeat):
        try:
            lease = Lease(store, earlier[0].info.run_id, config).acquire(wait=False)
        except HeldError as held:
            raise UserError(
                f"study={study}: {held.owner} runs this very sweep; wait for it, or name another study"
            ) from held
        store.client.update_run(lease.run_id, status=RunStatus.to_string(RunStatus.RUNNING))
        log.info("sweep %s: %s", study, "finished before, and not repeated" if finished else "resumed")
        return lease
    tags = {SWEEP_TAG: digest, STUDY_TAG: masked(study), "mlflow.note.content": f"{len(jobs)} runs", **origin_tags()}
    parent = store.client.create_run(store.experiment_id, run_name=masked(study), tags=tags)
    shown = [[masked(override) for override in job] for job in jobs]
    store.client.log_dict(parent.info.run_id, {"jobs": shown}, JOBS)
    return Lease(store, parent.info.run_id, config).acquire(wait=False)


def close_parent(lease: Lease, finished: bool) -> None:
    """End a parent run, as FINISHED or FAILED, and say where its runs can be seen; or that its end is not recorded."""
    status = RunStatus.to_string(RunStatus.FINISHED if finished else RunStatus.FAILED)
    try:
        with lease:
            lease.check()
            outbox = Outbox(lease.store, lease.run_id)
            outbox.end(status)
            outbox.close()
    except (OSError, UserError) as error:  # a full disk; another process
        log.warning("sweep: %s, but run %s does not say so (%s)", status, lease.run_id, error)
        return
    log.info("sweep: %s, run %s; %s", status, lease.run_id, where_to_look(lease.store))
