"""The parent run of a sweep: opened, or resumed, by one process at a time."""

import atexit
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from filelock import FileLock, Timeout
from mlflow.entities import RunStatus

from sentiment_rnn.config.run import RunConfig
from sentiment_rnn.config.tracking import TrackingConfig
from sentiment_rnn.errors import UserError
from sentiment_rnn.masking import masked
from sentiment_rnn.tracking.answers import STORE_ERRORS, quick_answers, store_errors
from sentiment_rnn.tracking.lease import HeldError, Lease, lease_tag, owner_in
from sentiment_rnn.tracking.names import (
    ERROR_TAG,
    IDENTITY_TAG,
    JOBS,
    NOTE_TAG,
    ORDER_TAG,
    PARENT_TAG,
    STUDY_TAG,
    SWEEP_TAG,
)
from sentiment_rnn.tracking.origin import origin_tags
from sentiment_rnn.tracking.outbox import Outbox
from sentiment_rnn.tracking.results import ended_runs, is_finished, latest_of, next_order, reused_by, trials_of
from sentiment_rnn.tracking.reuse import finished_runs_for
from sentiment_rnn.tracking.store import Store, where_to_look
from sentiment_rnn.tracking.sync import send_left

FINISHED, FAILED, KILLED = (
    RunStatus.to_string(status) for status in (RunStatus.FINISHED, RunStatus.FAILED, RunStatus.KILLED)
)
"""How MLflow calls the end of a sweep; KILLED is one that was interrupted."""
ARE_THERE = "runs are there; tracking.repeat=true trains them again"
log = logging.getLogger("sentiment_rnn")


@dataclass(frozen=True)
class SweepPlan:
    """What a sweep is to run: the overrides of each job of a grid, or the space and the trials of a search."""

    jobs: list[list[str]] = field(default_factory=list)
    space: list[str] = field(default_factory=list)
    trials: int = 0
    sampler: str = ""
    """What proposes the trials."""

    @property
    def count(self) -> int:
        """How many runs it is to have."""
        return self.trials or len(self.jobs)

    @property
    def note(self) -> str:
        """The parent's description while it has no result."""
        return f"search of {self.trials} trials: {masked(' '.join(self.space))}" if self.space else f"{self.count} runs"

    def shown(self) -> dict[str, Any]:
        """The plan as an artifact has it, without secrets."""
        if self.space:
            return {"space": [masked(line) for line in self.space], "trials": self.trials, "sampler": self.sampler}
        return {"jobs": [[masked(override) for override in job] for job in self.jobs]}


