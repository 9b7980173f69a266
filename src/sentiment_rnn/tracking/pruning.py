"""Checkpoints that no run resumes from any more: which they are, and their removal."""

from collections.abc import Iterator
from pathlib import Path

from filelock import Timeout

from sentiment_rnn.locks import FileLock
from sentiment_rnn.tracking.results import PAGE, is_finished, runs_of
from sentiment_rnn.tracking.start import place_of
from sentiment_rnn.tracking.store import Store


def superfluous(store: Store) -> Iterator[tuple[Path, int, str]]:
    """The folder, bytes and reason of checkpoints of runs that have finished, or that the store does not have, or has
    deleted. Only folders that name this store count, whatever their experiments."""
    experiments = [found.experiment_id for found in store.client.search_experiments(max_results=PAGE)]
    for folder in sorted(path for path in store.checkpoints.glob("*") if place_of(path).get("store") == store.uri):
        size = sum(path.stat().st_size for path in folder.glob("*.ckpt"))
        runs = runs_of(store, [folder.name], experiments=experiments)
        if size and (not runs or is_finished(runs[0])):
            yield folder, size, "finished" if runs else "no run of it is in the store"


def remove(folder: Path) -> bool:
    """Delete the checkpoints in a folder; False where a process trains its run now. The lock stays, since a process may
    come to wait for it."""
    try:
        with FileLock(folder / "lock").acquire(timeout=0):
            for path in folder.iterdir():
                if path.name != "lock":
                    path.unlink()
            return True
    except Timeout:
        return False
