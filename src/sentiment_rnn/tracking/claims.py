"""Which run a process is to train, and the right to: a new run, or the one that broke off."""

import logging
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from mlflow.entities import Param, Run, RunStatus
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from sentiment_rnn.config.run import RunConfig
from sentiment_rnn.errors import UserError
from sentiment_rnn.masking import masked, masked_settings
from sentiment_rnn.tracking.answers import no_answer
from sentiment_rnn.tracking.lease import HeldError, Lease
from sentiment_rnn.tracking.names import (
    DIVERGED_TAG,
    ERROR_TAG,
    IDENTITY_TAG,
    NOTE_TAG,
    PARENT_TAG,
    PROCESSOR_TAG,
    PRUNED_TAG,
    SEARCH_TRIAL_TAG,
    STUDY_TAG,
    TRACEBACK,
    TRIAL_TAG,
)
from sentiment_rnn.tracking.origin import origin_tags, processor_name
from sentiment_rnn.tracking.results import Curve, curve_of, is_finished
from sentiment_rnn.tracking.reuse import finished_runs_for
from sentiment_rnn.tracking.store import Store

log = logging.getLogger("sentiment_rnn")

LONGEST_PARAM = 6000
"""Characters of a parameter that MLflow keeps."""


class PrunedError(Exception):
    """A search has ended this run early; the message says when."""


class DivergedError(UserError):
    """The loss is infinite or no number; the message says in which batch, and at which learning rate."""


@dataclass(frozen=True)
class Claim:
    """A run, and what this process may do with it."""

    run_id: str
    lease: Lease | None = None
    """The right to write it; none for a run that has finished."""
    earlier: dict[str, Curve] = field(default_factory=dict)
    """What a resumed run had measured before it broke off."""


def claim_run(store: Store, config: RunConfig, identity: str, overrides: list[str]) -> Claim:
    """The run that this process is to train, with its lease, or one that stands in for it and has finished, without.

    Args:
        overrides: of the job.

    Raises:
        UserError: as `tracking.record.tracked_run`.
        PrunedError: the search has tried this before, and pruned it.
        DivergedError: the sweep has tried this before, and the loss became no number, as it would again.
    """
    tracking = config.tracking
    if tracking.resume:
        return _run_to_resume(store, config, identity, tracking.resume)
    if tracking.parent is None:
        run_id = _new_run(store, config, identity)
        return Claim(run_id, Lease(store, run_id, tracking).acquire(wait=False))
    parent = _parent(store, tracking.parent)

    def finished() -> str | None:
        return _finished_id(store, parent, config, identity, overrides)

    if done := finished():
        return Claim(done)
    with ExitStack() as undone:
        lease = undone.enter_context(Lease(store, tracking.parent, tracking, identity).acquire(wait=True))
        if done := finished():  # by the process that was waited for
            return Claim(done)
        broken = _broken_id(store, identity, tracking.parent)
        tags = store.client.get_run(broken).data.tags if broken else {}
        if PRUNED_TAG in tags:
            raise PrunedError(tags[PRUNED_TAG])
        if DIVERGED_TAG in tags:
            raise DivergedError(tags[DIVERGED_TAG])
        claim = _resumed(store, config, broken, lease) if broken else Claim(_new_run(store, config, identity), lease)
        undone.pop_all()
        return claim


def _parent(store: Store, parent: str) -> Run:
    try:
        return store.client.get_run(parent)
    except MlflowException as error:
        if no_answer(error):
            raise
        raise UserError(
            f"tracking.parent={parent}: no such run in {store.uri}; a job needs the store of its sweep, so give "
            "tracking.uri, or a tracking.directory that all machines share"
        ) from error


