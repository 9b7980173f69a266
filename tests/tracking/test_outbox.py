"""What a run records: kept in order until the store takes it, whatever happens in between."""

import json
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow.exceptions import MlflowException, RestException

from sentiment_rnn.config.store import run_config
from sentiment_rnn.config.tracking import TrackingConfig
from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking import outbox as outbox_module
from sentiment_rnn.tracking.journal import Journal, journals
from sentiment_rnn.tracking.monitor import Monitor
from sentiment_rnn.tracking.names import SWEEP_TAG
from sentiment_rnn.tracking.outbox import Outbox, send_next
from sentiment_rnn.tracking.record import tracked_run
from sentiment_rnn.tracking.store import Store, open_store
from sentiment_rnn.tracking.sweeps import SweepPlan, open_parent
from sentiment_rnn.tracking.sync import send_everything, send_left

DESCRIBED = {"uri": "http://127.0.0.1:9", "experiment": "here", "experiment_id": "1", "run": "r"}
AWAY = MlflowException("API request to http://127.0.0.1:9/x failed with exception Connection refused")
REFUSED = RestException({"error_code": "INVALID_PARAMETER_VALUE", "message": "no such name"})


@dataclass
class Client:
    """A store's client that notes what it is sent, and raises what it is given to raise, once each."""

    raises: list[Exception | None] = field(default_factory=list)
    got: list[Any] = field(default_factory=list)
    status: str = "RUNNING"

    def log_batch(self, run_id: str, metrics: Any = (), tags: Any = ()) -> None:
        self._get([(m.key, m.value, m.step) for m in metrics] or {tag.key: tag.value for tag in tags})

    def log_artifact(self, run_id: str, path: str, folder: str | None) -> None:
        self._get((folder, Path(path).name, Path(path).read_text()))

    def get_run(self, run_id: str) -> SimpleNamespace:
        return SimpleNamespace(info=SimpleNamespace(status=self.status))

    def set_terminated(self, run_id: str, status: str, time: int) -> None:
        self._get(status)

    def _get(self, what: Any) -> None:
        if self.raises and (error := self.raises.pop(0)):
            raise error
        self.got.append(what)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A server's store in the hands of a `Client`, with short pauses between attempts."""
    for name, seconds in {"FIRST_PAUSE": 0.01, "LONGEST_PAUSE": 0.02, "LAST_WAIT": 0.5}.items():
        monkeypatch.setattr(outbox_module, name, seconds)
    return Store(Client(), DESCRIBED["uri"], "1", tmp_path, "here")  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store of SQLite: making one takes longer than any test here."""
    return open_store(TrackingConfig(uri=None, directory=str(tmp_path_factory.mktemp("local")), experiment="here"))


def metrics(*steps: int) -> list[tuple[str, float, int, int]]:
    """A metric at each step."""
    return [("loss", step / 2, 1000 + step, step) for step in steps]


def test_all_kinds_arrive_in_order_and_nothing_is_left(store: Store, tmp_path: Path) -> None:
    outbox = Outbox(store, "r")
    outbox.text("a", "deep/a.txt")
    outbox.tags({"x": "1"})
    outbox.metrics(metrics(1))
    outbox.end("FINISHED")
    outbox.close()
    assert store.client.got == [("deep", "a.txt", "a"), {"x": "1"}, [("loss", 0.5, 1)], "FINISHED"]
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_is_away_for_a_while_gets_everything_in_order(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    store.client.raises = [AWAY, AWAY, AWAY]
    outbox = Outbox(store, "r")
    for step in range(50):
        outbox.metrics(metrics(step))
    outbox.end("FINISHED")
    while outbox._journal and outbox._journal.count():
        pass
    outbox.close()
    *batches, last = store.client.got
    assert [step for batch in batches for _, _, step in batch] == list(range(50))
    assert last == "FINISHED"
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_what_could_not_be_sent_is_said_and_sent_later(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    store.client.raises = [AWAY] * 1000
    outbox = Outbox(store, "r")
    outbox.metrics(metrics(1, 2))
    outbox.text("a", "a.txt")
    outbox.close()
    assert "2 entries are not on http://127.0.0.1:9 yet" in caplog.text
    assert f"sentiment-rnn sync --store {store.directory}" in caplog.text
    store.client.raises = []
    send_left(store)
    assert store.client.got == [[("loss", 0.5, 1), ("loss", 1.0, 2)], (None, "a.txt", "a")]
    assert journals(store.directory) == []


def test_what_the_store_refuses_is_put_aside_and_the_rest_goes_on(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    store.client.raises = [REFUSED]
    outbox = Outbox(store, "r")
    outbox.text("a", "a.txt")
    outbox.end("FINISHED")
    outbox.close()
    assert store.client.got == ["FINISHED"]
    aside = json.loads((store.directory / "unsent" / "r" / "refused.jsonl").read_text())
    assert aside["reason"] == "INVALID_PARAMETER_VALUE: no such name"
    assert (store.directory / "unsent" / "r" / aside["file"]).read_text() == "a"
    assert "refuses what is in" in caplog.text


@pytest.fixture
def in_folder(store: Store, tmp_path: Path) -> Outbox:
    """The outbox of a run whose store is SQLite in a folder, in the hands of a `Client`."""
    return Outbox(Store(store.client, "sqlite:///x.db", "1", tmp_path), "r")


def test_a_local_store_is_written_at_once_and_has_no_journal(tmp_path: Path, store: Store, in_folder: Outbox) -> None:
    in_folder.tags({"x": "1"})
    assert store.client.got == [{"x": "1"}]
    in_folder.close()
    assert list(tmp_path.iterdir()) == []


def test_metrics_wait_for_each_other_until_something_else_is_recorded(store: Store, in_folder: Outbox) -> None:
    in_folder.metrics(metrics(1))
    in_folder.metrics(metrics(2))
    assert store.client.got == []
    in_folder.tags({"x": "1"})
    assert store.client.got == [[("loss", 0.5, 1), ("loss", 1.0, 2)], {"x": "1"}]


@pytest.mark.parametrize("end", ["flush", "close"])
def test_metrics_wait_no_longer_than_until_a_flush_or_the_end(store: Store, in_folder: Outbox, end: str) -> None:
    in_folder.metrics(metrics(1))
    getattr(in_folder, end)()
    assert store.client.got == [[("loss", 0.5, 1)]]
    getattr(in_folder, end)()
    assert len(store.client.got) == 1


def test_metrics_wait_for_a_few_seconds_at_most(
    store: Store, in_folder: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "METRICS_WAIT", 0.05)
    in_folder.metrics(metrics(1))
    time.sleep(0.06)
    in_folder.metrics(metrics(2))
    assert store.client.got == [[("loss", 0.5, 1), ("loss", 1.0, 2)]]


def test_no_more_metrics_wait_than_mlflow_takes_at_once(store: Store, in_folder: Outbox) -> None:
    in_folder.metrics(metrics(*range(999)))
    assert store.client.got == []
    in_folder.metrics(metrics(*range(999, 1999)))
    in_folder.close()
    assert [len(batch) for batch in store.client.got] == [1000, 999]
    assert [step for batch in store.client.got for _, _, step in batch] == list(range(1999))


def test_a_run_that_another_process_has_taken_over_gets_no_metrics_that_waited(store: Store, in_folder: Outbox) -> None:
    in_folder.metrics(metrics(1))
    in_folder.drop_metrics()
    in_folder.close()
    assert store.client.got == []


def test_a_local_store_that_cannot_be_written_gets_everything_later(store: Store, in_folder: Outbox) -> None:
    outbox = in_folder
    store.client.raises = [MlflowException("database is locked"), MlflowException("database is locked")]
    outbox.metrics(metrics(1))
    outbox.flush()
    outbox.metrics(metrics(2))
    while outbox._journal and outbox._journal.count():
        pass
    outbox.close()
    assert [point for batch in store.client.got for point in batch] == [("loss", 0.5, 1), ("loss", 1.0, 2)]


def test_a_journal_survives_a_killed_process(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "unsent" / "r"
    journal = Journal(folder, DESCRIBED)
    journal.append({"kind": "metrics", "metrics": metrics(1)})
    journal.append({"kind": "metrics", "metrics": metrics(2)})
    journal._lock.release()  # as the system does
    with (folder / "journal.jsonl").open("ab") as file:
        file.write(b'{"kind": "metr')
    journal = Journal(folder)
    journal.append({"kind": "end", "status": "KILLED", "time": 1})
    assert journal.described == DESCRIBED
    while send_next(journal, store, "r"):
        pass
    assert store.client.got == [[("loss", 0.5, 1), ("loss", 1.0, 2)], "KILLED"]
    journal.close()
    assert not folder.exists()


def test_a_journal_is_in_one_hand_at_a_time(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "unsent" / "r", DESCRIBED)
    journal.append({"kind": "metrics", "metrics": metrics(1)})
    with pytest.raises(UserError, match="another process is sending this run; wait for it"):
        Journal(tmp_path / "unsent" / "r")


def test_a_late_end_of_an_interrupted_process_undoes_no_finished_run(store: Store, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "unsent" / "r", DESCRIBED)
    journal.append({"kind": "metrics", "metrics": metrics(1)})
    journal.append({"kind": "end", "status": "KILLED", "time": 1})
    journal.close()
    store.client.status = "FINISHED"  # on another machine, meanwhile
    send_left(store)
    assert store.client.got == [[("loss", 0.5, 1)]]
    assert journals(tmp_path) == []


def test_a_sweep_whose_end_was_unsent_has_ended_when_it_is_started_again(local: Store) -> None:
    config = TrackingConfig(uri=None, directory=str(local.directory), experiment="here", repeat=True)
    parent = local.client.create_run(local.experiment_id, tags={SWEEP_TAG: "digest"}).info.run_id
    journal = Journal(local.directory / "unsent" / parent, DESCRIBED | {"uri": local.uri, "run": parent})
    journal.append({"kind": "end", "status": "FINISHED", "time": 1})
    journal.close()
    again = open_parent(local, config, "mine", "digest", SweepPlan([["seed=0"]]))
    again.release()
    assert again.run_id != parent
    assert local.client.get_run(parent).info.status == "FINISHED"


def test_a_store_that_does_not_know_the_run_gets_nothing_and_the_journal_stays(tmp_path: Path, local: Store) -> None:
    journal = Journal(tmp_path / "unsent" / "r", DESCRIBED)
    journal.append({"kind": "metrics", "metrics": metrics(1)})
    journal.close()
    with pytest.raises(UserError, match=r"it has no run r, which began on http://127.0.0.1:9; give that server, or"):
        list(send_everything(tmp_path, local.uri))
    journal = Journal(tmp_path / "unsent" / "r")
    assert journal.count() == 1
    assert not journal.refusals.exists()
    known = local.client.create_run(local.experiment_id).info.run_id  # its journal comes behind
    later = Journal(tmp_path / "unsent" / f"s{known}", DESCRIBED | {"run": known})
    later.append({"kind": "metrics", "metrics": metrics(1)})
    later.close()
    journal.close()
    sending = send_everything(tmp_path, local.uri)
    assert next(sending) == f"run {known}: sent 1 entries to {local.uri}"
    with pytest.raises(UserError, match="it has no run r"):
        next(sending)
    journal = Journal(tmp_path / "unsent" / "r")
    busy = next(send_everything(tmp_path, local.uri))
    assert busy.startswith("run r: left alone (")
    assert "another process is sending this run" in busy


def test_a_masked_address_is_asked_for_before_anything_is_sent(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "unsent" / "r", DESCRIBED | {"uri": "http://***@127.0.0.1:9"})
    journal.append({"kind": "metrics", "metrics": metrics(1)})
    journal.close()
    with pytest.raises(UserError, match="give the address alone in MLFLOW_TRACKING_URI"):
        list(send_everything(tmp_path, None))


def test_a_full_disk_leaves_no_lock_on_a_journal_that_it_did_not_take(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").symlink_to("/dev/full")
    for _ in range(2):
        with pytest.raises(OSError, match="No space left on device"):
            Journal(tmp_path, DESCRIBED)
    (tmp_path / "journal.jsonl").unlink()
    journal = Journal(tmp_path, DESCRIBED)
    (tmp_path / "journal.jsonl").unlink()
    (tmp_path / "journal.jsonl").symlink_to("/dev/full")
    journal._file.close()
    journal._file = (tmp_path / "journal.jsonl").open("ab")
    for left in (lambda: journal.append({"kind": "end"}), journal.close):
        with pytest.raises(OSError, match="No space left on device"):
            left()
    (tmp_path / "journal.jsonl").unlink()
    Journal(tmp_path, DESCRIBED).close()


def test_system_metrics_that_a_full_disk_does_not_take_end_without_a_word(
    local: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = Outbox(local, local.client.create_run(local.experiment_id).info.run_id)
    said: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", said.append)
    monkeypatch.setattr(outbox, "metrics", lambda _: Path("/dev/full").write_text("a number"))
    monitor = Monitor(outbox, seconds=0.01)
    monitor.start()
    assert monitor._process
    monitor._process.join(20)
    assert not monitor._process.is_alive()
    assert said == []


def test_a_failure_to_report_does_not_take_the_place_of_the_failure(
    local: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    config = run_config("task=adding", "tracking.system_metrics=false")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    def fail() -> None:
        with tracked_run(local, config, "identity", []):
            monkeypatch.setattr(Outbox, "_put", full)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert "its end is not recorded ([Errno 28] No space left on device)" in caplog.text
