"""Sweeps in real processes on a real SQLite store: parallel jobs, a failing job, a sweep resumed."""

import os
import re
import signal
import socket
import tempfile
import time
from pathlib import Path

import pytest
import yaml
from forked_commands import Command
from mlflow import MlflowClient

from processes import Ask, run_command, wait_for
from sentiment_rnn.runs.callback import summary_of
from sentiment_rnn.tracking.store import Store
from sentiment_rnn.tracking.store_errors import QUICK
from stored_runs import sweep_in

SMALL = [
    "data=generated", "data.train_reviews=120", "data.test_reviews=40", "data.max_lag=10", "data.batch_size=20",
    "encoder.hidden_size=8", "embedding.size=8", "trainer.epochs=1", "trainer.threads=1",
    "tracking.system_metrics=false",
]  # fmt: skip


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which two joblib jobs at once met a fresh database and a fresh token cache."""
    folder = tmp_path_factory.mktemp("sweep")
    done = run_command(
        "train", folder, "-m", *SMALL, "study=mine", "encoder=rnn,bag", "seed=0,1",
        "hydra/launcher=joblib", "hydra.launcher.n_jobs=2",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def test_two_jobs_at_once_on_a_fresh_database_all_finish_under_one_parent(swept: Path) -> None:
    (parent,), children = sweep_in(swept)
    assert parent.info.status == "FINISHED"
    assert parent.info.run_name == "mine"
    assert {child.data.tags["mlflow.parentRunId"] for child in children} == {parent.info.run_id}
    assert [child.info.status for child in children] == ["FINISHED"] * 4
    assert {(c.data.params["encoder.name"], c.data.params["seed"]) for c in children} == {
        ("rnn", "0"), ("rnn", "1"), ("bag", "0"), ("bag", "1"),
    }  # fmt: skip


def test_the_parent_says_what_its_runs_found(swept: Path) -> None:
    (parent,), children = sweep_in(swept)
    best = max(child.data.metrics["val/best_accuracy"] for child in children)
    mean = sum(child.data.metrics["test/accuracy"] for child in children if child.data.tags["encoder"] == "rnn") / 2
    assert parent.data.metrics["runs/finished"] == 4
    assert parent.data.metrics["best/val/accuracy"] == best
    assert parent.data.metrics["rnn/test/accuracy"] == pytest.approx(mean)
    note = parent.data.tags["mlflow.note.content"]
    assert note.startswith("4 of 4 runs finished; best on validation: ")
    assert f"| rnn | {100 * mean:.1f} % (" in note


def test_a_server_that_says_nothing_neither_holds_up_nor_breaks_the_end_of_a_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(QUICK, "MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        started = time.monotonic()
        assert summary_of(Store(MlflowClient(uri), uri, "1", tmp_path), "parent", {}) == ("", {})
        assert time.monotonic() - started < 5


def test_a_disk_without_room_for_the_results_does_not_keep_a_sweep_from_its_end(
    swept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"sqlite:///{swept}/runs/mlflow.db"
    (parent,), _ = sweep_in(swept)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    assert summary_of(Store(MlflowClient(uri), uri, "1", swept / "runs"), parent.info.run_id, {}) == ("", {})


def test_a_run_records_what_it_was_and_what_it_found(swept: Path) -> None:
    client = MlflowClient(f"sqlite:///{swept}/runs/mlflow.db")
    run = sweep_in(swept)[1][0]
    scores = {f"test/{score}" for score in ("loss", "accuracy", "f1", "auroc", "calibration_error")}
    training = {"train/loss", "train/gradient_norm", "train/epoch_seconds", "val/accuracy", "val/best_accuracy"}
    assert scores | training | {"parameters", "memory/peak_bytes"} <= set(run.data.metrics)
    assert {"sentiment_rnn.identity", "encoder", "pooling", "sentiment_rnn.checkpoint"} <= set(run.data.tags)
    artifacts = {artifact.path for artifact in client.list_artifacts(run.info.run_id)}
    assert {"config.yaml", "overrides.yaml", "gradients.csv", "figures", "predictions"} <= artifacts
    figures = {Path(artifact.path).stem for artifact in client.list_artifacts(run.info.run_id, "figures")}
    assert {"learning_curves", "confusion", "calibration", "accuracy_by_length", "accuracy_by_lag"} == figures
    dataset = run.inputs.dataset_inputs[0].dataset
    assert dataset.name == "generated"
    assert len(dataset.digest) == 36
    assert Path(run.data.tags["sentiment_rnn.checkpoint"]).exists()


def test_the_parent_reaches_a_worker_in_its_configuration_and_is_none_of_what_the_user_gave(swept: Path) -> None:
    (parent,), children = sweep_in(swept)
    client = MlflowClient(f"sqlite:///{swept}/runs/mlflow.db")
    for child in children:
        settings = yaml.safe_load(Path(client.download_artifacts(child.info.run_id, "config.yaml")).read_text())
        assert settings["tracking"]["parent"] == parent.info.run_id
        given = Path(client.download_artifacts(child.info.run_id, "overrides.yaml")).read_text()
        assert "study=mine" in given
        assert "parent" not in given


def test_a_job_of_a_sweep_without_its_parent_is_refused_in_one_line(tmp_path: Path, ask: Ask) -> None:
    done = ask("train", tmp_path, "-m", *SMALL, "encoder=bag", "~hydra/callbacks", status=1)
    assert done.stderr.splitlines()[-1].startswith("error: tracking.parent: this job of a sweep was told none")
    assert not (tmp_path / "runs" / "mlflow.db").exists()


def test_all_jobs_read_one_token_cache(swept: Path) -> None:
    caches = [path for path in (swept / "data" / "tokens").iterdir() if path.is_dir()]
    assert len(caches) == 1


def test_compare_writes_the_table_and_logs_it_to_the_parent(swept: Path, ask: Ask) -> None:
    done = ask("compare", swept, "mine", "--output", "out")
    table = (swept / "out" / "table.md").read_text()
    assert "| rnn |" in table
    assert "| bag |" in table
    assert "Welch's t interval over the seeds" in table
    assert len((swept / "out" / "results.csv").read_text().splitlines()) == 5
    assert (swept / "out" / "comparison.png").stat().st_size > 10_000
    (parent,), _ = sweep_in(swept)
    client = MlflowClient(f"sqlite:///{swept}/runs/mlflow.db")
    logged = {artifact.path for artifact in client.list_artifacts(parent.info.run_id, "comparison")}
    assert logged == {"comparison/table.md", "comparison/results.csv", "comparison/comparison.png"}
    assert "not registered; --register makes the best runs versions of the model demo" in done.stdout
    assert client.search_registered_models() == []


def test_a_killed_sweep_resumes_where_it_stopped(tmp_path: Path) -> None:
    places = f"data.directory={tmp_path}/data", "tracking.record=results"
    arguments = ("-m", *SMALL, *places, "encoder=bag", "seed=0,1,2")
    killed = Command(tmp_path, *arguments)
    made = tmp_path / "runs" / "artifacts"
    wait_for(lambda: made.exists() and "FINISHED" in {run.info.status for run in sweep_in(tmp_path)[1]})
    os.kill(killed.pid, signal.SIGKILL)
    assert killed.end() == -signal.SIGKILL
    again = Command(tmp_path, *arguments)
    assert again.end() == 0, again.said()
    (parent,), children = sweep_in(tmp_path)
    assert parent.info.status == "FINISHED"
    assert sorted(child.data.params["seed"] for child in children) == ["0", "1", "2"], "no job ran twice"
    assert {child.info.status for child in children} == {"FINISHED"}
    assert re.search(r"resumed\n.*[12] of 3 runs are there\n", again.said())
