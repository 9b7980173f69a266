"""The run of an identity: found, resumed or made, by one process at a time; and what becomes of it in the end."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress

from mlflow.entities import Run
from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

from sentiment_rnn.tracking.checkpoints import CheckpointFolder
from sentiment_rnn.tracking.description import Description
from sentiment_rnn.tracking.names import (
    DIVERGED_TAG,
    ERROR_TAG,
    FOLDER_TAG,
    NOTE_TAG,
    PARENT_TAG,
    PRUNED_TAG,
    STUDY_TAG,
)
from sentiment_rnn.tracking.results import KILLED, RUNNING, RecordedRun, runs_of
from sentiment_rnn.tracking.run import PATIENCE, DivergedError, PrunedError, TrackedRun
from sentiment_rnn.tracking.store import Store
from sentiment_rnn.tracking.store_errors import (
    NO_SERVER,
    STORE_ERRORS,
    NotRecordedError,
    quick_answers,
    store_errors,
    until_answered,
)
from sentiment_rnn.tracking.sweeps import join_sweep

log = logging.getLogger("sentiment_rnn")

MONITOR_SECONDS = 5
"""Between two samples of the use of processor and memory."""


@contextmanager
def tracked_run(store: Store, description: Description, in_sweep: bool = False) -> Iterator[TrackedRun]:
    """The run of an identity, for as long as this process trains it; no other process does meanwhile.

    A run that has finished is not to be trained. Another one ends FINISHED when the block ends, KILLED where a signal
    or a search ends it, else FAILED with its traceback.

    Args:
        in_sweep: whether the run is a job of the sweep that is called `description.study`.

    Raises:
        UserError: the store refuses the run, or does not answer; or there is no such sweep.
        PrunedError: a search ended the run early, now or before.
        DivergedError: its loss became no number, now or before.
    """
    with CheckpointFolder(store, description.identity) as folder:
        try:
            with store_errors(store.uri, store.experiment, "EDIT"):
                # The server may start again between two jobs of a sweep.
                run = until_answered(lambda: start(store, folder, description, in_sweep), PATIENCE if in_sweep else 0)
        except (KeyboardInterrupt, SystemExit):
            _end_started(store, description.identity, folder.token)
            raise
        if run.finished:
            yield run
        else:
            with run.ending(), _monitored(run) if description.system_metrics else nullcontext():
                yield run
        folder.last.unlink(missing_ok=True)  # only now: until here the run would resume


def start(store: Store, folder: CheckpointFolder, description: Description, in_sweep: bool = False) -> TrackedRun:
    """The run that has finished, the one that this folder's checkpoint belongs to, or a new one.

    To call it again is harmless: a run that an earlier call made has the token of the folder.

    Raises:
        as `tracked_run`.
    """
    parent, varied = join_sweep(store, description) if in_sweep else (None, [])
    runs = runs_of(store, [description.identity])
    finished = next((run.run for run in runs if run.finished), None)
    if not finished:
        _refuse_settled(runs, description)
    started = next((run.run for run in runs if run.tags.get(FOLDER_TAG) == folder.token), None)
    if started and folder.points is None and any(not name.startswith("system/") for name in started.data.metrics):
        folder.renew_token()  # the checkpoint is gone, and its points would be measured twice
        started = None
    if started and not finished:
        _resume(store, started, description.study)
    run = finished or started or _new_run(store, folder.token, parent, description.tags, description.name(varied))
    return TrackedRun(store, run, folder, description, parent)


def _refuse_settled(runs: list[RecordedRun], description: Description) -> None:
    """Raise what ended a run of this study without a score before."""
    for run in runs:
        if run.tags.get(STUDY_TAG) == description.study:
            if run.diverged:
                raise DivergedError(run.tags[DIVERGED_TAG])
            if PRUNED_TAG in run.tags and description.search_trial is not None:
                raise PrunedError(run.tags[PRUNED_TAG])


def _resume(store: Store, run: Run, study: str) -> None:
    """Have the store say that a run goes on."""
    run_id, tags = run.info.run_id, run.data.tags
    log.info("run %s: resumed", run_id)
    store.client.update_run(run_id, status=RUNNING)
    store.client.set_tag(run_id, STUDY_TAG, study)
    for tag in {ERROR_TAG, DIVERGED_TAG, PRUNED_TAG} & tags.keys():
        store.client.delete_tag(run_id, tag)


def _new_run(store: Store, token: str, parent: Run | None, tags: dict[str, str], name: str) -> Run:
    tags = tags | {FOLDER_TAG: token, NOTE_TAG: name} | ({PARENT_TAG: parent.info.run_id} if parent else {})
    with quick_answers():  # which asks once: MLflow's client would make a second run where an answer is lost
        run = store.client.create_run(store.experiment_id, run_name=name, tags=tags)
    if not run.info.run_id:
        raise NotRecordedError(NO_SERVER)
    return run


def _end_started(store: Store, identity: str, token: str) -> None:
    """Say of a run that was interrupted while it was started that it is KILLED."""
    with suppress(*STORE_ERRORS), quick_answers():
        for run in runs_of(store, [identity]):
            if run.status == RUNNING and run.tags.get(FOLDER_TAG) == token:
                store.client.set_terminated(run.run_id, KILLED)


@contextmanager
def _monitored(run: TrackedRun) -> Iterator[None]:
    """Record the use of processor and memory within the block, by a thread of MLflow's; it ends where the store does
    not answer."""
    monitor = SystemMetricsMonitor(run.run_id, MONITOR_SECONDS, resume_logging=True, tracking_uri=run.store.uri)
    monitor.start()
    try:
        yield
    finally:
        monitor.finish()