def lock_sweep(store: Store, study: str, digest: str) -> None:
    """Keep a second process on this machine from resuming a sweep that is running; the system releases the lock
    when this process ends, however it ends."""
    lock = FileLock(store.directory / f".sweep-{digest}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise UserError(f"study={study}: this very sweep is running; wait for it, or name another study") from error
    atexit.register(lock.release)  # and keeps it until then; the callback cannot, since jobs get a copy of it


def open_parent(store: Store, config: TrackingConfig, study: str, digest: str, plan: SweepPlan) -> Lease | None:
    """The lease on a sweep's parent run: the last one of the same jobs where it did not finish or has lost runs, or
    else a new one; also where it is to be repeated and reuses runs. None where the sweep finished before, all its runs
    are there, and it is not to be repeated.

    Raises:
        UserError: another process, on another machine maybe, runs this sweep.
    """
    send_left(store)  # the end of the earlier sweep, maybe
    with store_errors(store.uri, store.experiment, "EDIT"):
        return _open_parent(store, config, study, digest, plan)


def _open_parent(store: Store, config: TrackingConfig, study: str, digest: str, plan: SweepPlan) -> Lease | None:
    alike = store.client.search_runs(
        [store.experiment_id], f"tags.`{SWEEP_TAG}` = '{digest}'", order_by=["start_time DESC"], max_results=1000
    )
    earlier = latest_of(store, alike) if alike else None
    finished = (
        earlier is not None
        and is_finished(earlier)
        and plan.trials <= trials_of(store, earlier)  # else a search is asked for more
    )
    # By its place, whoever looks for the latest sweep of this name finds the one that was just asked for.
    order = next_order(store)
    # Some may have been deleted, or pruned in a search. Of other machines' runs only the sweep itself knows.
    if earlier and finished and not config.repeat and len(ended_runs(store, earlier, diverged=True)) >= plan.count:
        store.client.set_tag(earlier.info.run_id, ORDER_TAG, order)
        store.client.set_terminated(earlier.info.run_id)
        log.info("sweep %s: %d of %d %s; %s", study, plan.count, plan.count, ARE_THERE, where_to_look(store))
        return None
    if earlier and not (config.repeat and (finished or reused_by(earlier))):
        try:
            lease = Lease(store, earlier.info.run_id, config).acquire(wait=False)
        except HeldError as held:
            raise UserError(
                f"study={study}: {held.owner} runs this very sweep; wait for it, or name another study"
            ) from held
        store.client.update_run(lease.run_id, status=RunStatus.to_string(RunStatus.RUNNING))
        store.client.set_tag(lease.run_id, ORDER_TAG, order)
        if plan.space:  # which may be asked for more trials
            store.client.log_dict(lease.run_id, plan.shown(), JOBS)
        log.info("sweep %s: resumed", study)
        return lease
    tags = {SWEEP_TAG: digest, STUDY_TAG: masked(study), NOTE_TAG: plan.note, ORDER_TAG: order, **origin_tags()}
    parent = store.client.create_run(store.experiment_id, run_name=masked(study), tags=tags)
    store.client.log_dict(parent.info.run_id, plan.shown(), JOBS)
    return Lease(store, parent.info.run_id, config).acquire(wait=False)


def jobs_left(lease: Lease, jobs: Sequence[list[str]], asked: Sequence[tuple[str, RunConfig]]) -> list[list[str]]:
    """The jobs of a sweep that have no finished run; it lists the runs of others that stand in for its own.

    Args:
        jobs: by their overrides.
        asked: the identity and the configuration of each.
    """
    store = lease.store
    wanted = {identity: (config, job) for job, (identity, config) in zip(jobs, asked, strict=True)}
    with store_errors(store.uri, store.experiment, "EDIT"):
        parent = store.client.get_run(lease.run_id)
        there = finished_runs_for(store, parent, wanted)
    left = [job for job, (identity, _) in zip(jobs, asked, strict=True) if identity not in there]
    if there:
        own = all(run.data.tags.get(PARENT_TAG) == lease.run_id for run in there.values())
        what = "runs are there" if own else ARE_THERE
        log.info("sweep %s: %d of %d %s", parent.info.run_name, len(jobs) - len(left), len(jobs), what)
    return left


def close_parent(lease: Lease, status: str) -> None:
    """End a parent run with one of MLflow's statuses, and say where its runs can be seen; or that its end is not
    recorded."""
    if status != FINISHED:
        _end_killed_runs(lease, status)
    try:
        with lease:
            lease.check()
            outbox = Outbox(lease.store, lease.run_id)
            with suppress(*STORE_ERRORS), quick_answers():  # one whose store is away keeps the place of its beginning
                outbox.tags({ORDER_TAG: next_order(lease.store)})
            outbox.end(status)
            outbox.close()
    except (OSError, UserError) as error:  # a full disk; another process
        log.warning("sweep: %s, but run %s does not say so (%s)", status, lease.run_id, error)
        return
    said = "interrupted; the same command resumes it" if status == KILLED else status
    log.info("sweep: %s, run %s; %s", said, lease.run_id, where_to_look(lease.store))


def _end_killed_runs(lease: Lease, status: str) -> None:
    """End the runs of a sweep whose process was killed before it could: the store would call them running for ever."""
    client, running = lease.store.client, RunStatus.to_string(RunStatus.RUNNING)
    query = f"tags.`{PARENT_TAG}` = '{lease.run_id}' and attributes.status = '{running}'"
    try:
        with quick_answers():
            tags = client.get_run(lease.run_id).data.tags
            for run in client.search_runs([lease.store.experiment_id], query):
                held = tags.get(lease_tag(run.data.tags.get(IDENTITY_TAG, "")))
                if held and owner_in(held).is_gone:
                    client.set_tag(run.info.run_id, ERROR_TAG, "its process was killed")
                    client.set_terminated(run.info.run_id, status)
    except STORE_ERRORS as error:  # a server that is away; the same sweep, started again, finds the runs all the same
        log.debug("killed runs are not ended: %s", error)
