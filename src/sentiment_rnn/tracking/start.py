"""The run that a process trains: a new one, or the one that broke off; and what becomes of it in the end."""

import logging
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import yaml
from filelock import Timeout
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from sentiment_rnn.config.code import code_digest
from sentiment_rnn.config.run import RunConfig
from sentiment_rnn.errors import UserError
from sentiment_rnn.locks import FileLock
from sentiment_rnn.masking import masked, masked_settings
from sentiment_rnn.tracking.checkpoints import LAST, PREVIOUS
from sentiment_rnn.tracking.monitor import Monitor
from sentiment_rnn.tracking.names import (
    CODE_TAG,
    CONFIGURATION,
    DIVERGED_TAG,
    ERROR_TAG,
    IDENTITY_TAG,
    NOTE_TAG,
    OVERRIDES,
    PARENT_TAG,
    PROCESSOR_TAG,
    PRUNED_TAG,
    SEARCH_TRIAL_TAG,
    STUDY_TAG,
    TAKEN_OVER_TAG,
    TRACEBACK,
    TRIAL_TAG,
    WRITER_TAG,
)
from sentiment_rnn.tracking.origin import origin_tags, processor_name
from sentiment_rnn.tracking.ownership import TAKEOVER, own_lock, this_process, writer_of
from sentiment_rnn.tracking.publish import Publisher, at_end, finish_all, sweeps_here
from sentiment_rnn.tracking.record import RunRecord
from sentiment_rnn.tracking.results import FAILED, FINISHED, KILLED, RUNNING, is_finished, named_run
from sentiment_rnn.tracking.reuse import finished_runs_for
from sentiment_rnn.tracking.store import Store, storage_fault
from sentiment_rnn.tracking.store_errors import is_missing, store_errors, until_answered

log = logging.getLogger("sentiment_rnn")

PATIENCE = 600.0
"""Seconds for which a job of a sweep waits for a server that is away, or for the one on which the sweep began."""
LONGEST_PARAM = 6000
"""Characters of a parameter that MLflow keeps."""


class PrunedError(Exception):
    """A search has ended this run early; the message says when."""


class DivergedError(UserError):
    """The loss is infinite or no number; the message says in which batch, and at which learning rate."""


class NoSweepError(UserError):
    """The store has no such sweep; another server may answer at its address for a while."""


@contextmanager
def tracked_run(store: Store, config: RunConfig, identity: str, overrides: list[str]) -> Iterator[RunRecord]:
    """Open a run, or resume the broken one of the same identity: of the same sweep, or the one that `tracking.resume`
    names. No other process writes it until it ends: FINISHED, or FAILED with its traceback.

    A job of a sweep first waits where another process trains the same. The record of a run that has finished, or stands
    in for it, is not open, and the run is not to be trained.

    Nothing that the store does after that ends the run, or takes the place of the error that did.

    Args:
        identity: `RunConfig.identity`.
        overrides: what was said on the command line.

    Raises:
        UserError: the store refuses the run; the one that is to be resumed is finished, is another, does not exist, or
            is being trained; or there is no such sweep.
        PrunedError: a search ended the run early, now or before.
        DivergedError: its loss became no number, now or before.
    """
    with ExitStack() as owned:
        if config.tracking.parent in sweeps_here:
            sweeps_here[config.tracking.parent].check()

        def start() -> RunRecord:
            owned.close()  # of an attempt that got no answer
            return start_or_resume_run(store, config, identity, overrides, owned)

        with store_errors(store.uri, store.experiment, "EDIT"):
            patience = PATIENCE if config.tracking.parent and store.remote else 0
            record = until_answered(start, patience, NoSweepError)
        if record.finished:
            yield record
            return
        settings = masked_settings(config.settings())
        try:
            record.begin(
                params={key: value[:LONGEST_PARAM] for key, value in _flatten(settings).items()},
                takeover=config.tracking.takeover,
            )
        except OSError as error:
            raise storage_fault(store, error) or error from error
        publisher = Publisher(record)
        with _ending(record, publisher, config):
            record.log_text(yaml.safe_dump(settings, sort_keys=False), CONFIGURATION)
            record.log_text(yaml.safe_dump([masked(override) for override in overrides]), OVERRIDES)
            monitor = Monitor(record) if config.tracking.system_metrics else None
            try:
                if monitor:
                    monitor.start()
                yield record
            finally:
                if monitor:
                    monitor.finish()
            record.check()
            for path in (record.checkpoints / PREVIOUS, record.checkpoints / f"{identity}.lock"):
                path.unlink(missing_ok=True)  # a finished run does not resume
    if not config.tracking.records_all:
        (record.checkpoints / LAST).unlink(missing_ok=True)  # only now: until here the run would resume


