"""Checkpoints that nobody needs any more: which they are, why the others stay, and their removal."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlflow.entities import Run

from sentiment_rnn.tracking.checkpoints import LAST, PRUNED, files_of
from sentiment_rnn.tracking.inventory import PAGE, Entry, is_done, last_work, pages
from sentiment_rnn.tracking.names import CHECKPOINT_TAG
from sentiment_rnn.tracking.store import Store

DAY = 86_400
"""Seconds."""
BEST_BY_DEFAULT = "best.ckpt"
"""The best so far of a run that has not finished."""


@dataclass(frozen=True)
class Removal:
    """The checkpoints of one run that a rule removes."""

    entry: Entry
    run: Run
    files: list[Path]

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(path.stat().st_size for path in self.files)


@dataclass(frozen=True)
class Plan:
    """Checkpoints that a rule removes, and those that it must not touch."""

    removals: list[Removal]
    spared: dict[str, int]
    """How many runs keep all their checkpoints, by the reason."""

    @property
    def size(self) -> int:
        """Bytes that it removes."""
        return sum(removal.size for removal in self.removals)


def plan(
    store: Store,
    entries: Sequence[Entry],
    keep: str,
    older_than_days: float = 0.0,
    unfinished: bool = False,
    others: Sequence[Entry] = (),
) -> Plan:
    """Checkpoints of these sweeps and runs that a rule removes. Nothing is removed yet.

    A run whose model has an alias, the best run of a sweep, what is running now and what `others` list keep all their
    checkpoints.

    Args:
        keep: `best` and `last` keep that one checkpoint of each run, `none` keeps none.
        older_than_days: leave runs alone that ended later than this.
        unfinished: also of runs that did not finish, which could then only start anew.
        others: sweeps that the rule is not for. They may list runs that these have trained.
    """
    registered = aliases_by_run(store)
    listed = {run.info.run_id: entry.name for entry in others for run in entry.runs}
    removals: dict[str, Removal] = {}
    spared: dict[str, str] = {}
    for entry in entries:
        best = entry.best
        for run in entry.runs:
            files = files_of(store, run.info.run_id)
            if not files:
                continue
            if run.info.run_id in registered:
                reason = f"registered as {registered[run.info.run_id]}"
            elif entry.is_sweep and best and run.info.run_id == best.run.info.run_id:
                reason = "the best of a sweep"
            elif run.info.run_id in listed:
                reason = f"also of the sweep {listed[run.info.run_id]}"
            elif entry.is_running(run):
                reason = "running"
            elif not is_done(run) and not unfinished:
                reason = "unfinished, and can be resumed (--unfinished includes them)"
            elif time.time() - last_work(store, run) < older_than_days * DAY:
                reason = f"not older than {older_than_days:g} days"
            else:
                if removed := [path for path in files if path.name != _kept(run, keep, files)]:
                    removals.setdefault(run.info.run_id, Removal(entry, run, removed))
                continue
            spared[run.info.run_id] = reason  # whatever another sweep that lists it says
    return Plan([removal for run_id, removal in removals.items() if run_id not in spared], Counter(spared.values()))


def aliases_by_run(store: Store) -> dict[str, str]:
    """Name and alias of registered models, `sentiment@champion`, by the run that trained them."""
    found: dict[str, str] = {}
    for model in pages(lambda token: store.client.search_registered_models(max_results=PAGE, page_token=token)):
        for alias, version in model.aliases.items():
            run_id = store.client.get_model_version(model.name, version).run_id
            found.setdefault(run_id, f"{model.name}@{alias}")
    return found


def remove(store: Store, planned: Plan, rule: str) -> None:
    """Delete what the plan names, and leave a note in each folder for whoever asks for a checkpoint later.

    Args:
        rule: what was asked for, `--keep best` say.
    """
    for removal in planned.removals:
        note = f"runs prune {rule} removed it on {time.strftime('%Y-%m-%d')}"
        (store.checkpoints / removal.run.info.run_id / PRUNED).write_text(note + "\n", encoding="utf-8")
        for path in removal.files:
            path.unlink(missing_ok=True)


def _kept(run: Run, keep: str, files: Sequence[Path]) -> str:
    """The name of the checkpoint that stays: of a run that has no best one, the last, and the reverse."""
    best = Path(run.data.tags.get(CHECKPOINT_TAG, BEST_BY_DEFAULT)).name
    wanted = {"best": (best, LAST), "last": (LAST, best), "none": ()}[keep]
    return next((name for name in wanted if any(path.name == name for path in files)), "")
