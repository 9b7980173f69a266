"""Lists of a store by `sentiment-rnn runs`, and the checkpoints that `runs prune` removes."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow.entities import Metric

from processes import Ask
from sentiment_rnn.config.tracking import TrackingConfig
from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking import inventory, pruning
from sentiment_rnn.tracking.checkpoints import files_of, interrupted_checkpoint, load_checkpoint
from sentiment_rnn.tracking.inventory import Entry, chosen, entries_of
from sentiment_rnn.tracking.names import (
    CHECKPOINT_TAG,
    DIVERGED_TAG,
    IDENTITY_TAG,
    ORDER_TAG,
    PARENT_TAG,
    REUSED_TAG,
    STUDY_TAG,
    SWEEP_TAG,
    TAKEN_OVER_TAG,
    TRIAL_TAG,
    WRITER_TAG,
)
from sentiment_rnn.tracking.ownership import this_process
from sentiment_rnn.tracking.pruning import plan, remove
from sentiment_rnn.tracking.results import find_sweep, recorded_plan
from sentiment_rnn.tracking.store import Store, open_store

FILES = ("best.ckpt", "last.ckpt")
HOUR_AGO, YEAR_AGO = time.time() - 2 * 3600, time.time() - 365 * 86_400


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store for all tests of this file: making a database takes longer than any of them."""
    folder = tmp_path_factory.mktemp("store")
    return open_store(TrackingConfig(uri=None, directory=str(folder), experiment="sentiment_rnn"))


@pytest.fixture
def store(shared: Store, tmp_path: Path) -> Store:
    """An experiment of the test's own, its artifacts and checkpoints in `runs/`."""
    directory = tmp_path / "runs"
    directory.mkdir()
    made = shared.client.create_experiment(tmp_path.name, (directory / "artifacts").as_uri())
    return Store(shared.client, shared.uri, made, directory)


def add_run(
    store: Store,
    parent: str = "",
    status: str = "FINISHED",
    started: float | None = None,
    tags: dict[str, str] | None = None,
    **scores: float,
) -> str:
    """A run with two checkpoints of 100 bytes; `__` in the name of a score is a slash."""
    given = {IDENTITY_TAG: "x", STUDY_TAG: "alone", "encoder": "lstm", **(tags or {})}
    given |= {PARENT_TAG: parent} if parent else {}
    begun = int(1000 * (started or time.time()))
    run_id = str(store.client.create_run(store.experiment_id, begun, given, "lstm-seed0").info.run_id)
    store.client.log_batch(run_id, [Metric(key.replace("__", "/"), value, begun, 0) for key, value in scores.items()])
    folder = store.checkpoints / run_id
    folder.mkdir(parents=True)
    for name in FILES:
        (folder / name).write_bytes(b"x" * 100)
        os.utime(folder / name, (begun / 1000, begun / 1000))
    store.client.set_tag(run_id, CHECKPOINT_TAG, str(folder / "best.ckpt"))
    if status != "RUNNING":
        store.client.set_terminated(run_id, status, begun)
    return run_id


def add_sweep(store: Store, *scores: float, status: str = "FINISHED", jobs: int | None = None, name: str = "mine",
              started: float | None = None) -> tuple[str, list[str]]:  # fmt: skip
    """A sweep with a finished run for each validation accuracy: its parent and its runs."""
    begun = int(1000 * (started or time.time()))
    tags = {SWEEP_TAG: f"digest-{name}", STUDY_TAG: name}
    parent = str(store.client.create_run(store.experiment_id, begun, tags, name).info.run_id)
    listed = [[f"seed={seed}"] for seed in range(jobs or len(scores))]
    store.client.log_dict(parent, {"jobs": listed}, "sweep.yaml")
    runs = [add_run(store, parent, started=started, val__best_accuracy=score) for score in scores]
    if status != "RUNNING":
        store.client.set_terminated(parent, status, begun)
    return parent, runs


def entry(store: Store, run_id: str) -> Entry:
    """The entry of a sweep or run."""
    (found,) = [entry for entry in entries_of(store) if entry.run.info.run_id == run_id]
    return found