@contextmanager
def _ending(record: RunRecord, publisher: Publisher, config: RunConfig) -> Iterator[None]:
    """Record how a run ends, and publish that."""
    store, run_id = record.store, record.run_id
    status, why, trace = FAILED, {}, ""
    fault: UserError | None = None
    try:
        yield
        status = FINISHED
    except (KeyboardInterrupt, SystemExit) as error:
        status = KILLED
        if config.tracking.parent is None:
            log.info("run %s was interrupted; the same command with tracking.resume=%s resumes it", run_id, run_id)
        if isinstance(error.__context__, KeyboardInterrupt):  # Lightning turns Ctrl-C into SystemExit
            raise error.__context__ from None
        raise  # a scheduler's, which stops the process to start it again
    except PrunedError as error:
        status, why = KILLED, {PRUNED_TAG: str(error)}
        log.info("run %s: pruned %s", run_id, error)
        raise
    except BaseException as error:
        fault = storage_fault(store, error)
        mendable = error if isinstance(error, UserError) else fault
        if mendable:
            log.error("run %s failed: %s", run_id, mendable)
        else:
            log.exception("run %s failed", run_id)
        trace = masked(traceback.format_exc())
        why = {ERROR_TAG: masked(f"{type(error).__name__}: {error}")[:500]}
        why |= {DIVERGED_TAG: str(error)} if isinstance(error, DivergedError) else {}
        if mendable and mendable is not error:
            raise mendable from error
        raise
    finally:
        try:
            if why:
                record.tags(why)
            if trace:
                record.log_text(trace, TRACEBACK)
            record.end(status)
        except Exception as error:  # takes the place of nothing that happened to the run; a full disk is said once
            if not record.taken_over and not (fault and storage_fault(store, error)):
                log.warning("run %s: its end is not recorded (%s)", run_id, error)
        publisher.finish(config.tracking.parent)


def start_or_resume_run(
    store: Store, config: RunConfig, identity: str, overrides: list[str], owned: ExitStack
) -> RunRecord:
    """The record of the run that this process is to train, or of one that stands in for it and has finished.

    To call it again is harmless: a run of the sweep that an earlier call made is found by its identity.

    Args:
        overrides: of the job.
        owned: what it gives back in the end: that no other process of this machine trains the same.

    Raises:
        UserError: as `tracked_run`.
        PrunedError: the search has tried this before, and pruned it.
        DivergedError: the sweep has tried this before, and the loss became no number, as it would again.
    """
    tracking = config.tracking
    if tracking.resume:
        return _run_to_resume(store, config, identity, overrides, owned)
    if tracking.parent is None:
        return _new_run(store, config, identity, overrides, owned)
    parent = _parent(store, tracking.parent)
    store = replace(store, experiment_id=parent.info.experiment_id)
    owned.callback(_lock(store, tracking.parent, identity, tracking.takeover).release)
    query = f"tags.`{IDENTITY_TAG}` = '{identity}'"
    runs = store.client.search_runs([store.experiment_id], query, order_by=["start_time DESC"])
    if any(run.info.run_id in at_end for run in runs):  # of an earlier job of this process
        finish_all()
        runs = store.client.search_runs([store.experiment_id], query, order_by=["start_time DESC"])
    wanted = {identity: (config, overrides)}
    finished = finished_runs_for(store, parent, wanted, [run for run in runs if is_finished(run)])
    if identity in finished:
        return RunRecord(store, finished[identity].info.run_id, overrides, parent, finished=True)
    broken = [run for run in runs if run.data.tags.get(PARENT_TAG) == tracking.parent and not is_finished(run)]
    for run in broken:
        if PRUNED_TAG in run.data.tags:
            raise PrunedError(run.data.tags[PRUNED_TAG])
        if DIVERGED_TAG in run.data.tags:
            raise DivergedError(run.data.tags[DIVERGED_TAG])
        record = RunRecord(store, run.info.run_id, overrides, parent)
        if record.finished or (TAKEN_OVER_TAG not in run.data.tags and _resumes_here(store, run, config)):
            return record
    return _new_run(store, config, identity, overrides, owned, parent)


