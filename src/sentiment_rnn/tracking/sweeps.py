"""The parent run of a sweep: opened, or resumed, by one process at a time."""

import logging
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import yaml
from mlflow.entities import Run
from mlflow.utils.time import get_current_time_millis

from sentiment_rnn.config.tracking import TrackingConfig
from sentiment_rnn.errors import UserError
from sentiment_rnn.masking import masked
from sentiment_rnn.tracking.names import (
    ERROR_TAG,
    JOBS,
    NOTE_TAG,
    ORDER_TAG,
    PARENT_TAG,
    STUDY_TAG,
    SWEEP_TAG,
)
from sentiment_rnn.tracking.origin import origin_tags
from sentiment_rnn.tracking.ownership import SweepLock, writer_of
from sentiment_rnn.tracking.publish import Publisher, publish_left, sweeps_here
from sentiment_rnn.tracking.record import RunRecord
from sentiment_rnn.tracking.results import (
    KILLED,
    RUNNING,
    SweepPlan,
    ended_runs,
    is_finished,
    latest_of,
    next_order,
    recorded_plan,
    reused_by,
)
from sentiment_rnn.tracking.reuse import Wanted, finished_runs_for
from sentiment_rnn.tracking.store import Store, where_to_look
from sentiment_rnn.tracking.store_errors import STORE_ERRORS, quick_answers, store_errors

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ARE_THERE = "runs are there; tracking.repeat=true trains them again"
log = logging.getLogger("sentiment_rnn")


class OpenSweep:
    """The parent run of a sweep that this process runs, until `close`."""

    def __init__(self, record: RunRecord, run: Run, lock: SweepLock) -> None:
        self.record = record
        self.run = run
        """As it was opened."""
        self.store, self.run_id = record.store, record.run_id
        self._lock = lock
        self._publisher = Publisher(record)
        sweeps_here[self.run_id] = record

    def close(self, status: str, text: str = "", metrics: Mapping[str, float] | None = None) -> None:
        """End the parent run with one of MLflow's statuses, and say where its runs can be seen; or that its end is not
        recorded.

        Args:
            text: its description from now on: what the sweep found.
            metrics: the same as numbers.
        """
        store, record = self.store, self.record
        try:
            tags = {NOTE_TAG: text} if text else {}
            with suppress(*STORE_ERRORS), quick_answers():  # one whose store is away keeps the place of its beginning
                tags[ORDER_TAG] = next_order(store)
            # A resumed sweep has others than its first attempt; MLflow keeps the latest.
            record.metrics((name, value, get_current_time_millis(), 0) for name, value in (metrics or {}).items())
            record.tags(tags)
            record.end(status)
            self._publisher.finish()
            if not record.folder.exists():
                shutil.rmtree(record.checkpoints)  # the locks of its runs
        except (OSError, UserError) as error:  # a full disk; another process
            log.warning("sweep: %s, but run %s does not say so (%s)", status, self.run_id, error)
            return
        finally:
            sweeps_here.pop(self.run_id, None)
            self._lock.release()
        said = "interrupted; the same command resumes it" if status == KILLED else status
        log.info("sweep: %s, run %s; %s", said, self.run_id, where_to_look(store))


def open_sweep(store: Store, config: TrackingConfig, study: str, digest: str, plan: SweepPlan) -> OpenSweep | None:
    """A sweep's parent run: the last one of the same jobs where it did not finish or has lost runs, or else a new one;
    also where it is to be repeated and reuses runs. None where the sweep finished before, all its runs are there, and
    it is not to be repeated.

    Raises:
        UserError: another process, on another machine maybe, runs this sweep; or the store refuses it.
    """
    publish_left(store)  # the end of the earlier sweep, maybe
    with ExitStack() as held:
        with store_errors(store.uri, store.experiment, "EDIT"):
            lock = SweepLock(store, masked(study)[:200], digest, config.takeover)
            held.callback(lock.release)
            run = _parent_run(store, config, study, digest, plan)
        if run is None:
            return None
        record = RunRecord(store, run.info.run_id)
        record.begin({ORDER_TAG: run.data.tags[ORDER_TAG]}, takeover=config.takeover)
        record.log_text(yaml.safe_dump(plan.shown(), sort_keys=False), JOBS)
        held.pop_all()  # from here on the open sweep releases it
        return OpenSweep(record, run, lock)


