"""Checkpoints on a server: the last one never speaks of another that is not there."""

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow.exceptions import MlflowException

from sentiment_rnn.tracking.remote_checkpoints import Upload
from sentiment_rnn.tracking.store import Store


class Server:
    """Takes files, unless it is away; not before `go` is set."""

    def __init__(self) -> None:
        self.began, self.go = threading.Event(), threading.Event()
        self.away: set[str] = set()
        """Names of files for which it does not answer."""
        self.back_after: int | None = None
        """It answers again after so many requests."""
        self.fault: Exception = MlflowException("API request to http://127.0.0.1:9 failed with exception")
        self.asked: list[str] = []
        self.has: list[str] = []

    def get_run(self, _: str) -> Any:
        """A run without a checkpoint."""
        return SimpleNamespace(data=SimpleNamespace(tags={}))

    def set_tag(self, *_: str) -> None:
        """Nothing."""

    def log_artifact(self, _: str, path: str, __: str) -> None:
        """Take a file."""
        self.began.set()
        assert self.go.wait(20)
        name = Path(path).name
        self.asked.append(name)
        if name in self.away and (self.back_after is None or len(self.asked) <= self.back_after):
            raise self.fault
        self.has.append(name)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def upload(server: Server, tmp_path: Path) -> Upload:
    client: Any = server
    return Upload(Store(client, "http://127.0.0.1:9", "0", tmp_path), "a")


def test_the_last_checkpoint_follows_the_others_that_wait(server: Server, upload: Upload) -> None:
    upload.add(Path("epoch0.ckpt"), 0)
    assert server.began.wait(20)
    for step in (1, 2):
        for name in ("last.ckpt", "best.ckpt", f"epoch{step}.ckpt"):
            upload.add(Path(name), step)
    server.go.set()
    upload.finish()
    assert server.has == ["epoch0.ckpt", "best.ckpt", "epoch1.ckpt", "epoch2.ckpt", "last.ckpt"]


def test_it_waits_for_one_that_the_server_missed(server: Server, upload: Upload) -> None:
    server.away, server.has = {"best.ckpt"}, []
    server.go.set()
    upload.add(Path("best.ckpt"), 1)
    upload.add(Path("last.ckpt"), 1)
    upload.thread.submit(lambda: None).result(20)  # after all that was added
    assert server.has == []
    server.away = set()
    upload.add(Path("last.ckpt"), 2)
    upload.finish()
    assert server.has == ["best.ckpt", "last.ckpt"]
    assert upload.missed == {}


def test_a_miss_is_forgotten_where_a_newer_file_waits(server: Server, upload: Upload) -> None:
    server.away = {"best.ckpt"}
    upload.add(Path("best.ckpt"), 1)
    assert server.began.wait(20)
    upload.add(Path("best.ckpt"), 2)
    upload.add(Path("last.ckpt"), 2)
    server.back_after = 1
    server.go.set()
    upload.finish()
    assert server.has == ["best.ckpt", "last.ckpt"]
    assert server.asked == ["best.ckpt", "best.ckpt", "last.ckpt"]


def test_what_is_missed_while_the_run_ends_is_tried_again(server: Server, upload: Upload) -> None:
    server.away, server.back_after = {"last.ckpt"}, 1
    upload.add(Path("last.ckpt"), 1)
    assert server.began.wait(20)
    server.go.set()
    upload.finish()
    assert server.has == ["last.ckpt"]


def test_a_fault_of_any_kind_ends_no_upload(server: Server, upload: Upload, caplog: pytest.LogCaptureFixture) -> None:
    server.fault, server.back_after = RuntimeError("bucket: no such thing"), 1
    server.away = {"best.ckpt"}
    server.go.set()
    upload.add(Path("best.ckpt"), 1)
    upload.add(Path("last.ckpt"), 1)
    upload.finish()
    assert server.has == ["last.ckpt"]
    assert "best.ckpt could not be copied to the server (bucket: no such thing)" in caplog.text


def test_what_is_missed_to_the_end_is_one_line(
    server: Server, upload: Upload, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    server.away = {"best.ckpt", "last.ckpt"}
    server.go.set()
    upload.add(Path("best.ckpt"), 1)
    upload.add(Path("last.ckpt"), 1)
    upload.finish()
    assert "last.ckpt" not in server.asked  # without the best one it would speak of what is not there
    (said,) = caplog.records
    assert "run a: not on the server: best.ckpt, last.ckpt; kept in " in said.getMessage()