def _lock(store: Store, run_id: str, identity: str, takeover: bool, timeout: float | None = None) -> FileLock:
    """Lock that one process of this machine holds while it trains: in the folder of the sweep, or of a single run."""
    folder = store.checkpoints / run_id
    folder.mkdir(parents=True, exist_ok=True)
    return own_lock(folder / f"{identity}.lock", takeover, timeout)


def _resumes_here(store: Store, run: Run, config: RunConfig) -> bool:
    """Whether a run that broke off goes on in this process. One whose record lies in a folder of another machine is
    taken from there, and trained anew.

    Raises:
        UserError: a process that may live trains it.
    """
    run_id, writer = run.info.run_id, writer_of(run)
    here = _is_here(store, run)
    gone = run.info.status != RUNNING or writer is None or writer.is_gone or (writer.is_here and here)
    if not gone and not config.tracking.takeover:
        raise UserError(f"run {run_id}: {writer} trains it; wait until it has ended ({TAKEOVER})")
    if not here:
        store.client.set_tag(run_id, TAKEN_OVER_TAG, this_process().text())
        store.client.set_terminated(run_id, KILLED)
    return here


def _is_here(store: Store, run: Run) -> bool:
    """Whether the record of a run that broke off is in this store's folder, or was never begun."""
    return RunRecord(store, run.info.run_id).folder.exists() or not run.data.params  # which are published first


def _parent(store: Store, parent: str) -> Run:
    try:
        return store.client.get_run(parent)
    except MlflowException as error:
        if not is_missing(error):
            raise
        raise NoSweepError(
            f"tracking.parent={parent}: no such run in {store.uri}; a job needs the store of its sweep, so give "
            "tracking.uri, or a tracking.directory that all machines share"
        ) from error


def _run_to_resume(store: Store, config: RunConfig, identity: str, overrides: list[str], owned: ExitStack) -> RunRecord:
    assert config.tracking.resume
    run = named_run(store, config.tracking.resume)
    if run is None:
        raise UserError(f"tracking.resume={config.tracking.resume}: no such run in {store.uri}")
    run_id, tags = run.info.run_id, run.data.tags
    if tags.get(IDENTITY_TAG) != identity:
        raise UserError(
            f"tracking.resume={run_id}: its configuration, its data or the code was another; give the overrides "
            "with which it was started, or train anew"
        )
    if is_finished(run):
        raise UserError(f"tracking.resume={run_id}: this run has finished; there is nothing to resume")
    try:
        lock = _lock(store, tags.get(PARENT_TAG, run_id), identity, config.tracking.takeover, timeout=0)
    except Timeout as error:
        raise UserError(
            f"tracking.resume={run_id}: another process trains this run; wait until it has ended"
        ) from error
    owned.callback(lock.release)
    if not _is_here(store, run):
        raise UserError(f"tracking.resume={run_id}: its folder is not here; give tracking.checkpoints, or train anew")
    _resumes_here(store, run, config)
    return RunRecord(replace(store, experiment_id=run.info.experiment_id), run_id, overrides)


def _new_run(
    store: Store, config: RunConfig, identity: str, overrides: list[str], owned: ExitStack, parent: Run | None = None
) -> RunRecord:
    name = "-".join([*config.tags.values(), f"seed{config.seed}"])
    tags = {
        IDENTITY_TAG: identity, CODE_TAG: code_digest(config.targets), STUDY_TAG: config.study, **config.tags,
        **origin_tags(),
    }  # fmt: skip
    tags[NOTE_TAG] = f"{', '.join(f'{k} {v}' for k, v in config.tags.items())}, seed {config.seed}"
    tags[PROCESSOR_TAG] = processor_name(config.trainer.accelerator)
    if (number := config.tracking.search_trial) is not None:
        name += f"-trial{number}"
        tags[SEARCH_TRIAL_TAG] = str(number)
        tags[NOTE_TAG] += f", trial {number} of a search"
    if trial := config.trainer.trial:
        tags[TRIAL_TAG] = trial
    if parent:
        tags[PARENT_TAG] = parent.info.run_id
    tags = {key: masked(value) for key, value in tags.items()} | {WRITER_TAG: this_process().text()}
    run_id = store.client.create_run(store.experiment_id, run_name=masked(name)[:250], tags=tags).info.run_id
    if not parent:
        owned.callback(_lock(store, run_id, identity, takeover=False).release)
    return RunRecord(store, run_id, overrides, parent)


def _flatten(settings: dict[str, Any], prefix: str = "") -> dict[str, str]:
    parts = (
        _flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: str(value)}
        for key, value in settings.items()
    )
    return {key: value for part in parts for key, value in part.items()}
