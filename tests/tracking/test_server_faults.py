"""A tracking server that goes away, refuses, or is written to by many: nothing is lost, nothing is doubled."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient

from processes import Ask, environment, training_that
from sentiment_rnn.config.run import RunConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.errors import UserError
from sentiment_rnn.runs import engine
from sentiment_rnn.runs.engine import train
from sentiment_rnn.tracking.models import fetch_model
from sentiment_rnn.tracking.names import STUDY_TAG, SWEEP_TAG
from sentiment_rnn.tracking.publish import sync
from sentiment_rnn.tracking.record import Point, RunRecord
from sentiment_rnn.tracking.results import find_sweep
from sentiment_rnn.tracking.store import Store, open_store
from servers import Server, admin_password, asking_server, postgres_server

pytestmark = pytest.mark.slow

SMALL = (
    "data=generated", "data.train_reviews=200", "data.test_reviews=60", "data.max_lag=10", "data.batch_size=20",
    "embedding.size=8", "encoder.hidden_size=8", "trainer.epochs=4", "trainer.threads=1", "trainer=cpu",
)  # fmt: skip

GONE = training_that('os.killpg(int(os.environ["SERVER_GROUP"]), signal.SIGKILL)', epoch=1)
"""`train`, whose server ends with the first epoch."""

EIGHT = """
import os, sys, time
from mlflow.utils.time import get_current_time_millis
from sentiment_rnn.config.tracking import TrackingConfig
from sentiment_rnn.environment import quiet_libraries
from sentiment_rnn.tracking.publish import Publisher
from sentiment_rnn.tracking.record import RunRecord
from sentiment_rnn.tracking.store import Store, open_store

quiet_libraries()
uri, folder, steps = sys.argv[1:]
for _ in range(8):
    if os.fork() == 0:
        store = open_store(TrackingConfig(uri or None, folder, "eight"))
        run = store.client.create_run(store.experiment_id).info.run_id
        record = RunRecord(store, run)
        record.begin()
        publisher = Publisher(record)
        print(run + "\\n", end="", flush=True)
        for step in range(int(steps)):
            record.metrics([(name, step / 7, get_current_time_millis(), step) for name in ("a", "b", "c")])
            time.sleep(0.02)
        record.end("FINISHED")
        publisher.finish()
        os._exit(0)
sys.exit(any([os.wait()[1] for _ in range(8)]))
"""
"""Eight processes that each record a run of so many steps, three metrics at each."""
STEPS = 100
DATABASES: dict[str, Path] = {}
"""SQLite files by the address of their server."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on SQLite that asks for a password."""
    started = asking_server(tmp_path_factory.mktemp("server"))
    started.start()
    DATABASES[started.uri] = started.folder / "server.db"
    yield started
    started.stop()