def _parent_run(store: Store, config: TrackingConfig, study: str, digest: str, plan: SweepPlan) -> Run | None:
    alike = store.client.search_runs(
        [store.experiment_id], f"tags.`{SWEEP_TAG}` = '{digest}'", order_by=["start_time DESC"], max_results=1000
    )
    earlier = latest_of(alike) if alike else None
    finished = (
        earlier is not None
        and is_finished(earlier)
        and plan.trials <= recorded_plan(store, earlier).trials  # else a search is asked for more
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
        log.info("sweep %s: resumed", study)
        earlier.data.tags[ORDER_TAG] = order
        return earlier
    tags = {SWEEP_TAG: digest, STUDY_TAG: masked(study), NOTE_TAG: plan.note, ORDER_TAG: order, **origin_tags()}
    return store.client.create_run(store.experiment_id, run_name=masked(study)[:250], tags=tags)


def note_in_sweep(store: Store, parent: Run, tags: Mapping[str, str]) -> None:
    """Put tags on a sweep's run, as one of its jobs; a server that is away does not hold the job up."""
    if parent.info.run_id in sweeps_here:
        sweeps_here[parent.info.run_id].tags(tags)
        return
    with suppress(*STORE_ERRORS):
        for name, value in tags.items():
            store.client.set_tag(parent.info.run_id, name, value)


def jobs_left(
    sweep: OpenSweep, jobs: Sequence[list[str]], identities: Sequence[str], wanted: Wanted
) -> list[list[str]]:
    """The jobs of a sweep that have no finished run; it lists the runs of others that stand in for its own.

    Args:
        jobs: by their overrides.
        identities: of the run of each.
        wanted: configuration and overrides, by the identity.
    """
    store = sweep.store
    with store_errors(store.uri, store.experiment, "EDIT"):
        there = finished_runs_for(store, sweep.run, wanted)
    left = [job for job, identity in zip(jobs, identities, strict=True) if identity not in there]
    if there:
        own = all(run.data.tags.get(PARENT_TAG) == sweep.run_id for run in there.values())
        what = "runs are there" if own else ARE_THERE
        log.info("sweep %s: %d of %d %s", sweep.run.info.run_name, len(jobs) - len(left), len(jobs), what)
    return left


def end_killed_runs(sweep: OpenSweep, status: str) -> None:
    """End the runs of a sweep whose process was killed before it could: the store would call them running for ever."""
    store = sweep.store
    query = f"tags.`{PARENT_TAG}` = '{sweep.run_id}' and attributes.status = '{RUNNING}'"
    try:
        with quick_answers():
            for run in store.client.search_runs([store.experiment_id], query):
                writer = writer_of(run)
                if writer and writer.is_gone:
                    store.client.set_tag(run.info.run_id, ERROR_TAG, "its process was killed")
                    store.client.set_terminated(run.info.run_id, status)
    except STORE_ERRORS as error:  # a server that is away; the same sweep, started again, finds the runs all the same
        log.debug("killed runs are not ended: %s", error)


def log_comparison(store: Store, parent: Run, files: dict[str, str], figure: "Figure") -> None:
    """Put tables and figure into the parent run, under `comparison/`; raises `UserError` where the store refuses."""
    try:
        with store_errors(store.uri, store.experiment, "EDIT"):
            for name, content in files.items():
                store.client.log_text(parent.info.run_id, content, f"comparison/{name}")
            store.client.log_figure(parent.info.run_id, figure, "comparison/comparison.png")
    except OSError as error:
        raise UserError(
            f"{store.uri}: nothing was logged ({error.strerror or error}); make its folder writable"
        ) from error
