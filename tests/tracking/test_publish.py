"""`publish` promises: another store or server gets a sweep whole, once, however often it is asked and cut off."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from in_process import ask
from processes import environment, run_command, wait_for
from sentiment_rnn.tracking.names import FOLDER_TAG, IDENTITY_TAG, PARENT_TAG
from servers import Server
from stored_runs import runs_in

TINY = (
    "data=generated", "data.train_reviews=120", "data.test_reviews=40", "data.max_lag=10", "encoder.hidden_size=8",
    "embedding.size=8", "trainer.epochs=2", "trainer.threads=1", "study=mine", "tracking.system_metrics=false",
)  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sweep of three runs."""
    folder = tmp_path_factory.mktemp("trained")
    ask("train", folder, "-m", *TINY, "encoder=rnn,lstm,bag", "seed=0")
    ask("compare", folder, "mine")
    return folder


def described(client: MlflowClient, run: Run) -> dict[str, Any]:
    """All that a run recorded, but for ids and places."""
    points = {
        name: sorted((p.step, p.value, p.timestamp) for p in client.get_metric_history(run.info.run_id, name))
        for name in run.data.metrics
    }
    files = sorted(file.path for file in client.list_artifacts(run.info.run_id))
    tags = {
        key: value for key, value in run.data.tags.items()
        if key not in (PARENT_TAG, FOLDER_TAG, "sentiment_rnn.published_from") and "mlflow.log" not in key
    }  # fmt: skip
    dataset = run.inputs.dataset_inputs[0].dataset.digest
    times = run.info.start_time, run.info.end_time
    return {"points": points, "params": run.data.params, "tags": tags, "files": files, "data": dataset, "times": times}


def test_a_published_sweep_has_all_that_the_first_store_has_and_is_sent_once(trained: Path, tmp_path: Path) -> None:
    to = f"sqlite:///{tmp_path}/runs/mlflow.db"
    said = ask("publish", trained, "mine", "--to", to, "--register", "demo").stdout
    assert "3 of 3 runs sent, 0 were there" in said
    assert "registered as demo@champion, version 1" in said
    (client, runs), (other, copies) = runs_in(trained), runs_in(tmp_path)
    by_identity = {run.data.tags.get(IDENTITY_TAG): run for run in copies}
    assert len(copies) == 4
    for run in runs:
        if IDENTITY_TAG in run.data.tags:
            copy = by_identity[run.data.tags[IDENTITY_TAG]]
            assert described(other, copy) == described(client, run)
            assert copy.data.tags[PARENT_TAG] == by_identity[None].info.run_id
    assert "0 of 3 runs sent, 3 were there" in ask("publish", trained, "mine", "--to", to).stdout
    assert {run.info.run_id for run in runs_in(tmp_path)[1]} == {run.info.run_id for run in copies}
    other.set_terminated(by_identity[None].info.run_id, "RUNNING")  # as where it was cut off after the last run
    ask("publish", trained, "mine", "--to", to)
    assert other.get_run(by_identity[None].info.run_id).info.status == "FINISHED"
    first, second = (ask("compare", trained, "mine", *more).stdout for more in ((), ("--tracking-uri", to)))
    tables = [text.partition("tables and figure logged")[0] for text in (first, second)]
    assert tables[0] == tables[1]
    assert "known" in ask("predict", trained, "--model", "demo@rnn", "--tracking-uri", to, "a good film").stdout


@pytest.mark.slow
def test_a_publish_that_was_cut_off_twice_goes_on_with_a_real_server(
    trained: Path, server: Server, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "sentiment_rnn", "publish", "mine", "--to", server.uri]
    client = MlflowClient(server.uri)

    def copies() -> list[Run]:
        experiment = client.get_experiment_by_name("sentiment_rnn")
        found = client.search_runs([experiment.experiment_id]) if experiment else []
        return [run for run in found if IDENTITY_TAG in run.data.tags]

    killed = subprocess.Popen(command, cwd=trained, env=environment(), stdout=subprocess.DEVNULL)
    wait_for(lambda: copies() or killed.poll() is not None)
    killed.kill()
    killed.wait()
    cut = subprocess.Popen(command, cwd=trained, env=environment(), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    count = len(copies())
    wait_for(lambda: len(copies()) > count or cut.poll() is not None)
    server.stop()
    error = cut.communicate(timeout=120)[1].decode().strip().splitlines()
    assert cut.returncode == 1
    assert error[-1].startswith(f"error: --to={server.uri}: no answer")
    server.start()
    whole = run_command("publish", trained, "mine", "--to", server.uri, status=0).stdout
    assert " of 3 runs sent, " in whole
    source, runs = runs_in(trained)
    by_identity = {run.data.tags[IDENTITY_TAG]: run for run in copies() if run.info.status == "FINISHED"}
    for run in runs:
        if IDENTITY_TAG in run.data.tags:
            assert described(client, by_identity[run.data.tags[IDENTITY_TAG]]) == described(source, run)
    assert "0 of 3 runs sent, 3 were there" in run_command("publish", trained, "mine", "--to", server.uri).stdout