def removed(
    store: Store, keep: str = "none", older_than_days: float = 0, unfinished: bool = False
) -> dict[str, set[str]]:
    """The names of the checkpoints that a rule would remove, by run."""
    planned = plan(store, entries_of(store), keep, older_than_days, unfinished)
    return {part.run.info.run_id: {path.name for path in part.files} for part in planned.removals}


def test_a_sweep_is_one_entry_with_its_best_run_and_the_size_of_its_checkpoints(store: Store) -> None:
    parent, runs = add_sweep(store, 0.7, 0.9, 0.8)
    found = entry(store, parent)
    assert (found.name, found.state, found.done, found.jobs) == ("mine", "finished", 3, 3)
    assert found.best is not None
    assert (found.best.run.info.run_id, found.best.value) == (runs[1], 0.9)
    assert found.checkpoints == 3 * 200
    assert len(entries_of(store)) == 1


def test_a_sequence_run_is_judged_by_its_loss_and_a_trial_by_nothing(store: Store) -> None:
    parent, _ = add_sweep(store)
    add_run(store, parent, val__best_loss=0.3)
    low = add_run(store, parent, val__best_loss=0.1)
    add_run(store, parent, val__best_loss=0.01, tags={TRIAL_TAG: "fast_dev_run"})
    best = entry(store, parent).best
    assert best is not None
    assert best.run.info.run_id == low


def test_a_sweep_whose_process_ended_is_stale_and_one_whose_process_lives_is_running(store: Store) -> None:
    parent, _ = add_sweep(store, 0.7, status="RUNNING", jobs=4)
    store.client.set_tag(parent, WRITER_TAG, this_process().text())
    found = entry(store, parent)
    assert (found.state, found.done, found.jobs) == ("running", 1, 4)
    store.client.set_tag(parent, WRITER_TAG, replace(this_process(), started="before").text())
    assert entry(store, parent).state == "stale"


def test_a_single_run_is_stale_once_it_has_been_silent_for_long(store: Store) -> None:
    old, new = add_run(store, status="RUNNING", started=HOUR_AGO), add_run(store, status="RUNNING")
    assert (entry(store, old).state, entry(store, new).state) == ("stale", "running")
    store.client.log_batch(old, [Metric("train/loss", 0.5, int(1000 * time.time()), 7)])
    assert entry(store, old).state == "running"


def test_a_run_of_another_machine_that_was_resumed_is_no_older_than_what_it_wrote(store: Store) -> None:
    resumed = add_run(store, status="KILLED", started=HOUR_AGO)
    store.client.log_batch(resumed, [Metric("train/loss", 0.5, int(1000 * time.time()), 7)])
    store.client.update_run(resumed, "RUNNING")
    assert store.client.get_run(resumed).info.end_time
    assert entry(store, resumed).state == "running"
    assert removed(store, unfinished=True) == {}
    store.client.set_tag(resumed, WRITER_TAG, replace(this_process(), started="before").text())
    assert entry(store, resumed).state == "stale"
    assert removed(store, unfinished=True, older_than_days=0.01) == {}


def test_entries_are_named_by_study_by_the_beginning_of_an_id_or_as_the_latest(store: Store) -> None:
    first, _ = add_sweep(store, 0.7, name="first", started=HOUR_AGO)
    second, _ = add_sweep(store, 0.7, name="second")
    single = add_run(store)
    entries = entries_of(store)

    def ids(sweep: str | None) -> list[str]:
        return [found.run.info.run_id for found in chosen(entries, sweep)]

    assert (ids("first"), ids("latest"), ids(single[:8])) == ([first], [second], [single])
    assert set(ids(None)) == {first, second, single}
    for unknown in ("third", single[:3], ""):
        with pytest.raises(UserError, match="no such sweep or run; expected latest, a study's name"):
            ids(unknown)


def test_the_runs_of_a_sweep_that_was_deleted_are_listed_by_themselves(store: Store) -> None:
    parent, runs = add_sweep(store, 0.7)
    store.client.delete_run(parent)
    assert [([found.run.info.run_id], found.is_sweep) for found in entries_of(store)] == [(runs, False)]


