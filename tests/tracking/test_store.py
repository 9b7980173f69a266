"""The MLflow store: made once, whoever comes first."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sentiment_rnn.config.tracking import TrackingConfig
from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.store import open_store, store_uri, where_to_look


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


def test_processes_that_meet_a_fresh_store_together_make_it_once(tmp_path: Path) -> None:
    script = (
        "from sentiment_rnn.config.tracking import TrackingConfig\n"
        "from sentiment_rnn.tracking.store import open_store\n"
        f"print(open_store(TrackingConfig(None, {str(tmp_path)!r}, 'here')).experiment_id)"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    outputs = [process.communicate(timeout=200) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], outputs
    assert len({out for out, _ in outputs}) == 1


def test_a_folder_under_a_file_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"tracking.directory=.*file/runs: cannot be written"):
        open_store(tracking(tmp_path / "file" / "runs"))


def test_a_store_of_an_unknown_kind_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"tracking.uri=nonsense://x"):
        open_store(tracking(tmp_path, uri="nonsense://x"))


def test_a_store_that_is_only_read_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"tracking.directory=.*runs: no runs there; train first"):
        open_store(tracking(tmp_path / "runs"), create=False)
    assert list(tmp_path.iterdir()) == []
    open_store(tracking(tmp_path / "runs"))
    with pytest.raises(UserError, match="no experiment other there; train first, or name another"):
        open_store(tracking(tmp_path / "runs", experiment="other"), create=False)
    assert open_store(tracking(tmp_path / "runs")).client.get_experiment_by_name("other") is None


def test_a_message_names_the_folder_as_the_command_calls_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^--store=.*runs: no runs there"):
        open_store(tracking(tmp_path / "runs"), create=False, names=("--store", "--tracking-uri"))


def test_where_to_look_is_a_command_or_the_address_of_a_server(tmp_path: Path) -> None:
    store = open_store(tracking(tmp_path / "runs"))
    assert f"mlflow ui --backend-store-uri sqlite:///{tmp_path}/runs/mlflow.db" in where_to_look(store)
    assert where_to_look(replace(store, uri="http://127.0.0.1:5000")) == "see the runs: http://127.0.0.1:5000"