@pytest.fixture
def admin(server: Server, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    """This process as one that may do everything."""
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", admin_password(server))
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    return MlflowClient(server.uri)


def small_config(folder: Path, server: Server, *overrides: str) -> RunConfig:
    """A run of a few seconds on a server."""
    return run_config(*SMALL, f"tracking.directory={folder}/runs", f"data.directory={folder}/data",
                      f"tracking.uri={server.uri}", "tracking.system_metrics=false", *overrides)  # fmt: skip


def rows(client: MlflowClient, run_id: str) -> Counter[Point]:
    """Every row of every metric of a run, and how often it is there."""
    names = client.get_run(run_id).data.metrics
    database = Path(str(client.tracking_uri).removeprefix("sqlite:///"))
    if (database := DATABASES.get(str(client.tracking_uri), database)).exists():  # as the server has them, and faster
        with closing(sqlite3.connect(database)) as connection:
            query = "select key, value, timestamp, step from metrics where run_uuid = ?"
            return Counter(connection.execute(query, (run_id,)).fetchall())
    return Counter(
        (m.key, m.value, m.timestamp, m.step) for name in names for m in client.get_metric_history(run_id, name)
    )


def records(folder: Path) -> list[str]:
    """The runs in a `tracking.directory` of which the store may lack something."""
    return [path.parent.parent.name for path in folder.glob("checkpoints/*/record/run.json")]


def artifacts(client: MlflowClient, run_id: str) -> set[str]:
    """Paths at the top of a run's artifacts."""
    return {found.path for found in client.list_artifacts(run_id)}


WHOLE = {
    "config.yaml", "figures", "gradients.csv", "mistakes.json", "overrides.yaml",
    "predictions",
}  # fmt: skip
"""The artifacts of a finished run."""


def test_a_server_that_is_away_for_some_epochs_has_everything_once_in_the_end(
    server: Server,
    admin: MlflowClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    recorded: list[Point] = []
    metrics, start = RunRecord.metrics, engine.EpochTimer.on_train_epoch_start

    def remember(self: RunRecord, points: Iterable[Point]) -> None:
        points = list(points)
        recorded.extend(points)
        metrics(self, points)

    def start_or_restart(self: engine.EpochTimer, trainer: object, module: object) -> None:
        epoch = trainer.current_epoch  # type: ignore[attr-defined]
        if epoch == 1:
            server.stop()
        if epoch == 3:
            server.start()
        start(self, trainer, module)  # type: ignore[arg-type]

    monkeypatch.setattr(RunRecord, "metrics", remember)
    monkeypatch.setattr(engine.EpochTimer, "on_train_epoch_start", start_or_restart)
    monkeypatch.setattr("sentiment_rnn.tracking.publish.LONGEST_PAUSE", 2.0)
    monkeypatch.setattr("sentiment_rnn.tracking.publish.INTERVAL", 0.1)  # else a run this short does not miss it
    caplog.set_level("INFO")
    train(small_config(tmp_path, server, "tracking.system_metrics=true"), [])
    (run,) = admin.search_runs([admin.get_experiment_by_name("sentiment_rnn").experiment_id])
    assert run.info.status == "FINISHED"
    assert rows(admin, run.info.run_id) == Counter(recorded)
    assert len({step for name, _, _, step in recorded if name == "val/loss"}) == 4
    assert artifacts(admin, run.info.run_id) == WHOLE
    assert run.outputs.model_outputs
    said = [record.getMessage() for record in caplog.records]
    # Refused, or reset where the server went in the middle of an answer.
    assert sum("cannot be reached (connection " in line and "; training goes on" in line for line in said) == 1
    assert sum("answers again" in line for line in said) == 1
    assert records(tmp_path / "runs") == []


def test_a_run_whose_server_does_not_come_back_ends_well_and_is_sent_later(
    server: Server, admin: MlflowClient, tmp_path: Path, ask: Ask
) -> None:
    assert server.process
    identity = {name: os.environ[name] for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")}
    done = subprocess.run(
        [sys.executable, "-c", GONE, *SMALL, "seed=1", f"tracking.uri={server.uri}", "tracking.system_metrics=false"],
        cwd=tmp_path, env=environment() | identity | {"SERVER_GROUP": str(server.process.pid)},
        capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stdout.splitlines() if "[WARNING]" in line]
    assert len(said) == 2, done.stdout
    assert "cannot be reached" in said[0]
    assert "it is kept in" in said[1]
    assert "sentiment-rnn sync" in said[1]
    (run_id,) = records(tmp_path / "runs")
    recorded, _ = RunRecord(Store(admin, server.uri, "", tmp_path / "runs"), run_id).points()
    away = ask("sync", tmp_path, status=1)
    assert len(away.stderr.splitlines()) == 1
    assert "no answer (connection refused)" in away.stderr
    server.start()
    assert admin.get_run(run_id).info.status == "RUNNING"
    assert list(sync(tmp_path / "runs", None)) == [f"run {run_id}: sent to {server.uri}"]
    assert admin.get_run(run_id).info.status == "FINISHED"
    assert rows(admin, run_id) == Counter(recorded)
    assert artifacts(admin, run_id) == WHOLE
    assert len(admin.get_run(run_id).outputs.model_outputs) == 1
    assert records(tmp_path / "runs") == []
    assert ask("sync", tmp_path).stdout == "runs: nothing to send\n"


def test_who_may_not_write_is_told_what_to_ask_for(
    server: Server, admin: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.server.auth.client import AuthServiceClient

    users = AuthServiceClient(server.uri)
    users.create_user("bob", "a-long-password-of-bob")
    found = admin.get_experiment_by_name("sentiment_rnn")
    experiment = found.experiment_id if found else admin.create_experiment("sentiment_rnn")
    config = small_config(tmp_path, server)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "bob")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "a-long-password-of-bob")
    with pytest.raises(UserError, match=r"refuses bob \(403\); .* the permission EDIT on the experiment sentiment_rnn"):
        train(config, [])
    with monkeypatch.context() as granting:
        granting.setenv("MLFLOW_TRACKING_USERNAME", "admin")
        granting.setenv("MLFLOW_TRACKING_PASSWORD", admin_password(server))
        users.grant_user_permission("bob", "experiment", experiment, "EDIT")
    admin.create_run(experiment)  # as bob, who was told what to ask for
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "another-password")
    with pytest.raises(UserError, match=r"does not know the user bob with this password \(401\)"):
        train(config, [])
    monkeypatch.delenv("MLFLOW_TRACKING_USERNAME")
    with pytest.raises(UserError, match=r"who you are \(401\); set MLFLOW_TRACKING_USERNAME"):
        train(config, [])


def test_who_may_only_read_finds_a_sweep_by_its_name_and_is_told_what_may_be_missing(
    server: Server, admin: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server says 403 of a run or a model that is not there."""
    from mlflow.server.auth.client import AuthServiceClient

    AuthServiceClient(server.uri).create_user("ann", "a-long-password-of-ann")
    found = admin.get_experiment_by_name("sentiment_rnn")
    experiment = found.experiment_id if found else admin.create_experiment("sentiment_rnn")
    parent = admin.create_run(experiment, tags={SWEEP_TAG: "digest", STUDY_TAG: "anns"}).info.run_id
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ann")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "a-long-password-of-ann")
    store = open_store(small_config(tmp_path, server).tracking, create=False)
    assert find_sweep(store, "anns").info.run_id == parent
    with pytest.raises(UserError, match=r"sentiment@champion: not in .*, or none that this user may read \(403\)"):
        fetch_model(store, "sentiment@champion", tmp_path)


def eight_writers(uri: str, folder: Path, restarted: Server | None = None, steps: int = STEPS) -> None:
    """Have eight processes record a run each; expect of the store every row once."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("MLFLOW_TRACKING")}
    with subprocess.Popen(
        [sys.executable, "-c", EIGHT, uri, str(folder), str(steps)],
        env=environment() | kept, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout
        runs = [process.stdout.readline().strip() for _ in range(8)]
        if restarted:
            restarted.stop(signal.SIGTERM)
            restarted.start()
    assert process.returncode == 0
    list(sync(folder, uri or f"sqlite:///{folder}/mlflow.db"))  # of those that did not wait so long
    client = MlflowClient(uri or f"sqlite:///{folder}/mlflow.db")
    for run in runs:
        found = rows(client, run)
        assert sorted((key, step) for key, _, _, step in found) == sorted(
            (key, step) for key in "abc" for step in range(steps)
        )
        assert set(found.values()) == {1}
        assert client.get_run(run).info.status == "FINISHED"


def test_eight_processes_on_one_sqlite_file(tmp_path: Path) -> None:
    eight_writers("", tmp_path, steps=30)


def test_eight_processes_on_a_server_that_restarts(server: Server, admin: MlflowClient, tmp_path: Path) -> None:
    eight_writers(server.uri, tmp_path, restarted=server)


def test_eight_processes_on_postgresql_whose_server_restarts(tmp_path: Path) -> None:
    if not (shutil.which("initdb") or list(Path("/usr/lib/postgresql").glob("*/bin/initdb"))):
        pytest.skip("no PostgreSQL here: install it (Debian: apt install postgresql)")
    pytest.importorskip("psycopg")
    # In the folder of all, since a cluster belongs to the user postgres where the tests run as root.
    with tempfile.TemporaryDirectory(prefix="cluster-") as cluster:
        Path(cluster).chmod(0o755)
        started = postgres_server(tmp_path, Path(cluster) / "postgres")
        try:
            started.start()
            eight_writers(started.uri, tmp_path / "runs", restarted=started)
        finally:
            started.stop(signal.SIGTERM)
