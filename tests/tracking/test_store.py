"""The MLflow store: made once, whoever comes first."""

import errno
import json
import multiprocessing
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from processes import environment
from proxies import reply, serving
from sentiment_rnn.config.sections import TrackingConfig
from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.models import _download
from sentiment_rnn.tracking.store import Store, existing_store, open_store, storage_fault, store_uri, where_to_look


def tracking(folder: Path, **overrides: object) -> TrackingConfig:
    """The default store in `folder`."""
    settings = {"uri": None, "directory": str(folder), "experiment": "here"} | overrides
    return TrackingConfig(**settings)  # type: ignore[arg-type]


def test_the_default_store_is_sqlite_at_an_absolute_path_with_artifacts_beside_it(tmp_path: Path) -> None:
    store = open_store(tracking(tmp_path / "runs"))
    assert store.uri == f"sqlite:///{tmp_path}/runs/mlflow.db"
    assert store.client.get_experiment(store.experiment_id).artifact_location == f"file://{tmp_path}/runs/artifacts"
    assert open_store(tracking(tmp_path / "runs")).experiment_id == store.experiment_id


def test_any_tracking_uri_is_taken_as_it_is(tmp_path: Path) -> None:
    assert store_uri(tracking(tmp_path, uri="http://127.0.0.1:5000")) == "http://127.0.0.1:5000"


def meet(folder: Path, together: Barrier, found: "Queue[str]") -> None:
    """Open a store at the same time as others; which experiment it has."""
    together.wait(timeout=200)
    found.put(open_store(tracking(folder)).experiment_id)


def test_processes_that_meet_a_fresh_store_together_make_it_once(tmp_path: Path) -> None:
    forked = multiprocessing.get_context("forkserver")
    together, found = forked.Barrier(3), forked.Queue()
    processes = [forked.Process(target=meet, args=(tmp_path, together, found)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(200)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert len({found.get() for _ in processes}) == 1


def test_an_empty_file_counts_as_no_database_and_what_a_kill_left_of_one_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").touch()
    with closing(sqlite3.connect(tmp_path / "mlflow.db.partial")) as opened, opened:
        opened.execute("CREATE TABLE runs (half)")
    with pytest.raises(UserError, match=r"^tracking.directory=.*: no runs there; train first"):
        existing_store(tracking(tmp_path))
    store = open_store(tracking(tmp_path))
    store.client.create_run(store.experiment_id)
    assert len(store.client.search_runs([store.experiment_id])) == 1


def test_a_database_of_another_schema_that_holds_runs_is_never_made_anew(tmp_path: Path) -> None:
    store = open_store(tracking(tmp_path / "other"))  # elsewhere: MLflow checks a database once in a process
    store.client.create_run(store.experiment_id)
    shutil.copy(tmp_path / "other" / "mlflow.db", tmp_path)
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as opened, opened:
        opened.execute("UPDATE alembic_version SET version_num = '451aebb31d03'")
    with pytest.raises(UserError, match="out-of-date database schema"):
        open_store(tracking(tmp_path))
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as opened:
        assert opened.execute("SELECT count(*) FROM runs").fetchone() == (1,)


def test_a_database_of_another_program_is_never_made_anew(tmp_path: Path) -> None:
    database = tmp_path / "other.db"
    with closing(sqlite3.connect(database)) as opened, opened:
        opened.execute("CREATE TABLE runs (number)")
        opened.execute("CREATE TABLE races (place)")
        opened.execute("INSERT INTO races VALUES ('Bern')")
    with pytest.raises(UserError):
        open_store(tracking(tmp_path, uri=f"sqlite:///{database}"))
    with closing(sqlite3.connect(database)) as opened:
        assert opened.execute("SELECT place FROM races").fetchall() == [("Bern",)]


def test_an_address_of_sqlite_is_made_whole_as_well_and_not_by_who_only_reads(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/deep/own.db"
    with pytest.raises(UserError, match=r"^tracking.uri=sqlite:.*own.db: no runs there; train first"):
        existing_store(tracking(tmp_path / "runs", uri=uri))
    assert list(tmp_path.iterdir()) == []
    assert open_store(tracking(tmp_path / "runs", uri=uri)).experiment_id


OPEN = """
from sentiment_rnn.config.sections import TrackingConfig
from sentiment_rnn.tracking import store
print("loaded", flush=True)
store.open_store(TrackingConfig(None, "runs", "here"))
"""


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6])
def test_a_store_that_is_killed_while_it_is_made_can_be_opened(delay: float, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", OPEN], cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "loaded\n"
    time.sleep(delay)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert open_store(tracking(tmp_path / "runs")).experiment_id


def test_a_folder_under_a_file_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"tracking.directory=.*file/runs: cannot be written"):
        open_store(tracking(tmp_path / "file" / "runs"))


def test_a_store_of_an_unknown_kind_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"tracking.uri=nonsense://x"):
        open_store(tracking(tmp_path, uri="nonsense://x"))


