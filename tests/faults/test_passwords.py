"""Servers of `make server`: what one that asks for a password says to whom, and a sweep on PostgreSQL."""

import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
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
def become(server: Server, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Have this process be a user of the server."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")

    def log_in(user: str, password: str) -> None:
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", user)
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", password)

    return log_in


def small_config(folder: Path, server: Server) -> RunConfig:
    """A run of a second on a server."""
    return run_config(*SMALL, f"tracking.directory={folder}/runs", f"tracking.uri={server.uri}")


def test_a_user_is_told_which_permission_or_password_is_lacking_and_reads_without_them(
    server: Server, become: Callable[[str, str], None], tmp_path: Path
) -> None:
    from mlflow.server.auth.client import AuthServiceClient

    config, password = small_config(tmp_path, server), "a-long-password-of-bob"
    become("admin", admin_password(server))
    AuthServiceClient(server.uri).create_user("bob", password)
    admin = MlflowClient(server.uri)
    experiment = admin.create_experiment("sentiment_rnn")
    parent = admin.create_run(experiment, tags={SWEEP_TAG: "1", STUDY_TAG: "mine"}).info.run_id
    become("bob", password)
    with pytest.raises(UserError, match=r"refuses bob \(403\), .* the permission EDIT on the experiment sentiment_rnn"):
        train(config, [])
    store = existing_store(config.tracking)
    assert find_sweep(store, "mine").info.run_id == parent
    # The server says 403 of a model that is not there.
    with pytest.raises(UserError, match=r"sentiment@champion: not in .*, or none that this user may read"):
        fetch_model(store, "sentiment@champion", tmp_path)
    become("admin", admin_password(server))
    AuthServiceClient(server.uri).grant_user_permission("bob", "experiment", experiment, "EDIT")
    become("bob", password)
    admin.create_run(experiment)  # as bob, who was told what to ask for
    become("bob", "another-password")
    with pytest.raises(UserError, match=r"who you are \(401\); set MLFLOW_TRACKING_USERNAME"):
        train(config, [])


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
