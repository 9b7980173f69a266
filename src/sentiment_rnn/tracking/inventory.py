"""Contents of a store: its sweeps and single runs, how far each is, its best run, and the size of its checkpoints."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.names import (
    BEST_ACCURACY,
    BEST_LOSS,
    PARENT_TAG,
    PRUNED_TAG,
    SHORTEST_ID,
    STUDY_TAG,
    SWEEP_TAG,
    TRIAL_TAG,
)
from sentiment_rnn.tracking.results import RUNNING, RecordedRun, search
from sentiment_rnn.tracking.store import Store
from sentiment_rnn.tracking.sweeps import jobs_in, jobs_of, launched


class Best(NamedTuple):
    """The run of a sweep that is the best on validation."""

    run: RecordedRun
    metric: str
    value: float


@dataclass(frozen=True)
class Entry:
    """A sweep with its runs, or a single run."""

    run: RecordedRun
    """The parent, or the single run itself."""
    runs: list[RecordedRun]
    """The runs of the sweep's jobs, even if another sweep trained them, or the single run."""
    jobs: int
    """How many runs the complete sweep has."""
    state: str
    """`finished`, `failed`, `killed`, `running`, or `stale` (MLflow says running, but no process works on it)."""
    updated: float
    """When it was last launched, or when it ended, in seconds since 1970."""
    checkpoints: int
    """Bytes."""

    @property
    def name(self) -> str:
        """Name of its study."""
        return self.run.tags.get(STUDY_TAG, self.run.name)

    @property
    def is_sweep(self) -> bool:
        """Whether it is a sweep."""
        return SWEEP_TAG in self.run.tags

    @property
    def done(self) -> int:
        """How many of its runs have finished, were pruned by a search, or diverged."""
        return sum(is_done(run) for run in self.runs)

    @property
    def best(self) -> Best | None:
        """Its best run; None if no run has finished, trials with limited batches not counted."""
        return best_of(self.runs)


def is_done(run: RecordedRun) -> bool:
    """Whether there is nothing to resume: the run has finished, was pruned by a search, or diverged."""
    return run.finished or run.diverged or PRUNED_TAG in run.tags


def best_of(runs: Sequence[RecordedRun]) -> Best | None:
    """The best finished run on validation, by `validation_rank`, without trials; None if no run has a score."""
    earnest = [run for run in runs if run.finished and TRIAL_TAG not in run.tags]
    best = min(earnest, key=lambda run: run.validation_rank, default=None)
    for metric in (BEST_ACCURACY, BEST_LOSS):
        if best and not math.isnan(value := best.metrics[metric]):
            return Best(best, metric, value)
    return None


def entries_of(store: Store) -> list[Entry]:
    """All sweeps and single runs of a store's experiment, the last updated first. Evaluations are left out.

    Runs that no sweep lists any more count as single runs: those of an earlier launch, or of a deleted sweep.
    """
    runs = search(store, "")
    sweeps = [run for run in runs if SWEEP_TAG in run.tags]
    trained = [run for run in runs if run.identity]
    of_identity: dict[str, list[RecordedRun]] = {}
    for run in sorted(trained, key=lambda run: (not run.finished, run.run.info.start_time)):
        of_identity.setdefault(run.identity, []).append(run)
    entries = []
    for sweep in sweeps:
        first = [of_identity[identity][0] for identity, _ in jobs_of(sweep.run).values() if identity in of_identity]
        entries.append(_entry(store, sweep, first))
    parents = {sweep.run_id for sweep in sweeps}
    listed = {run.identity for entry in entries for run in entry.runs}
    entries += [
        _entry(store, run, [run])
        for run in trained
        if run.tags.get(PARENT_TAG) not in parents or run.identity not in listed
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
        sweeps = [entry for entry in entries if entry.is_sweep]
        named = sorted(sweeps, key=lambda entry: launched(entry.run.run))[-1:]
    else:
        long = len(sweep) >= SHORTEST_ID
        named = [entry for entry in entries if sweep == entry.name or (long and entry.run.run_id.startswith(sweep))]
    if not named:
        raise UserError(
            f"{sweep}: no such sweep or run; expected latest, a study's name, or {SHORTEST_ID} or more "
            "characters of an id that sentiment-rnn runs shows"
        )
    return named


def _entry(store: Store, run: RecordedRun, runs: list[RecordedRun]) -> Entry:
    """A sweep with its runs, or a single run."""
    folders = [store.checkpoints / part.identity for part in runs]
    return Entry(
        run,
        runs,
        jobs=max(jobs_in(run.run), len(runs)),
        state=_state(store, run, runs),
        updated=max(
            launched(run.run),
            *(part.updated for part in (run, *runs)),
        )
        / 1000,
        checkpoints=sum(path.stat().st_size for folder in folders for path in folder.glob("*.ckpt")),
    )


def _state(store: Store, run: RecordedRun, runs: Sequence[RecordedRun]) -> str:
    """State of a sweep or a run. If MLflow says running, it is `stale` if its runs have locks and no process holds
    one."""
    if run.status != RUNNING:
        return run.status.lower()
    locks = [store.checkpoints / part.identity / "lock" for part in runs]
    here = [lock for lock in locks if lock.exists()]
    return "running" if not here or any(is_held(path) for path in here) else "stale"


def is_held(path: Path) -> bool:
    """Whether a process holds a lock."""
    try:
        with FileLock(path).acquire(timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # the folder is read-only
        return False