def test_a_finished_sweep_that_was_asked_for_again_is_the_latest(store: Store) -> None:
    first, _ = add_sweep(store, 0.7, name="first", started=HOUR_AGO)
    add_sweep(store, 0.7, name="second")
    store.client.set_terminated(first, end_time=int(1000 * time.time()) + 1)
    assert chosen(entries_of(store), "latest")[0].run.info.run_id == find_sweep(store, "latest").info.run_id == first


@pytest.mark.parametrize("left", ["", "1", "[1]", '{"pid": 1}', '{"pid": []}', 400 * "[", "soon"])
def test_what_another_version_left_on_a_sweep_breaks_the_list_for_nobody(
    left: str, store: Store, said: Callable[..., str]
) -> None:
    parent, _ = add_sweep(store, 0.7, 0.9, status="RUNNING", jobs=4)
    for tag in (WRITER_TAG, ORDER_TAG):
        store.client.set_tag(parent, tag, left)
    store.client.log_text(parent, left, "sweep.yaml")
    other, _ = add_sweep(store, 0.8, name="other")
    assert {found["id"] for found in json.loads(said("runs", "--json"))} == {parent, other}
    assert "left alone: 2 runs" in said("runs", "prune")
    store.client.set_terminated(parent, "FAILED")
    assert entry(store, parent).state == "failed"


@pytest.mark.parametrize("plan", ["jobs: 5", "jobs: [5, a]", "jobs: [[5, a=b]]", "trials: many", "trials: [1]"])
def test_the_plan_of_another_version_counts_as_none(plan: str, store: Store) -> None:
    parent, runs = add_sweep(store, 0.7, 0.9, status="FAILED")
    store.client.log_text(parent, plan, "sweep.yaml")
    assert entry(store, parent).jobs == (1 if "a=b" in plan else len(runs))
    assert recorded_plan(store, store.client.get_run(parent)).count == (1 if "a=b" in plan else 0)


def test_every_run_is_listed_however_many_pages_they_fill(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory, "PAGE", 2)
    parent, _ = add_sweep(store, *(0.5,) * 5)
    assert entry(store, parent).done == 5


def test_a_run_that_comes_twice_since_another_began_between_two_pages_counts_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent, _ = add_sweep(store, *(0.5,) * 5)
    once = inventory.pages
    monkeypatch.setattr(inventory, "pages", lambda ask: (run for run in once(ask) for _ in range(2)))
    assert (entry(store, parent).done, entry(store, parent).jobs) == (5, 5)


def test_a_run_that_was_trained_anew_is_no_job_more(store: Store) -> None:
    parent, _ = add_sweep(store, 0.7, 0.9)
    add_run(store, parent, status="KILLED", tags={TAKEN_OVER_TAG: "another"})
    assert (entry(store, parent).done, entry(store, parent).jobs) == (2, 2)


@pytest.mark.parametrize(
    ("keep", "gone"), [("best", {"last.ckpt"}), ("last", {"best.ckpt"}), ("none", {"best.ckpt", "last.ckpt"})]
)
def test_a_rule_keeps_one_checkpoint_of_each_run_and_all_of_the_best(store: Store, keep: str, gone: set[str]) -> None:
    _, (low, high) = add_sweep(store, 0.7, 0.9)
    single = add_run(store, val__best_accuracy=0.1)
    assert removed(store, keep) == {low: gone, single: gone}
    remove(store, plan(store, entries_of(store), keep), f"--keep {keep}")
    assert {path.name for path in files_of(store, low)} == set(FILES) - gone
    assert {path.name for path in files_of(store, high)} == set(FILES)


@pytest.mark.parametrize(("keep", "gone"), [("best", set()), ("last", set()), ("none", {"best.ckpt"})])
def test_of_a_run_that_left_no_last_checkpoint_the_best_stays(store: Store, keep: str, gone: set[str]) -> None:
    run = add_run(store, val__best_accuracy=0.1)
    (store.checkpoints / run).joinpath("last.ckpt").unlink()
    assert removed(store, keep).get(run, set()) == gone


@pytest.mark.parametrize(("keep", "stays"), [("best", {"last.ckpt"}), ("last", {"last.ckpt"}), ("none", set())])
def test_of_a_run_that_has_no_best_checkpoint_yet_the_last_stays(store: Store, keep: str, stays: set[str]) -> None:
    run = add_run(store, val__best_accuracy=0.1)
    folder = store.checkpoints / run
    (folder / "best.ckpt").rename(folder / "epoch0.ckpt")
    assert removed(store, keep)[run] == {"epoch0.ckpt", "last.ckpt"} - stays


