"""`sentiment-rnn runs` promises whoever keeps many runs: it lists each sweep and single run, its state and its best."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock
from mlflow.entities import Metric

from processes import Ask
from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.inventory import Entry, chosen, entries_of
from sentiment_rnn.tracking.names import (
    DIVERGED_TAG,
    IDENTITY_TAG,
    JOB_TAG,
    LAUNCHED_TAG,
    PARENT_TAG,
    STUDY_TAG,
    SWEEP_TAG,
    TRIAL_TAG,
)
from sentiment_rnn.tracking.store import Store

HOUR_AGO = time.time() - 2 * 3600


def add_run(
    store: Store,
    identity: str,
    status: str = "FINISHED",
    started: float | None = None,
    tags: dict[str, str] | None = None,
    **scores: float,
) -> str:
    """A run with two checkpoints of 100 bytes; `__` in the name of a score is a slash. Its id."""
    told = {IDENTITY_TAG: identity, STUDY_TAG: "alone", "encoder": "lstm", **(tags or {})}
    begun = int(1000 * (started or time.time()))
    run_id = str(store.client.create_run(store.experiment_id, begun, told, "lstm-seed0").info.run_id)
    store.client.log_batch(run_id, [Metric(key.replace("__", "/"), value, begun, 0) for key, value in scores.items()])
    if status != "RUNNING":
        store.client.set_terminated(run_id, status, begun)
    folder = store.checkpoints / identity
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("best.ckpt", "last.ckpt"):
        (folder / name).write_bytes(b"x" * 100)
    (folder / "lock").touch()
    return run_id


def add_sweep(
    store: Store,
    *scores: float,
    name: str = "mine",
    status: str = "FINISHED",
    started: float | None = None,
    jobs: int | None = None,
) -> tuple[str, list[str]]:
    """The ids of a sweep and of its finished runs with these validation accuracies.

    Args:
        jobs: how many it has, if not as many as scores.
    """
    begun = int(1000 * (started or time.time()))
    count = len(scores) if jobs is None else jobs
    listed = {f"{JOB_TAG}{n}": f"{name}-{n}\nseed={n}" for n in range(count)}
    told = {SWEEP_TAG: str(count), STUDY_TAG: name, LAUNCHED_TAG: str(begun)}
    parent = str(store.client.create_run(store.experiment_id, begun, told | listed, name).info.run_id)
    runs = [
        add_run(store, f"{name}-{n}", started=started, tags={PARENT_TAG: parent}, val__best_accuracy=score)
        for n, score in enumerate(scores)
    ]
    if status != "RUNNING":
        store.client.set_terminated(parent, status, begun)
    return parent, runs


def entry(store: Store, run_id: str) -> Entry:
    """The entry of a sweep or a single run."""
    (found,) = [entry for entry in entries_of(store) if entry.run.run_id == run_id]
    return found


def test_a_run_that_has_no_accuracy_is_ranked_by_its_loss_and_a_trial_or_a_diverged_run_is_not_ranked(
    store: Store,
) -> None:
    high = add_run(store, "a", val__best_loss=0.3)
    trial = add_run(store, "b", val__best_loss=0.01, tags={TRIAL_TAG: "limit_batches"})
    diverged = add_run(store, "c", status="FAILED", tags={DIVERGED_TAG: "in epoch 3"})
    assert getattr(entry(store, high).best, "value", None) == 0.3
    assert entry(store, trial).best is entry(store, diverged).best is None
    assert entry(store, diverged).done == 1


def test_what_mlflow_calls_running_is_running_while_a_process_has_the_lock_and_stale_after_that(store: Store) -> None:
    parent, _ = add_sweep(store, 0.7, status="RUNNING", jobs=2, started=HOUR_AGO)
    add_run(store, "mine-1", status="RUNNING", started=HOUR_AGO, tags={PARENT_TAG: parent})
    single = add_run(store, "single", status="RUNNING", started=HOUR_AGO)
    with FileLock(store.checkpoints / "mine-1" / "lock"), FileLock(store.checkpoints / "single" / "lock"):
        assert {entry(store, each).state for each in (parent, single)} == {"running"}
    assert {entry(store, each).state for each in (parent, single)} == {"stale"}


def test_entries_are_named_by_study_by_the_beginning_of_an_id_or_as_the_latest(store: Store) -> None:
    first, _ = add_sweep(store, 0.7, name="first", started=HOUR_AGO)
    second, _ = add_sweep(store, 0.7, name="second")
    single = add_run(store, "single")
    entries = entries_of(store)

    def ids(sweep: str | None) -> list[str]:
        return [found.run.run_id for found in chosen(entries, sweep)]

    assert (ids("first"), ids("latest"), ids(single[:8])) == ([first], [second], [single])
    assert set(ids(None)) == {first, second, single}
    for unknown in ("third", single[:3], ""):
        with pytest.raises(UserError, match="no such sweep or run; expected latest, a study's name"):
            ids(unknown)


@pytest.fixture
def said(store: Store, name: str, ask: Ask, tmp_path: Path) -> Callable[..., str]:
    """Output of the command."""
    where = ("--tracking-uri", store.uri, "--store", str(store.directory), "--experiment", name)
    return lambda *arguments: ask("runs", tmp_path, *arguments, *where).stdout


def test_the_table_has_a_line_for_each_sweep_and_single_run(store: Store, said: Callable[..., str]) -> None:
    parent, _ = add_sweep(store, 0.7, 0.875, status="FAILED", jobs=9)
    single = add_run(store, "single", status="RUNNING", started=HOUR_AGO)
    lines = said().splitlines()
    for run, parts in (
        (parent, ("mine", "failed", "2 of 9", "87.5 %", "lstm", "0 min", "400 bytes")),
        (single, ("lstm-seed0", "stale", "0 of 1", "2 h", "200 bytes")),
    ):
        (line,) = [line for line in lines if run[:8] in line]
        assert [part for part in parts if part not in line] == []


def test_the_json_has_sizes_in_bytes_and_times_in_utc(store: Store, said: Callable[..., str]) -> None:
    parent, (_, best) = add_sweep(store, 0.7, 0.9)
    (found,) = json.loads(said("--json", "mine"))
    assert found["updated"].endswith("+00:00")
    assert found.items() >= {
        "id": parent, "kind": "sweep", "done": 2, "jobs": 2, "checkpoint_bytes": 400,
        "best": {"run": best, "encoder": "lstm", "metric": "val/best_accuracy", "value": 0.9},
    }.items()  # fmt: skip
