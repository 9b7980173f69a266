"""Servers of `make server`: what one that asks for a password says to whom, and a sweep on PostgreSQL."""

import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from processes import run_command
from sentiment_rnn.config.run import RunConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.engine.train import train
from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.models import fetch_model
from sentiment_rnn.tracking.names import STUDY_TAG, SWEEP_TAG
from sentiment_rnn.tracking.store import existing_store
from sentiment_rnn.tracking.sweeps import find_sweep
from servers import Server, admin_password, asking_server, postgres_server
from short_runs import ADDING

pytestmark = pytest.mark.slow

SMALL = (*ADDING, "trainer.epochs=4", "trainer.threads=1", "trainer=cpu", "tracking.system_metrics=false")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on SQLite that asks for a password."""
    started = asking_server(tmp_path_factory.mktemp("server"))
    started.start()
    yield started
    started.stop()


@pytest.fixture
def admin(server: Server, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    """This process as one that may do everything."""
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", admin_password(server))
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    return MlflowClient(server.uri)


def small_config(folder: Path, server: Server) -> RunConfig:
    """A run of a second on a server."""
    return run_config(*SMALL, f"tracking.directory={folder}/runs", f"tracking.uri={server.uri}")


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
    with pytest.raises(UserError, match=r"refuses bob \(403\), .* the permission EDIT on the experiment sentiment_rnn"):
        train(config, [])
    with monkeypatch.context() as granting:
        granting.setenv("MLFLOW_TRACKING_USERNAME", "admin")
        granting.setenv("MLFLOW_TRACKING_PASSWORD", admin_password(server))
        users.grant_user_permission("bob", "experiment", experiment, "EDIT")
    admin.create_run(experiment)  # as bob, who was told what to ask for
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "another-password")
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
    parent = admin.create_run(experiment, tags={SWEEP_TAG: "1", STUDY_TAG: "anns"}).info.run_id
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ann")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "a-long-password-of-ann")
    store = existing_store(small_config(tmp_path, server).tracking)
    assert find_sweep(store, "anns").info.run_id == parent
    with pytest.raises(UserError, match=r"sentiment@champion: not in .*, or none that this user may read"):
        fetch_model(store, "sentiment@champion", tmp_path)


def test_a_sweep_of_jobs_side_by_side_on_postgresql_has_each_run_once(tmp_path: Path) -> None:
    if not (shutil.which("initdb") or list(Path("/usr/lib/postgresql").glob("*/bin/initdb"))):
        pytest.skip("no PostgreSQL here: install it (Debian: apt install postgresql)")
    pytest.importorskip("psycopg")
    # In the folder of all, since a cluster belongs to the user postgres where the tests run as root.
    with tempfile.TemporaryDirectory(prefix="cluster-") as cluster:
        Path(cluster).chmod(0o755)
        started = postgres_server(tmp_path, Path(cluster) / "postgres")
        try:
            started.start()
            place = (f"tracking.uri={started.uri}", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
            run_command("train", tmp_path, "-m", *SMALL, *place, "seed=0,1,2", status=0)
            client = MlflowClient(started.uri)
            runs = client.search_runs([client.get_experiment_by_name("sentiment_rnn").experiment_id])
            assert sorted((run.data.params.get("seed", ""), run.info.status) for run in runs) == [
                (seed, "FINISHED") for seed in ("", "0", "1", "2")
            ]
        finally:
            started.stop(signal.SIGTERM)