def test_a_registered_run_keeps_its_checkpoints_whatever_its_alias(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, (first, second, _) = add_sweep(store, 0.7, 0.8, 0.9)
    store.client.create_registered_model("products")
    for run_id, alias in ((first, "champion"), (second, "mine")):
        version = store.client.create_model_version("products", f"file:///{run_id}", run_id).version
        store.client.set_registered_model_alias("products", alias, version)
    store.client.create_registered_model("another")
    monkeypatch.setattr(pruning, "PAGE", 1)
    planned = plan(store, entries_of(store), "none")
    assert planned.removals == []
    assert planned.spared == {
        "registered as products@champion": 1, "registered as products@mine": 1, "the best of a sweep": 1,
    }  # fmt: skip


@pytest.mark.parametrize("status", ["FAILED", "KILLED", "RUNNING"])
def test_a_run_that_can_be_resumed_goes_only_where_that_is_asked_for(store: Store, status: str) -> None:
    broken = add_run(store, status=status, started=HOUR_AGO)
    assert removed(store) == {}
    assert removed(store, unfinished=True) == {broken: set(FILES)}


def test_a_run_that_diverged_is_done_and_its_checkpoints_can_go(store: Store) -> None:
    parent, runs = add_sweep(store, 0.7, 0.8, started=HOUR_AGO)
    broken = add_run(store, parent, "FAILED", HOUR_AGO, {DIVERGED_TAG: "the loss is nan"})
    assert (entry(store, parent).done, entry(store, parent).jobs) == (3, 3)
    assert removed(store) == {runs[0]: set(FILES), broken: set(FILES)}


def test_a_live_run_is_never_touched(store: Store) -> None:
    add_run(store, status="RUNNING")
    silent = add_run(store, status="RUNNING", started=YEAR_AGO)
    parent, _ = add_sweep(store, 0.7, 0.9, status="RUNNING")
    for run_id in (silent, parent):
        store.client.set_tag(run_id, WRITER_TAG, this_process().text())
    assert removed(store, unfinished=True) == {}


def test_a_job_that_outlives_its_sweep_is_not_touched(store: Store) -> None:
    parent, _ = add_sweep(store, 0.9, status="FAILED")
    job = add_run(store, parent, status="RUNNING", started=YEAR_AGO, tags={IDENTITY_TAG: "y"})
    store.client.set_tag(job, WRITER_TAG, this_process().text())
    assert removed(store, unfinished=True) == {}
    store.client.set_tag(job, WRITER_TAG, replace(this_process(), started="before").text())
    assert removed(store, unfinished=True) == {job: set(FILES)}


def test_a_young_run_stays(store: Store) -> None:
    old = add_run(store, started=YEAR_AGO)
    add_run(store)
    assert set(removed(store, older_than_days=30)) == {old}


def test_a_link_in_the_folder_is_neither_counted_nor_deleted(store: Store, tmp_path: Path) -> None:
    run_id = add_run(store)
    (tmp_path / "precious.ckpt").write_bytes(b"mine")
    (store.checkpoints / run_id / "link.ckpt").symlink_to(tmp_path / "precious.ckpt")
    linked = add_run(store)
    moved = (store.checkpoints / linked).rename(tmp_path / "elsewhere")
    (store.checkpoints / linked).symlink_to(moved)
    assert removed(store) == {run_id: set(FILES)}


def test_whoever_wants_a_removed_checkpoint_is_told_in_one_line(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    run_id = add_run(store)
    remove(store, plan(store, entries_of(store), "none"), "--keep none")
    gone = r"gone \(runs prune --keep none removed it on 20.*tracking.repeat=true"
    with pytest.raises(UserError, match=gone) as said:
        load_checkpoint(store.checkpoints / run_id / "best.ckpt")
    assert "\n" not in str(said.value)
    with caplog.at_level("INFO", "sentiment_rnn"):
        assert interrupted_checkpoint(store, run_id) is None
    assert "no checkpoint to resume from (runs prune --keep none removed it" in caplog.text


@pytest.fixture
def said(store: Store, ask: Ask, tmp_path: Path) -> Callable[..., str]:
    """Output of a command."""

    def run(*arguments: str) -> str:
        where = ("--tracking-uri", store.uri, "--store", str(store.directory))
        experiment = store.client.get_experiment(store.experiment_id).name
        return ask(arguments[0], tmp_path, *arguments[1:], *where, "--experiment", experiment).stdout

    return run


def test_the_table_has_a_line_for_each_sweep_and_single_run(store: Store, said: Callable[..., str]) -> None:
    parent, _ = add_sweep(store, 0.7, 0.875, status="FAILED", jobs=9)
    single = add_run(store, status="RUNNING", started=HOUR_AGO)
    lines = said("runs").splitlines()
    (of_sweep,) = [line for line in lines if parent[:8] in line]
    assert all(part in of_sweep for part in ("mine", "failed", "2 of 9", "87.5 %", "lstm", "0 min", "400 bytes"))
    (of_single,) = [line for line in lines if single[:8] in line]
    assert all(part in of_single for part in ("lstm-seed0", "stale", "0 of 1", "2 h", "200 bytes"))


def test_the_json_has_sizes_in_bytes_and_times_in_utc(store: Store, said: Callable[..., str]) -> None:
    parent, (_, best) = add_sweep(store, 0.7, 0.9)
    (found,) = json.loads(said("runs", "--json", "mine"))
    assert (found["id"], found["kind"], found["done"], found["jobs"]) == (parent, "sweep", 2, 2)
    assert found["best"] == {"run": best, "encoder": "lstm", "metric": "val/best_accuracy", "value": 0.9}
    assert found["checkpoint_bytes"] == 400
    assert found["updated"].endswith("+00:00")


def test_pruning_shows_what_it_would_do_and_deletes_only_when_told_to(store: Store, said: Callable[..., str]) -> None:
    _, (low, _) = add_sweep(store, 0.7, 0.9)
    shown = said("runs", "prune")
    assert "nothing is deleted yet; --yes deletes 1 checkpoint, 100 bytes" in shown
    assert "left alone: 1 run, the best of a sweep" in shown
    assert len(files_of(store, low)) == 2
    assert json.loads(said("runs", "prune", "--json"))["removals"][0]["run"] == low
    assert "deleted 1 checkpoint, 100 bytes" in said("runs", "prune", "--yes")
    assert [path.name for path in files_of(store, low)] == ["best.ckpt"]
    assert json.loads(said("runs", "prune", "--keep", "none", "--json", "--yes"))["bytes"] == 100
    assert "nothing to delete" in said("runs", "prune", "--yes")


def test_a_run_that_another_sweep_reuses_is_of_both_and_its_disk_space_of_the_one_that_trained_it(store: Store) -> None:
    parent, runs = add_sweep(store, 0.7, 0.8, name="first")
    other, (own,) = add_sweep(store, 0.9, name="second")
    store.client.set_tag(other, f"{REUSED_TAG}.{runs[0]}", "seed=0")
    store.client.set_tag(other, f"{REUSED_TAG}.deleted", "seed=1")
    found = entry(store, other)
    assert [run.info.run_id for run in found.runs] == [own, runs[0]]
    assert (found.done, found.jobs, found.checkpoints, entry(store, parent).checkpoints) == (2, 2, 200, 400)


def test_pruning_one_sweep_leaves_the_runs_that_another_lists_and_says_so(
    store: Store, said: Callable[..., str]
) -> None:
    _, (low, lower, _) = add_sweep(store, 0.7, 0.6, 0.8, name="first")
    other, _ = add_sweep(store, 0.5, name="second")
    store.client.set_tag(other, f"{REUSED_TAG}.{low}", "seed=0")
    shown = json.loads(said("runs", "prune", "--json", "first"))
    assert [removal["run"] for removal in shown["removals"]] == [lower]
    assert shown["left_alone"] == {"also of the sweep second": 1, "the best of a sweep": 1}
    assert low not in removed(store), "the best of the other"
    best, _ = add_sweep(store, 0.9, name="third")
    store.client.set_tag(best, f"{REUSED_TAG}.{lower}", "seed=1")
    assert list(removed(store)).count(lower) == 1