def _run_to_resume(store: Store, config: RunConfig, identity: str, run_id: str) -> Claim:
    tracking = config.tracking
    try:
        tags = store.client.get_run(run_id).data.tags
    except MlflowException as error:
        if no_answer(error):
            raise
        raise UserError(f"tracking.resume={run_id}: no such run in {store.uri}") from error
    if tags.get(IDENTITY_TAG) != identity:
        raise UserError(
            f"tracking.resume={run_id}: its configuration, its data or the code was another; give the overrides "
            "with which it was started, or train anew"
        )
    parent = tags.get(PARENT_TAG)
    lease = Lease(store, parent, tracking, identity) if parent else Lease(store, run_id, tracking)
    try:
        lease.acquire(wait=False)
    except HeldError as held:
        raise UserError(f"tracking.resume={run_id}: {held.owner} trains this run; wait until it has ended") from held
    with ExitStack() as undone:
        undone.enter_context(lease)
        if is_finished(store.client.get_run(run_id)):
            raise UserError(f"tracking.resume={run_id}: this run has finished; there is nothing to resume")
        claim = _resumed(store, config, run_id, lease)
        undone.pop_all()
    return claim


def _resumed(store: Store, config: RunConfig, run_id: str, lease: Lease) -> Claim:
    run = store.client.get_run(run_id)
    if not run.data.params:  # its process was killed as soon as it had made the run
        _log_params(store, config, run_id)
    if ERROR_TAG in run.data.tags:
        _drop_error(store, run)
    names = [name for name in run.data.metrics if not name.startswith("system/")]
    return Claim(run_id, lease, {name: curve_of(store, run_id, name) for name in names})


def _drop_error(store: Store, run: Run) -> None:
    """Take away what a run says of the failure that it resumes from."""
    store.client.delete_tag(run.info.run_id, ERROR_TAG)
    try:
        get_artifact_repository(run.info.artifact_uri, tracking_uri=store.uri).delete_artifacts(TRACEBACK)
    except Exception as error:  # of whatever keeps the files: some cannot delete, and some had none
        log.debug("run %s: %s stays (%s)", run.info.run_id, TRACEBACK, error)


def _finished_id(store: Store, parent: Run, config: RunConfig, identity: str, overrides: list[str]) -> str | None:
    found = finished_runs_for(store, parent, {identity: (config, overrides)}).get(identity)
    return found.info.run_id if found else None


def _broken_id(store: Store, identity: str, parent: str) -> str | None:
    """Id of a sweep's run of an identity that has not finished."""
    query = f"tags.`{IDENTITY_TAG}` = '{identity}' and tags.`{PARENT_TAG}` = '{parent}'"
    query += f" and attributes.status != '{RunStatus.to_string(RunStatus.FINISHED)}'"
    runs = store.client.search_runs([store.experiment_id], query, max_results=1)
    return runs[0].info.run_id if runs else None


def _new_run(store: Store, config: RunConfig, identity: str) -> str:
    name = "-".join([*config.tags.values(), f"seed{config.seed}"])
    tags = {IDENTITY_TAG: identity, STUDY_TAG: config.study, **config.tags, **origin_tags()}
    tags[NOTE_TAG] = f"{', '.join(f'{k} {v}' for k, v in config.tags.items())}, seed {config.seed}"
    tags[PROCESSOR_TAG] = processor_name(config.trainer.accelerator)
    if (number := config.tracking.search_trial) is not None:
        name += f"-trial{number}"
        tags[SEARCH_TRIAL_TAG] = str(number)
        tags[NOTE_TAG] += f", trial {number} of a search"
    if trial := config.trainer.trial:
        tags[TRIAL_TAG] = trial
    if parent := config.tracking.parent:
        tags[PARENT_TAG] = parent
    tags = {key: masked(value) for key, value in tags.items()}
    run_id = store.client.create_run(store.experiment_id, run_name=masked(name), tags=tags).info.run_id
    _log_params(store, config, run_id)
    return run_id


def _log_params(store: Store, config: RunConfig, run_id: str) -> None:
    """Once, since MLflow refuses another value, and a run that is resumed may have other threads or folders."""
    settings = _flatten(masked_settings(config.settings()))
    store.client.log_batch(run_id, params=[Param(key, value[:LONGEST_PARAM]) for key, value in settings.items()])


def _flatten(settings: dict[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in settings.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = str(value)
    return flat
