"""A store of runs is made once, whoever comes first; where it cannot be used, its user reads one line."""

import multiprocessing
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from processes import environment
from sentiment_rnn.config.sections import TrackingConfig
from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.store import existing_store, open_store, where_to_look


def tracking(folder: Path, **overrides: object) -> TrackingConfig:
    """The default store in `folder`."""
    settings = {"uri": None, "directory": str(folder), "experiment": "here"} | overrides
    return TrackingConfig(**settings)  # type: ignore[arg-type]


def meet(folder: Path, together: Barrier, found: "Queue[str]") -> None:
    """Open a store at the same time as others; which experiment it has."""
    together.wait(timeout=200)
    found.put(open_store(tracking(folder)).experiment_id)


def test_processes_that_meet_a_fresh_store_together_make_it_once(tmp_path: Path) -> None:
    forked = multiprocessing.get_context("forkserver")
    together, found = forked.Barrier(2), forked.Queue()
    processes = [forked.Process(target=meet, args=(tmp_path, together, found)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(200)
    assert [process.exitcode for process in processes] == [0, 0]
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


OPEN = """
from sentiment_rnn.config.sections import TrackingConfig
from sentiment_rnn.tracking import store
print("loaded", flush=True)
store.open_store(TrackingConfig(None, "runs", "here"))
"""


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.0, 0.4, 0.8, 1.2, 1.6])
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


def test_the_hint_where_to_see_runs_is_a_command_for_a_local_store_and_the_address_of_a_server(tmp_path: Path) -> None:
    store = open_store(tracking(tmp_path / "runs"))
    assert f"mlflow ui --backend-store-uri sqlite:///{tmp_path}/runs/mlflow.db" in where_to_look(store)
    page = f"http://127.0.0.1:5000/#/experiments/{store.experiment_id}/runs"
    assert page in where_to_look(replace(store, uri="http://127.0.0.1:5000"))


def test_a_server_that_accepts_and_says_nothing_is_one_line_within_ten_seconds(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        with pytest.raises(UserError, match=r"no answer \(timed out\)"):
            open_store(tracking(tmp_path, uri=f"http://127.0.0.1:{silent.getsockname()[1]}"))
        assert time.monotonic() - started < 10


def test_a_deleted_experiment_is_one_line(tmp_path: Path) -> None:
    store = open_store(tracking(tmp_path / "runs"))
    store.client.delete_experiment(store.experiment_id)
    with pytest.raises(UserError, match="no experiment here there"):
        existing_store(tracking(tmp_path / "runs"))
    with pytest.raises(UserError, match=r"^tracking\.experiment=here: deleted in MLflow; .*restore"):
        open_store(tracking(tmp_path / "runs"))
