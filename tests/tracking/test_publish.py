"""A run's record on its way to the store: all of it once, whatever the store refuses and however long it is away."""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from processes import wait_for
from sentiment_rnn.config.store import run_config
from sentiment_rnn.config.tracking import TrackingConfig
from sentiment_rnn.errors import UserError
from sentiment_rnn.inference.package import Package, write_package
from sentiment_rnn.tracking import publish
from sentiment_rnn.tracking.models import PACKAGE
from sentiment_rnn.tracking.names import IDENTITY_TAG, SWEEP_TAG, TAKEN_OVER_TAG, WRITER_TAG
from sentiment_rnn.tracking.ownership import this_process
from sentiment_rnn.tracking.publish import Copy, Publisher, publish_left, sync
from sentiment_rnn.tracking.record import RunRecord
from sentiment_rnn.tracking.results import SweepPlan
from sentiment_rnn.tracking.start import tracked_run
from sentiment_rnn.tracking.store import Store, open_store
from sentiment_rnn.tracking.sweeps import open_sweep

AWAY = MlflowException("API request to http://127.0.0.1:9/x failed with exception Connection refused")
FULL = MlflowException("(sqlite3.OperationalError) database or disk is full")
ENDED = replace(this_process(), started="before").text()
"""A process of this machine that has ended, as a tag has it."""


class Client:
    """A store's client that notes what it is asked, and raises `fault` instead while there is one."""

    def __init__(self, client: MlflowClient) -> None:
        self.client = client
        self.fault: Exception | None = None
        self.asked: list[tuple[str, Any]] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self.client, name)

        def ask(*given: Any, **named: Any) -> Any:
            self.asked.append((name, given))
            if self.fault:
                raise self.fault
            return method(*given, **named)

        return ask


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store of SQLite: making one takes longer than any test here."""
    return open_store(TrackingConfig(uri=None, directory=str(tmp_path_factory.mktemp("made")), experiment="here"))


@pytest.fixture
def store(made: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The same with records in a folder of the test's own, with short pauses between attempts."""
    for name, seconds in {"FIRST_PAUSE": 0.05, "LONGEST_PAUSE": 0.1, "INTERVAL": 0.05}.items():
        monkeypatch.setattr(publish, name, seconds)
    return replace(made, client=Client(made.client), directory=tmp_path)  # type: ignore[arg-type]


@pytest.fixture
def record(store: Store) -> RunRecord:
    """The record of a new run, which this process writes."""
    return new_record(store)


def new_record(store: Store) -> RunRecord:
    run = store.client.create_run(store.experiment_id)
    record = RunRecord(store, run.info.run_id)
    record.begin({"encoder": "lstm"}, {"seed": "3"})
    return record


def as_of_an_ended_process(record: RunRecord) -> RunRecord:
    """The record as its process left it when it was killed."""
    record.tags({WRITER_TAG: ENDED})
    return record


def points(record: RunRecord, name: str = "loss") -> list[tuple[int, float]]:
    """Step and value of each row that the store has of a metric."""
    with closing(sqlite3.connect(record.store.uri.removeprefix("sqlite:///"))) as connection:
        query = "select step, value from metrics where run_uuid = ? and key = ? order by step"
        return connection.execute(query, (record.run_id, name)).fetchall()


def status(record: RunRecord) -> str:
    return str(record.store.client.get_run(record.run_id).info.status)


def artifacts(record: RunRecord, folder: str = "") -> set[str]:
    return {found.path for found in record.store.client.list_artifacts(record.run_id, folder)}


