"""Records of a run in its own folder: before each checkpoint, when another process takes over, and at its end."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from processes import wait_for
from sentiment_rnn.config.store import run_config
from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.checkpoints import LAST, PREVIOUS, CheckpointFiles
from sentiment_rnn.tracking.monitor import Monitor
from sentiment_rnn.tracking.record import RunRecord
from sentiment_rnn.tracking.start import DivergedError, tracked_run
from sentiment_rnn.tracking.store import Store, open_store

SMALL = ("task=adding", "tracking.system_metrics=false")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a store: making one takes longer than any test here."""
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def store(folder: Path) -> Store:
    """A local store."""
    return open_store(run_config(*SMALL, f"tracking.directory={folder}").tracking)


def new_record(store: Store) -> RunRecord:
    """The record of a new run, which this process writes."""
    record = RunRecord(store, store.client.create_run(store.experiment_id).info.run_id)
    record.begin({"begun": "by the first"})
    return record


def points_in(record: RunRecord) -> list[tuple[str, float, int]]:
    """Name, value and step of all that is on the disk, as another process reads it."""
    return [(name, value, step) for name, value, _, step in RunRecord(record.store, record.run_id).points()[0]]


def save_checkpoint(record: RunRecord) -> None:
    """Write a last checkpoint, as Lightning does."""
    state = {"state_dict": {"weight": torch.ones(3)}, "global_step": 1}
    CheckpointFiles(record.flush).save_checkpoint(state, record.checkpoints / LAST)


def test_what_was_measured_before_a_checkpoint_is_on_the_disk_when_it_is_written(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, fsync = new_record(store), os.fsync
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda file: (synced.append(os.fstat(file).st_ino), fsync(file)))
    record.log_metrics({"loss": 0.5}, 1)
    save_checkpoint(record)
    files = (record.folder / "metrics.jsonl", record.checkpoints / LAST)
    assert synced == [path.stat().st_ino for path in files]
    assert points_in(record) == [("loss", 0.5, 1)]


def test_a_line_at_which_a_process_was_killed_is_passed_over_and_the_next_process_goes_on(store: Store) -> None:
    killed = new_record(store)
    killed.log_metrics({"loss": 0.5}, 1)
    with (killed.folder / "metrics.jsonl").open("a") as file:
        file.write('["loss", 0.2')
    assert points_in(killed) == [("loss", 0.5, 1)]
    record = RunRecord(store, killed.run_id)
    record.begin()
    record.log_metrics({"loss": 0.25}, 2)
    assert points_in(record) == [("loss", 0.5, 1), ("loss", 0.25, 2)]


def test_a_resumed_run_goes_on_with_its_curves_and_repeats_no_step(store: Store) -> None:
    first = new_record(store)
    first.log_metrics({"loss": 0.5, "system/cpu": 9.0}, 1)
    record = RunRecord(store, first.run_id)
    record.begin()
    record.log_metrics({"loss": 0.4}, 1)
    record.log_metrics({"loss": 0.25}, 2)
    assert record.curve("loss") == ([1, 2], [0.5, 0.25])
    assert record.next_sample == 2
    assert points_in(record) == [("loss", 0.5, 1), ("system/cpu", 9.0, 1), ("loss", 0.25, 2)]


@pytest.mark.parametrize(
    "write",
    [
        lambda record: record.log_metrics({"loss": 0.1}, 9),
        lambda record: record.tags({"found": "by the first"}),
        lambda record: record.log_text("of the first", "found.txt"),
        lambda record: record.log_data("imdb", "digest", {}),
        save_checkpoint,
        lambda record: record.end("FINISHED"),
    ],
)
def test_a_process_whose_run_another_has_taken_over_writes_no_more(
    write: Callable[[RunRecord], None], store: Store
) -> None:
    first = new_record(store)
    second = RunRecord(store, first.run_id)
    second.begin({"begun": "by the second"})
    before = {path: path.read_bytes() for path in first.checkpoints.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match=f"^run {first.run_id}: another process has taken this run over; this one wri"):
        write(first)
    assert {path: path.read_bytes() for path in first.checkpoints.rglob("*") if path.is_file()} == before


