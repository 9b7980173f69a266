"""`publish` promises: another store or server gets a sweep whole, once, however often it is asked and cut off."""

from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from in_process import ask
from sentiment_rnn.tracking.names import FOLDER_TAG, IDENTITY_TAG, PARENT_TAG
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
    # As where it was cut off within a run, and after the last one.
    other.delete_run(copies[0].info.run_id if copies[0] != by_identity[None] else copies[1].info.run_id)
    other.set_terminated(by_identity[None].info.run_id, "RUNNING")
    assert "1 of 3 runs sent, 2 were there" in ask("publish", trained, "mine", "--to", to).stdout
    assert other.get_run(by_identity[None].info.run_id).info.status == "FINISHED"
    first, second = (ask("compare", trained, "mine", *more).stdout for more in ((), ("--tracking-uri", to)))
    tables = [text.partition("tables and figure logged")[0] for text in (first, second)]
    assert tables[0] == tables[1]
    assert "known" in ask("predict", trained, "--model", "demo@rnn", "--tracking-uri", to, "a good film").stdout
