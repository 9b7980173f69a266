"""Contents of a store: its sweeps and single runs, how far each is, its best run, and the size of its checkpoints."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout
from mlflow.entities import Run

from sentiment_rnn.errors import UserError
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
    TRIAL_TAG,
)
from sentiment_rnn.tracking.results import (
    PAGE,
    RUNNING,
    is_finished,
    jobs_in,
    jobs_of,
    launched,
    pages,
    validation_rank,
)
from sentiment_rnn.tracking.store import Store


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
    """The run of each job of the sweep that has one, whichever sweep trained it, or the single run."""
    jobs: int
    """How many runs the sweep has once it is done."""
    state: str
    """`finished`, `failed` or `killed`; `running`, or `stale` where MLflow says so and nobody works on it."""
    updated: float
    """When it was last launched, or ended, in seconds since 1970."""
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

    Runs that no sweep lists any more are single ones: those of an earlier launch, and of a sweep that was deleted.
    """
    runs = [
        *pages(lambda token: store.client.search_runs([store.experiment_id], "", max_results=PAGE, page_token=token))
    ]
    sweeps = [run for run in runs if SWEEP_TAG in run.data.tags]
    trained = [run for run in runs if IDENTITY_TAG in run.data.tags]
    of_identity: dict[str, list[Run]] = {}
    for run in sorted(trained, key=lambda run: (not is_finished(run), run.info.start_time)):
        of_identity.setdefault(run.data.tags[IDENTITY_TAG], []).append(run)
    entries = []
    for sweep in sweeps:
        first = [of_identity[identity][0] for identity, _ in jobs_of(sweep).values() if identity in of_identity]
        own = [run for run in trained if run.data.tags.get(PARENT_TAG) == sweep.info.run_id]  # of an earlier version
        entries.append(_entry(store, sweep, first if jobs_in(sweep) else own))
    parents = {sweep.info.run_id for sweep in sweeps}
    listed = {run.data.tags[IDENTITY_TAG] for entry in entries for run in entry.runs}
    entries += [
        _entry(store, run, [run])
        for run in trained
        if run.data.tags.get(PARENT_TAG) not in parents or run.data.tags[IDENTITY_TAG] not in listed
    ]
    return sorted(entries, key=lambda entry: -entry.updated)


def chosen(entries: Sequence[Entry], sweep: str | None) -> list[Entry]:
    """The entries that a user names: `latest`, a study's name, or the beginning of a run id; None takes all.

    Raises:
        UserError: there is none.
    """
    if sweep is None:
        return list(entries)
    if sweep == "latest":
        sweeps = [entry.run for entry in entries if entry.is_sweep]
        latest = max(sweeps, key=launched, default=None)
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


def _entry(store: Store, run: Run, runs: list[Run]) -> Entry:
    """A sweep with its runs, or a single run."""
    folders = [store.checkpoints / part.data.tags.get(IDENTITY_TAG, "-") for part in runs]
    return Entry(
        run,
        runs,
        jobs=max(jobs_in(run), len(runs)),
        state=_state(store, run, runs),
        updated=max(launched(run) if SWEEP_TAG in run.data.tags else 0, *(_time(part) for part in (run, *runs))) / 1000,
        checkpoints=sum(path.stat().st_size for folder in folders for path in folder.glob("*.ckpt")),
    )


def _time(run: Run) -> int:
    return int(run.info.end_time or run.info.start_time)


def _state(store: Store, run: Run, runs: Sequence[Run]) -> str:
    """How a sweep or a run stands: what MLflow calls running is `stale` where no process has the lock of a run of it,
    and a process that could was at work here."""
    if run.info.status != RUNNING:
        return str(run.info.status).lower()
    folders = [store.checkpoints / part.data.tags[IDENTITY_TAG] for part in runs if part.info.status == RUNNING]
    here = [folder / "lock" for folder in folders if (folder / "lock").exists()]
    if any(is_held(path) for path in here):
        return "running"
    fresh = time.time() - _time(run) / 1000 < 60  # it may be between two jobs, or at its first
    return "stale" if here or not (fresh or folders) else "running"


def is_held(path: Path) -> bool:
    """Whether a process has a lock."""
    try:
        with FileLock(path).acquire(timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # a folder that can only be read
        return False