def test_a_run_that_another_process_takes_over_ends_in_one_line_and_not_in_the_store(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    begun: list[RunRecord] = []

    def train() -> None:
        with tracked_run(store, run_config(*SMALL), "identity", []) as record:
            begun.append(record)
            RunRecord(store, record.run_id).begin()
            record.log_metrics({"loss": 0.5}, 1)

    with pytest.raises(UserError, match="another process has taken this run over"):
        train()
    assert "Traceback" not in caplog.text
    assert store.client.get_run(begun[0].run_id).info.status == "RUNNING"
    assert points_in(begun[0]) == []


@pytest.mark.parametrize(("kind", "left"), [("full", {LAST}), ("results", set())])
def test_a_finished_run_keeps_its_last_checkpoint_unless_it_records_results_alone(
    store: Store, kind: str, left: set[str]
) -> None:
    with tracked_run(store, run_config(*SMALL, f"tracking.record={kind}"), "identity", []) as record:
        save_checkpoint(record)
        save_checkpoint(record)
        assert {path.name for path in record.checkpoints.glob("*.ckpt")} == {LAST, PREVIOUS}
    assert {path.name for path in record.checkpoints.iterdir()} == left


def test_a_run_that_fails_keeps_its_last_checkpoint_whatever_it_records(store: Store) -> None:
    folders: list[Path] = []

    def train() -> None:
        with tracked_run(store, run_config(*SMALL, "tracking.record=results"), "identity", []) as record:
            folders.append(record.checkpoints)
            save_checkpoint(record)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        train()
    assert (folders[0] / LAST).exists()


def test_a_run_that_resumes_says_nothing_of_the_failure_before(store: Store) -> None:
    def train(fails: bool, *overrides: str) -> None:
        with tracked_run(store, run_config(*SMALL, *overrides), "identity", []) as record:
            failed.append(record.run_id)
            if fails:
                record.tags({"sentiment_rnn.pruned": "after epoch 1"})
                raise DivergedError("the loss is nan in batch 2")

    failed: list[str] = []
    with pytest.raises(DivergedError):
        train(True)
    of_the_failure = {"sentiment_rnn.error", "sentiment_rnn.diverged", "sentiment_rnn.pruned"}
    assert of_the_failure <= store.client.get_run(failed[0]).data.tags.keys()
    assert "traceback.txt" in [artifact.path for artifact in store.client.list_artifacts(failed[0])]
    train(False, f"tracking.resume='{failed[0]}'")
    run = store.client.get_run(failed[0])
    assert run.info.status == "FINISHED"
    assert not of_the_failure & run.data.tags.keys()
    assert "traceback.txt" not in [artifact.path for artifact in store.client.list_artifacts(failed[0])]


def test_a_run_whose_process_was_killed_before_it_had_its_parameters_gets_them_when_it_resumes(store: Store) -> None:
    tags = {"sentiment_rnn.identity": "identity"}
    run_id = store.client.create_run(store.experiment_id, tags=tags).info.run_id
    with tracked_run(store, run_config(*SMALL, "seed=3", f"tracking.resume='{run_id}'"), "identity", []):
        pass
    assert store.client.get_run(run_id).data.params["seed"] == "3"


def test_system_metrics_are_recorded_and_a_run_that_resumes_goes_on_with_their_steps(store: Store) -> None:
    record, seen = new_record(store), 0

    def steps() -> list[int]:
        return [step for name, _, step in points_in(record) if name == "system/system_memory_usage_megabytes"]

    for _ in range(2):
        resumed = RunRecord(store, record.run_id)
        resumed.begin()
        monitor = Monitor(resumed, seconds=0.01)
        monitor.start()
        wait_for(lambda before=seen: len(steps()) > before)
        monitor.finish()
        seen = len(steps())
    assert steps() == list(range(seen))


def test_system_metrics_that_a_full_disk_does_not_take_end_without_a_word(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, said = new_record(store), []
    monkeypatch.setattr(threading, "excepthook", said.append)
    monkeypatch.setattr(record, "metrics", lambda _: Path("/dev/full").write_text("a number"))
    monitor = Monitor(record, seconds=0.01)
    monitor.start()
    assert monitor._process
    monitor._process.join(20)
    assert not monitor._process.is_alive()
    assert said == []


def test_a_failure_to_report_does_not_take_the_place_of_the_failure(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    def fail() -> None:
        with tracked_run(store, run_config(*SMALL), "identity", []):
            monkeypatch.setattr(RunRecord, "_tell", full)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert "its end is not recorded ([Errno 28] No space left on device)" in caplog.text
