"""Runs that record results alone: the same numbers on less disk, and a model when somebody asks for one."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from mlflow.entities import Run

from processes import Ask, run_command
from sentiment_rnn.cli.trained_model import make_missing_model
from sentiment_rnn.config.store import run_config
from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.models import DATA, fetch_run_model, model_of
from sentiment_rnn.tracking.names import IDENTITY_TAG
from sentiment_rnn.tracking.store import Store, open_store

pytestmark = pytest.mark.slow

SWEEP = (
    "-m", "study=mine", "encoder=rnn,bag", "data=generated", "data.train_reviews=200", "data.test_reviews=60",
    "data.max_lag=10", "data.batch_size=20", "encoder.hidden_size=8", "embedding.size=8", "trainer.epochs=2",
    "trainer.threads=1", "trainer=cpu", "tracking.system_metrics=false",
)  # fmt: skip
MEASURED = ("train/epoch_seconds", "train/tokens_per_second", "memory/peak_bytes")
"""Metrics that no two runs share."""


class Sweep(NamedTuple):
    """A sweep of two runs."""

    store: Store
    runs: dict[str, Run]
    """By encoder."""

    def artifacts(self, encoder: str) -> Path:
        """Where a run's artifacts lie."""
        return Path(self.runs[encoder].info.artifact_uri.removeprefix("file://"))

    def checkpoints(self, encoder: str) -> Path:
        """Where its checkpoints lie."""
        return self.store.checkpoints / self.runs[encoder].data.tags[IDENTITY_TAG]


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Sweep]:
    """Train the sweep with a kind of record, in a store of its own."""
    folder = tmp_path_factory.mktemp("sweeps")

    def trained(record: str, name: str) -> Sweep:
        run_command("train", folder, *SWEEP, f"tracking.record={record}", f"tracking.directory={name}", status=0)
        store = open_store(run_config(f"tracking.directory={folder / name}").tracking)
        found = store.client.search_runs([store.experiment_id], "tags.encoder LIKE '%'")
        return Sweep(store, {run.data.tags["encoder"]: run for run in found})

    return trained


@pytest.fixture(scope="module")
def full(train: Callable[..., Sweep]) -> Sweep:
    """A sweep whose runs record all."""
    return train("full", "full")


@pytest.fixture(scope="module")
def small(train: Callable[..., Sweep]) -> Sweep:
    """The same with results alone. Tests here ask for its models, in this order."""
    return train("results", "small")


@pytest.mark.parametrize("encoder", ["rnn", "bag"])
def test_results_are_those_of_a_run_that_records_all(full: Sweep, small: Sweep, encoder: str) -> None:
    one, other = full.runs[encoder], small.runs[encoder]
    assert one.data.tags[IDENTITY_TAG] != other.data.tags[IDENTITY_TAG], "one does not stand in for the other"
    curves = [
        {
            name: [(point.step, point.value) for point in sweep.store.client.get_metric_history(run.info.run_id, name)]
            for name in sorted(run.data.metrics)
            if name not in MEASURED
        }
        for sweep, run in ((full, one), (small, other))
    ]
    assert curves[0] == curves[1]
    assert "test/calibration_error_calibrated" in curves[0]
    for name in ("predictions/test.npz", "gradients.csv"):
        found = [sweep.artifacts(encoder).joinpath(name).read_bytes() for sweep in (full, small)]
        assert found[0] == found[1]


def test_no_figure_and_no_model_is_left(full: Sweep, small: Sweep) -> None:
    left = {path.name for path in small.artifacts("rnn").iterdir()}
    assert left == {"config.yaml", "gradients.csv", "overrides.yaml", "predictions"}
    assert {path.name for path in full.artifacts("rnn").iterdir()} > left
    for sweep in (full, small):  # a run that has finished does not resume
        assert {path.name for path in sweep.checkpoints("rnn").glob("*.ckpt")} == {"best.ckpt"}
    assert model_of(small.runs["rnn"]) is None


def test_predict_makes_the_model_and_answers_as_that_of_a_run_that_records_all(full: Sweep, small: Sweep) -> None:
    answers = [
        run_command(
            "predict", sweep.store.directory.parent, "--json", "--store", sweep.store.directory.name,
            "--run", sweep.runs["rnn"].info.run_id, "i really liked the movie .", status=0,
        ).stdout
        for sweep in (full, small)
    ]  # fmt: skip
    assert answers[0] == answers[1]
    assert model_of(small.store.client.get_run(small.runs["rnn"].info.run_id))


def test_the_model_has_the_files_of_one_that_a_run_packed_and_is_made_once(
    full: Sweep, small: Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(small.store.directory.parent)  # where the reviews are
    folders = []
    for name, sweep in (("full", full), ("small", small)):
        run_id = sweep.runs["rnn"].info.run_id
        make_missing_model(sweep.store, run_id)
        made = model_of(sweep.store.client.get_run(run_id))
        make_missing_model(sweep.store, run_id)
        assert model_of(sweep.store.client.get_run(run_id)) == made
        folder = tmp_path / name
        folder.mkdir()
        folders.append(fetch_run_model(sweep.store, run_id, folder) / DATA)
    about = [json.loads((folder / "model.json").read_text()) for folder in folders]
    for described in about:
        described["reading"].pop("run")
    assert about[0] == about[1]  # with the digests of the other files


def test_compare_registers_models_that_it_makes(small: Sweep) -> None:
    said = run_command(
        "compare", small.store.directory.parent, "mine", "--register", "--store", str(small.store.directory), status=0,
    ).stdout  # fmt: skip
    assert {f"registered as demo@{alias}, version" in said for alias in ("champion", "rnn", "bag")} == {True}


def test_a_model_whose_checkpoint_is_gone_is_one_line(train: Callable[..., Sweep], ask: Ask) -> None:
    bare = train("results", "bare")
    bare.checkpoints("bag").joinpath("best.ckpt").unlink()
    folder, run_id = bare.store.directory.parent, bare.runs["bag"].info.run_id
    done = ask("predict", folder, "--store", "bare", "--run", run_id, "good", status=1)
    assert "this checkpoint is gone" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    said = ask("compare", folder, "mine", "--register", "--store", "bare").stdout
    assert "registered as demo@rnn, version 1" in said
    (line,) = [line for line in said.splitlines() if line.startswith("not registered: bag")]
    assert "this checkpoint is gone" in line


def test_a_model_whose_reviews_have_changed_is_one_line(train: Callable[..., Sweep], ask: Ask) -> None:
    changed = train("results", "changed")
    with sqlite3.connect(changed.store.directory / "mlflow.db") as database:
        database.execute("UPDATE datasets SET digest = 'of other reviews'")
    folder, run_id = changed.store.directory.parent, changed.runs["rnn"].info.run_id
    done = ask("predict", folder, "--store", "changed", "--run", run_id, "good", status=1)
    assert "the reviews are not those that it read" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_an_unfinished_run_gets_no_model(small: Sweep, tmp_path: Path) -> None:
    client = small.store.client
    run_id = client.create_run(small.store.experiment_id).info.run_id
    client.log_param(run_id, "tracking.record", "results")
    client.log_metric(run_id, "temperature", 1.0)
    make_missing_model(small.store, run_id)
    with pytest.raises(UserError, match="it has no packaged model"):
        fetch_run_model(small.store, run_id, tmp_path)
