"""The MLflow store: made once, whoever comes first."""

import subprocess
import sys
from pathlib import Path

import pytest

from sentiment_rnn.checks import UserError
from sentiment_rnn.config import TrackingConfig
from sentiment_rnn.tracking.store import open_store, store_uri


def tracking(folder: Path, **overrides: object) -> TrackingConfig:
    """The default store in `folder`."""
    settings = {"uri": None, "directory": str(folder), "experiment": "here", "system_metrics": False} | overrides
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
        "from sentiment_rnn.config import TrackingConfig; from sentiment_rnn.tracking.store import open_store; "
        f"print(open_store(TrackingConfig(None, {str(tmp_path)!r}, 'here', False)).experiment_id)"
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