def test_a_store_that_is_only_read_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"tracking.directory=.*runs: no runs there; train first"):
        existing_store(tracking(tmp_path / "runs"))
    assert list(tmp_path.iterdir()) == []
    open_store(tracking(tmp_path / "runs"))
    with pytest.raises(UserError, match="no experiment other there; train first, or name another"):
        existing_store(tracking(tmp_path / "runs", experiment="other"))
    assert open_store(tracking(tmp_path / "runs")).client.get_experiment_by_name("other") is None


def test_a_message_names_the_folder_as_the_command_calls_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^--store=.*runs: no runs there"):
        existing_store(tracking(tmp_path / "runs"), names=("--store", "--tracking-uri"))


def test_a_full_disk_is_named_by_the_folder_that_is_on_it(tmp_path: Path) -> None:
    store = Store(MlflowClient("sqlite://"), "", "", tmp_path)
    for error in (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), MlflowException("database or disk is full")):
        assert str(storage_fault(store, error)).startswith(f"{tmp_path}: the disk is full; ")


def test_where_to_look_is_a_command_or_the_address_of_a_server(tmp_path: Path) -> None:
    store = open_store(tracking(tmp_path / "runs"))
    assert f"mlflow ui --backend-store-uri sqlite:///{tmp_path}/runs/mlflow.db" in where_to_look(store)
    page = f"http://127.0.0.1:5000/#/experiments/{store.experiment_id}/runs?viewStateShareKey=sweep"
    assert where_to_look(replace(store, uri="http://127.0.0.1:5000")) == f"see the runs: {page}"


def test_a_database_is_no_place_for_runs(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^tracking.uri=postgresql://…: .* \(make server, or"):
        open_store(tracking(tmp_path, uri="postgresql://me:secret@host/db"))
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_away_is_one_line_at_once(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(UserError, match=r"^tracking.uri=http://127.0.0.1:9: no answer \(connection refused\); "):
        open_store(tracking(tmp_path, uri="http://127.0.0.1:9"))
    assert time.monotonic() - started < 10


def test_a_server_that_accepts_and_says_nothing_is_one_line_within_ten_seconds(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        with pytest.raises(UserError, match=r"no answer \(timeout\)"):
            open_store(tracking(tmp_path, uri=f"http://127.0.0.1:{silent.getsockname()[1]}"))
        assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    "name", ["../../evil.txt", "/evil.txt", "a/../../../evil.txt", "..%2f..%2fevil.txt", "harmless.txt"]
)
def test_no_file_that_a_server_names_leaves_the_folder_it_is_fetched_into(name: str, tmp_path: Path) -> None:
    """A server that lists a file outside of what was asked for, and would send it."""
    listing = json.dumps({"files": [{"path": name, "is_dir": False, "file_size": 4}]}).encode()
    target = tmp_path / "deep" / "target"
    target.mkdir(parents=True)
    with serving(lambda request, _: reply(request, 200, listing if "?" in request.path else b"evil")) as uri:
        store = Store(MlflowClient(uri), uri, "1", tmp_path)
        with pytest.raises(UserError):
            _download(store, "mlflow-artifacts:/1/models/m/artifacts", target)
    arrived = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert arrived == ([target / "artifacts" / name] if name == "harmless.txt" else [])
    assert not Path("/evil.txt").exists()


@pytest.mark.parametrize("opened", [open_store, existing_store])
def test_a_deleted_experiment_is_one_line_that_says_how_to_restore_it(
    tmp_path: Path, opened: Callable[[TrackingConfig], Store]
) -> None:
    store = open_store(tracking(tmp_path / "runs"))
    store.client.delete_experiment(store.experiment_id)
    with pytest.raises(UserError, match=f"=here: deleted in MLflow; .*restore --experiment-id {store.experiment_id}$"):
        opened(tracking(tmp_path / "runs"))