def test_a_store_that_is_away_is_asked_after_pauses_also_once_a_model_waits(
    store: Store, record: RunRecord, build_package: Callable[..., Package], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(publish, "FIRST_PAUSE", 0.3)
    monkeypatch.setattr(publish, "LONGEST_PAUSE", 0.3)
    assert isinstance(store.client, Client)
    store.client.fault = AWAY
    store.client.asked.clear()
    publisher = Publisher(record)
    write_package(build_package(run=record.run_id), tmp_path / PACKAGE)
    record.log_model(tmp_path / PACKAGE, {"encoder": "lstm"})
    time.sleep(1)
    assert 1 <= len(store.client.asked) <= 5
    store.client.fault = None
    record.end("FINISHED")
    publisher.finish()


def test_all_that_a_run_records_arrives_and_a_finished_run_leaves_no_record(
    record: RunRecord, build_package: Callable[..., Package], tmp_path: Path
) -> None:
    write_package(build_package(run=record.run_id), tmp_path / PACKAGE)
    record.log_metrics({"loss": 0.5, "worse": float("nan")}, 1)
    record.tags({"x": "1"})
    record.log_text("a table", "deep/table.md")
    record.log_data("imdb", "9" * 64, {"validation": 2500})
    record.log_model(tmp_path / PACKAGE, {"encoder": "lstm"})
    record.end("FINISHED")
    Copy(record).publish()
    run = record.store.client.get_run(record.run_id)
    assert (run.info.status, run.data.params, points(record)) == ("FINISHED", {"seed": "3"}, [(1, 0.5)])
    assert {"encoder": "lstm", "x": "1"}.items() <= run.data.tags.items()
    assert artifacts(record, "deep") == {"deep/table.md"}
    assert [found.dataset.name for found in run.inputs.dataset_inputs] == ["imdb"]
    assert len(run.outputs.model_outputs) == 1
    assert not record.folder.exists()


def test_the_end_of_a_run_comes_last(record: RunRecord) -> None:
    record.log_metrics({"loss": 0.5})
    record.log_text("a", "a.txt")
    record.end("FINISHED")
    Copy(record).publish()
    assert record.store.client.asked[-1][0] == "set_terminated"


def test_nothing_is_sent_twice_by_one_process_and_what_another_sends_again_is_there_once(record: RunRecord) -> None:
    record.log_metrics({"loss": 0.5}, 1)
    record.log_text("a", "a.txt")
    copy = Copy(record)
    copy.publish(live=True)
    record.store.client.asked.clear()
    copy.publish(live=True)
    assert [name for name, _ in record.store.client.asked] == ["get_run"]
    record.log_metrics({"loss": 0.25}, 2)
    copy.publish(live=True)
    (metrics,) = [given[1] for name, given in record.store.client.asked if name == "log_batch"]
    assert [(point.step, point.value) for point in metrics] == [(2, 0.25)]
    as_of_an_ended_process(record)
    Copy(record).publish()
    assert points(record) == [(1, 0.5), (2, 0.25)]


def test_no_more_values_are_sent_together_than_mlflow_takes(store: Store) -> None:
    record = RunRecord(store, store.client.create_run(store.experiment_id).info.run_id)
    record.begin({f"tag{n}": "x" for n in range(150)}, {f"param{n}": "x" for n in range(150)})
    record.metrics([("loss", step / 2, 1000 + step, step) for step in range(2500)])
    Copy(record).publish(live=True)
    assert points(record) == [(step, step / 2) for step in range(2500)]
    data = store.client.get_run(record.run_id).data
    assert len(data.params) == 150
    assert {f"tag{n}" for n in range(150)} <= data.tags.keys()


def test_a_value_that_the_store_refuses_keeps_nothing_else_back(
    record: RunRecord, caplog: pytest.LogCaptureFixture
) -> None:
    record.log_metrics({"loss": 0.5, "what?!": 1.0, "accuracy": 0.75})
    record.log_text("a", "a.txt")
    record.end("FINISHED")
    Copy(record).publish()
    assert (status(record), points(record), points(record, "accuracy")) == ("FINISHED", [(0, 0.5)], [(0, 0.75)])
    assert artifacts(record) == {"a.txt"}
    assert caplog.text.count(f"run {record.run_id}: not on {record.store.uri}: what?! (") == 1
    assert record.folder.exists(), "it has what the store lacks"


def test_a_file_that_the_store_cannot_keep_holds_nothing_else_back_and_is_sent_later(
    record: RunRecord, caplog: pytest.LogCaptureFixture
) -> None:
    kept = Path(record.store.client.get_run(record.run_id).info.artifact_uri.removeprefix("file://"))
    kept.mkdir(parents=True, exist_ok=True)
    (kept / "figures").write_text("in the way of a folder")
    record.log_text("a", "a.txt")
    record.log_text("b", "figures/b.txt")
    record.log_metrics({"loss": 0.5})
    record.end("FINISHED")
    Copy(record).publish()
    assert (status(record), points(record)) == ("FINISHED", [(0, 0.5)])
    assert (kept / "a.txt").read_text() == "a"
    assert "figures/b.txt (" in caplog.text
    assert list(sync(record.store.directory, None)) == [
        f"run {record.run_id}: sent to {record.store.uri}, not all of it"
    ]
    (kept / "figures").unlink()
    assert list(sync(record.store.directory, None)) == [f"run {record.run_id}: sent to {record.store.uri}"]
    assert (kept / "figures" / "b.txt").read_text() == "b"
    assert not record.folder.exists()


def test_a_run_that_broke_off_keeps_its_record_and_is_sent_once(record: RunRecord) -> None:
    record.log_metrics({"loss": 0.5}, 1)
    record.end("KILLED")
    Copy(record).publish()
    assert (status(record), points(record)) == ("KILLED", [(1, 0.5)])
    assert list(sync(record.store.directory, None)) == []
    again = RunRecord(record.store, record.run_id)
    again.begin()
    assert again.curve("loss") == ([1], [0.5])
    again.log_metrics({"loss": 0.25}, 2)
    Copy(again).publish(live=True)
    assert (status(record), points(record)) == ("RUNNING", [(1, 0.5), (2, 0.25)])


def test_what_a_killed_process_left_is_sent_by_the_next_one_and_stays_for_its_resumption(record: RunRecord) -> None:
    record.log_metrics({"loss": 0.5}, 1)
    as_of_an_ended_process(record)
    with (record.folder / "metrics.jsonl").open("a") as file:
        file.write('["loss", 0.2')
    publish_left(record.store)
    assert (status(record), points(record)) == ("RUNNING", [(1, 0.5)])
    assert record.folder.exists()
    assert list(sync(record.store.directory, None)) == [], "not again"


def test_a_store_that_is_away_for_a_while_has_everything_in_the_end(
    record: RunRecord, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "sentiment_rnn")
    client: Any = record.store.client
    client.fault = AWAY
    publisher = Publisher(record)
    for step in range(50):
        record.log_metrics({"loss": step / 2}, step)
    wait_for(lambda: publisher.away)
    client.fault = None
    wait_for(lambda: not publisher.away)
    record.end("FINISHED")
    publisher.finish()
    assert points(record) == [(step, step / 2) for step in range(50)]
    assert not record.folder.exists()
    assert [line.levelname for line in caplog.records] == ["WARNING", "INFO"]
    assert f"{record.store.uri}: cannot be reached (connection refused); training goes on" in caplog.text
    assert f"{record.store.uri}: answers again; sending what waited" in caplog.text


def test_what_a_full_disk_did_not_take_is_there_once_it_has_space_and_the_run_alone_says_so(
    record: RunRecord, caplog: pytest.LogCaptureFixture
) -> None:
    client: Any = record.store.client
    client.asked.clear()
    client.fault = FULL
    publisher = Publisher(record)
    record.log_metrics({"loss": 0.5}, 1)
    wait_for(lambda: len(client.asked) >= 3)
    client.fault = None
    record.end("FINISHED")
    publisher.finish()
    assert (status(record), points(record)) == ("FINISHED", [(1, 0.5)])
    assert caplog.text == ""


@pytest.mark.parametrize("fault", [AWAY, FULL], ids=["away", "full"])
def test_what_could_not_be_sent_is_said_and_sent_later(
    fault: MlflowException, record: RunRecord, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "LAST_WAIT", 0.5)
    client: Any = record.store.client
    client.fault = fault
    publisher = Publisher(record)
    record.log_metrics({"loss": 0.5}, 1)
    record.end("FINISHED")
    publisher.finish()
    assert f"run {record.run_id}: not all of it is on {record.store.uri} yet; it is kept in " in caplog.text
    assert f"sent by: sentiment-rnn sync --store {record.store.checkpoints}" in caplog.text
    publisher.thread.join(5)
    client.fault = None
    publish_left(record.store)
    assert (status(record), points(record)) == ("FINISHED", [(1, 0.5)])
    assert not record.folder.exists()


def test_a_local_store_that_another_process_has_locked_gets_everything_later(
    record: RunRecord, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "LAST_WAIT", 0.5)
    with closing(sqlite3.connect(record.store.uri.removeprefix("sqlite:///"))) as other:
        other.execute("BEGIN EXCLUSIVE")
        publisher = Publisher(record)
        record.log_metrics({"loss": 0.5}, 1)
        record.end("FINISHED")
        publisher.finish()
        assert "not all of it is on sqlite:" in caplog.text
    publisher.thread.join(20)
    assert (status(record), points(record)) == ("FINISHED", [(1, 0.5)])


def test_a_run_is_published_by_one_process_at_a_time_and_left_to_the_one_that_trains_it(record: RunRecord) -> None:
    record.log_metrics({"loss": 0.5}, 1)
    publish_left(record.store)
    assert points(record) == []
    said = [f"run {record.run_id}: left alone, since a process may be at work on it (else: tracking.takeover=true)"]
    assert list(sync(record.store.directory, None)) == said
    as_of_an_ended_process(record)
    with FileLock(record.publishing):
        publish_left(record.store)
        (line,) = sync(record.store.directory, None)
    assert line.startswith(f"run {record.run_id}: not sent (")
    assert line.endswith(f"; kept in {record.folder}")
    assert points(record) == []


def test_who_takes_a_run_over_publishes_it_though_a_stopped_process_keeps_its_lock(record: RunRecord) -> None:
    record.log_metrics({"loss": 0.5}, 1)
    with FileLock(record.publishing):
        second = RunRecord(record.store, record.run_id)
        second.begin(takeover=True)
        second.end("FINISHED")
        Publisher(second).finish()
        assert (status(record), points(record)) == ("FINISHED", [(1, 0.5)])


def test_a_process_that_wakes_in_the_middle_of_publishing_a_run_that_was_taken_over_sends_nothing(
    record: RunRecord,
) -> None:
    first = Copy(record)
    record.log_metrics({"loss": 0.5}, 1)
    found = first._run()
    second = RunRecord(record.store, record.run_id)
    second.begin(takeover=True)
    with pytest.raises(UserError, match="another process has taken this run over"):
        first._send_values(found, record.told())
    assert points(record) == []


def test_a_late_end_of_an_interrupted_process_undoes_no_finished_run(record: RunRecord) -> None:
    record.log_metrics({"loss": 0.5}, 1)
    record.end("KILLED")
    record.store.client.set_terminated(record.run_id, "FINISHED")  # on another machine, meanwhile
    publish_left(record.store)
    assert (status(record), points(record)) == ("FINISHED", [(1, 0.5)])


def test_a_sweep_whose_end_was_unsent_has_ended_when_it_is_started_again(store: Store) -> None:
    config = TrackingConfig(uri=None, directory=str(store.directory), experiment="here", repeat=True)
    parent = RunRecord(store, store.client.create_run(store.experiment_id, tags={SWEEP_TAG: "digest"}).info.run_id)
    parent.begin()
    parent.end("FINISHED")
    again = open_sweep(store, config, "mine", "digest", SweepPlan([["seed=0"]]))
    assert again
    assert again.run_id != parent.run_id
    assert status(parent) == "FINISHED"
    again.close("FINISHED")


def test_a_resumed_sweep_has_the_numbers_of_its_last_attempt(store: Store) -> None:
    config = TrackingConfig(uri=None, directory=str(store.directory), experiment="here", repeat=True)
    for status, finished in (("KILLED", 2.0), ("FINISHED", 1.0)):
        sweep = open_sweep(store, config, "mine", "broken off", SweepPlan([["seed=0"]]))
        assert sweep
        sweep.close(status, metrics={"runs/finished": finished})
    assert store.client.get_run(sweep.run_id).data.metrics["runs/finished"] == 1


def test_what_was_left_for_another_store_opens_none(record: RunRecord, tmp_path: Path) -> None:
    missing = tmp_path / "gone" / "mlflow.db"
    elsewhere = RunRecord(replace(record.store, uri=f"sqlite:///{missing}"), "0" * 32)
    elsewhere.begin()
    elsewhere.end("FINISHED")
    record.end("FINISHED")
    publish_left(record.store)
    assert status(record) == "FINISHED"
    with pytest.raises(UserError, match=r"mlflow\.db: no runs there; train first, or give the address"):
        list(sync(tmp_path, None))
    with pytest.raises(UserError, match="--tracking-uri=postgresql://host/x: a database holds no artifacts"):
        list(sync(tmp_path, "postgresql://host/x"))
    assert not missing.parent.exists()


def test_a_store_that_does_not_know_the_run_gets_nothing_and_the_record_stays(
    record: RunRecord, store: Store, tmp_path: Path
) -> None:
    record.end("FINISHED")
    unknown = RunRecord(store, "0" * 32)
    unknown.begin()
    unknown.end("FINISHED")
    sending = sync(store.directory, None)
    assert next(sending) == f"run {record.run_id}: sent to {store.uri}"
    with pytest.raises(
        UserError, match=f"it has no run {unknown.run_id}, which began on {store.uri}; give that address; if"
    ):
        next(sending)
    assert unknown.folder.exists()


def test_a_run_that_is_deleted_in_the_store_waits_until_it_is_restored(record: RunRecord) -> None:
    record.log_metrics({"loss": 0.5}, 1)
    record.store.client.delete_run(record.run_id)
    record.end("FINISHED")
    with pytest.raises(UserError, match=f"run {record.run_id} is deleted there; restore it"):
        list(sync(record.store.directory, None))
    record.store.client.restore_run(record.run_id)
    assert list(sync(record.store.directory, None)) == [f"run {record.run_id}: sent to {record.store.uri}"]
    assert (status(record), points(record)) == ("FINISHED", [(1, 0.5)])


def test_nothing_more_is_sent_of_a_run_that_another_machine_trains_anew(store: Store, tmp_path: Path) -> None:
    elsewhere = replace(store, directory=tmp_path / "elsewhere")
    parent = store.client.create_run(store.experiment_id).info.run_id
    config = run_config("task=adding", "tracking.system_metrics=false", f"tracking.parent='{parent}'")
    tags = {IDENTITY_TAG: "mine", "mlflow.parentRunId": parent}
    first = RunRecord(store, store.client.create_run(store.experiment_id, tags=tags).info.run_id)
    first.begin(tags, {"seed": "0"})
    Copy(first).publish(live=True)
    first.log_metrics({"loss": 0.5}, 1)
    first.end("KILLED")
    store.client.set_terminated(first.run_id, "KILLED")
    store.client.set_tag(first.run_id, WRITER_TAG, replace(this_process(), host="node7", machine="another").text())
    with tracked_run(elsewhere, config, "mine", []) as second:
        assert second.run_id != first.run_id
    assert str(this_process()) in str(list(sync(store.directory, None)))
    assert points(first) == []
    assert TAKEN_OVER_TAG in store.client.get_run(first.run_id).data.tags
    assert status(second) == "FINISHED"


def test_what_is_left_for_a_server_that_does_not_answer_is_tried_once(
    record: RunRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def unanswered(record: RunRecord) -> str:
        asked.append(record.run_id)
        raise MlflowException("API request failed with timeout exception")

    monkeypatch.setattr(publish, "_sync_one", unanswered)
    folders = [(record.store.uri, "here", Path(name)) for name in ("one", "two")]
    monkeypatch.setattr(publish, "_records", lambda _: iter(folders))
    publish_left(record.store)
    assert asked == ["one"]
