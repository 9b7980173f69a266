"""Contents of a store: its sweeps and single runs, how far each is, its best run, and the size of its checkpoints."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from mlflow.entities import Run

from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.checkpoints import files_of
from sentiment_rnn.tracking.names import (
    BEST_ACCURACY,
    BEST_LOSS,
    DIVERGED_TAG,
    IDENTITY_TAG,
    PARENT_TAG,
    PRUNED_TAG,
    SHORTEST_ID,
    STUDY_TAG,
    SWEEP_TAG,
    TAKEN_OVER_TAG,
    TRIAL_TAG,
)
from sentiment_rnn.tracking.ownership import writer_of
from sentiment_rnn.tracking.results import RUNNING, is_finished, latest_of, recorded_plan, reused_by, validation_rank
from sentiment_rnn.tracking.store import Store

SILENT = 3600
"""Seconds without a new value of a metric after which a running run counts as abandoned."""
PAGE = 1000
"""Runs that are asked for at a time."""


class Best(NamedTuple):
    """The run of a sweep that is the best on validation."""

    run: Run
    metric: str
    value: float


@dataclass(frozen=True)
class Entry:
    """A sweep with its runs, or a single run."""

    run: Run
    """The parent, or the single run itself."""
    runs: list[Run]
    """The runs of the sweep, also those that another one trained, or the single run."""
    jobs: int
    """How many runs the sweep has once it is done."""
    state: str
    """`finished`, `failed` or `killed`; `running`, or `stale` where MLflow says so and nobody works on it."""
    updated: float
    """When it was last worked on, or asked for after its end, in seconds since 1970."""
    checkpoints: int
    """Bytes."""

    @property
    def name(self) -> str:
        """The study that it belongs to."""
        return str(self.run.data.tags.get(STUDY_TAG, self.run.info.run_name))

    @property
    def is_sweep(self) -> bool:
        """Whether it is a sweep."""
        return SWEEP_TAG in self.run.data.tags

    @property
    def done(self) -> int:
        """How many of its runs have finished, were pruned by a search, or diverged."""
        return sum(is_done(run) for run in self.runs)

    @property
    def best(self) -> Best | None:
        """Its best run; None where no run in earnest has finished."""
        return best_of(self.runs)

    def is_running(self, run: Run) -> bool:
        """Whether a process may be at work on it, or on this run of it: a sweep's jobs can outlive their launcher."""
        return "running" in (self.state, _state([run], self.updated))


def is_done(run: Run) -> bool:
    """Whether there is nothing to resume: it has finished, a search has pruned it, or its loss became no number."""
    return is_finished(run) or PRUNED_TAG in run.data.tags or DIVERGED_TAG in run.data.tags


def best_of(runs: Sequence[Run]) -> Best | None:
    """The finished run that is the best on validation by `validation_rank`, trials left out; None where none has a
    score."""
    earnest = [run for run in runs if is_finished(run) and TRIAL_TAG not in run.data.tags]
    best = min(earnest, key=validation_rank, default=None)
    for metric in (BEST_ACCURACY, BEST_LOSS):
        if best and not math.isnan(value := best.data.metrics.get(metric, math.nan)):
            return Best(best, metric, value)
    return None


def entries_of(store: Store) -> list[Entry]:
    """All sweeps and single runs of a store's experiment, the last updated first. Evaluations are no entries.

    The runs of a sweep whose parent was deleted are single ones.
    """
    by_id = {  # where a run begins between two pages, the second starts with the last of the first
        run.info.run_id: run
        for run in pages(lambda token: store.client.search_runs([store.experiment_id], "", max_results=PAGE,
                                                                 page_token=token))
    }  # fmt: skip
    children: dict[str, list[Run]] = {}
    for run in by_id.values():
        if IDENTITY_TAG in run.data.tags:
            children.setdefault(run.data.tags.get(PARENT_TAG, ""), []).append(run)
    sweeps = []
    for run in (run for run in by_id.values() if SWEEP_TAG in run.data.tags):
        reused = [by_id[run_id] for run_id in reused_by(run) if run_id in by_id]
        sweeps.append(_entry(store, run, children.get(run.info.run_id, []), reused))
    parents = {sweep.run.info.run_id for sweep in sweeps}
    alone = (run for parent, of_parent in children.items() if parent not in parents for run in of_parent)
    return sorted([*sweeps, *(_entry(store, run, [run]) for run in alone)], key=lambda entry: -entry.updated)


def chosen(entries: Sequence[Entry], sweep: str | None) -> list[Entry]:
    """The entries that a user names: `latest`, a study's name, or the beginning of a run id; None takes all.

    Raises:
        UserError: there is none.
    """
    if sweep is None:
        return list(entries)
    if sweep == "latest":
        sweeps = [entry.run for entry in entries if entry.is_sweep]
        latest = latest_of(sweeps) if sweeps else None
        found = [entry for entry in entries if entry.run is latest]
    else:
        long = len(sweep) >= SHORTEST_ID
        found = [e for e in entries if sweep == e.name or (long and e.run.info.run_id.startswith(sweep))]
    if not found:
        raise UserError(
            f"{sweep}: no such sweep or run; expected latest, a study's name, or {SHORTEST_ID} or more "
            "characters of an id that sentiment-rnn runs shows"
        )
    return found


def _entry(store: Store, run: Run, runs: list[Run], reused: Sequence[Run] = ()) -> Entry:
    """A sweep with the runs that it trained and those that it reuses, or a single run. Checkpoints count where a
    run was trained."""
    updated = max(last_work(store, part) for part in {part.info.run_id: part for part in (run, *runs)}.values())
    listed = [*runs, *reused]
    planned = 0 if is_finished(run) or SWEEP_TAG not in run.data.tags else recorded_plan(store, run).count
    return Entry(
        run,
        listed,
        jobs=planned or sum(TAKEN_OVER_TAG not in part.data.tags for part in listed),
        state=_state([run, *runs], updated),  # a sweep's jobs can outlive their launcher
        updated=updated,
        checkpoints=sum(path.stat().st_size for part in runs for path in files_of(store, part.info.run_id)),
    )


def _state(runs: Sequence[Run], updated: float) -> str:
    """How the first of these runs stands, on which the processes of all work."""
    status = str(runs[0].info.status).lower()
    if status not in ("running", "scheduled"):
        return status
    writers = [writer_of(run) for run in runs if run.info.status == RUNNING]
    if any(writer and writer.is_here and not writer.is_gone for writer in writers):
        return "running"
    if all(writer and writer.is_gone for writer in writers):
        return "stale"
    # Of another machine's process we know only when it last wrote.
    return "running" if time.time() - updated < SILENT else "stale"


def last_work(store: Store, run: Run) -> float:
    """When a run ended, or its finished sweep was asked for; before, when it last logged a metric or wrote a file."""
    if run.info.end_time and run.info.status != RUNNING:  # that of a resumed run stays
        return float(run.info.end_time) / 1000
    often = [name for name in ("train/loss", "system/cpu_utilization_percentage") if name in run.data.metrics]
    logged = [store.client.get_metric_history(run.info.run_id, name)[-1].timestamp / 1000 for name in often]
    written = [path.stat().st_mtime for path in files_of(store, run.info.run_id)]
    return max([float(run.info.start_time) / 1000, *logged, *written])


def pages(ask: Callable[[str | None], Any]) -> Iterator[Any]:
    """Everything that MLflow gives page by page."""
    page = ask(None)
    yield from page
    while page.token:
        page = ask(page.token)
        yield from page
