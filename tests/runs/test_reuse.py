"""Runs that are there are not trained again: which ones stand in for those of a sweep, and how the sweep lists them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from mlflow.entities import Run

from in_process import ask
from sentiment_rnn.config.run import RunConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.config.tracking import TrackingConfig
from sentiment_rnn.report.comparison import joined
from sentiment_rnn.tracking import reuse
from sentiment_rnn.tracking.inventory import entries_of
from sentiment_rnn.tracking.names import PROTOCOL_VARIABLE, REUSED_TAG
from sentiment_rnn.tracking.results import ended_runs, find_sweep, results_of, reused_by
from sentiment_rnn.tracking.reuse import finished_runs_for
from sentiment_rnn.tracking.start import tracked_run
from sentiment_rnn.tracking.store import Store, open_store
from stored_runs import runs_in

SMALL = (
    "-m", "data=generated", "data.train_reviews=120", "data.test_reviews=40", "data.max_lag=10",
    "data.batch_size=20", "embedding.size=8", "trainer.epochs=1", "tracking.system_metrics=false", "trainer=cpu",
    "tracking.record=results",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the sweep `two` has trained two seeds."""
    folder = tmp_path_factory.mktemp("reuse")
    swept(folder, "encoder=bag", "seed=0,1", "study=two")
    return folder


def swept(folder: Path, *overrides: str) -> str:
    """Output of a sweep in a folder."""
    done = ask("train", folder, *SMALL, f"data.directory={folder}/data", *overrides)
    return done.stdout + done.stderr


def store_in(folder: Path) -> Store:
    """The store that a sweep in a folder has made."""
    return open_store(TrackingConfig(None, str(folder / "runs"), "sentiment_rnn", system_metrics=False, repeat=False))


def trained_by(folder: Path, sweep: str) -> list[str]:
    """The seeds that a sweep has trained itself."""
    parent = find_sweep(store_in(folder), sweep).info.run_id
    _, runs = runs_in(folder)
    return sorted(run.data.params["seed"] for run in runs if run.data.tags.get("mlflow.parentRunId") == parent)


def test_one_more_seed_trains_one_seed(folder: Path) -> None:
    said = swept(folder, "encoder=bag", "seed=0,1,2", "study=three")
    assert "sweep three: 2 of 3 runs are there; tracking.repeat=true trains them again" in said
    assert "Launching 1 jobs" in said
    assert trained_by(folder, "three") == ["2"]
    store = store_in(folder)
    parent = find_sweep(store, "latest")
    results = results_of(store, parent)
    assert [result.seed for result in results] == [0, 1, 2]
    assert [result.overrides["study"] for result in results] == ["three"] * 3, "as the jobs of this sweep"
    assert parent.data.tags["mlflow.note.content"].startswith("3 of 3 runs finished")
    (entry,) = [entry for entry in entries_of(store) if entry.name == "three"]
    assert (entry.state, entry.done, entry.jobs) == ("finished", 3, 3)
    alone = [entry.checkpoints for entry in entries_of(store) if entry.name == "two"]
    assert 0 < entry.checkpoints < alone[0], "what another sweep keeps on the disk counts there"


def test_runs_of_another_sweep_are_all_there_and_its_name_compares_them(
    folder: Path,
) -> None:
    said = swept(folder, "encoder=bag", "seed=0,1", "study=again")
    assert "sweep again: 2 of 2 runs are there; tracking.repeat=true trains them again" in said
    assert "Launching" not in said
    assert trained_by(folder, "again") == []
    store = store_in(folder)
    assert find_sweep(store, "latest", finished=True).info.run_name == "again"
    assert "sweep again: 2 of 2 runs are there" in swept(folder, "encoder=bag", "seed=0,1", "study=again")
    assert len([entry for entry in entries_of(store) if entry.name == "again"]) == 1
    sweeps = {name: results_of(store, find_sweep(store, name)) for name in ("two", "again")}
    (arm,), lines = joined(sweeps)
    assert [run.seed for run in arm.runs] == [0, 1], "each once"
    assert lines == ["left out: 2 of the 2 runs of again, which an earlier sweep has too"]


def test_repeat_trains_again(folder: Path) -> None:
    for sweeps in (1, 2):
        swept(folder, "encoder=bag", "seed=1", "study=anew", "tracking.repeat=true")
        assert trained_by(folder, "anew") == ["1"]
        assert len([entry for entry in entries_of(store_in(folder)) if entry.name == "anew"]) == sweeps


def test_repeat_trains_all_of_a_broken_sweep_that_reuses_runs(folder: Path) -> None:
    swept(folder, "encoder=bag", "seed=0,1", "study=broken")
    store = store_in(folder)
    store.client.set_terminated(find_sweep(store, "broken").info.run_id, "KILLED")
    said = swept(folder, "encoder=bag", "seed=0,1", "study=broken", "tracking.repeat=true")
    assert "runs are there" not in said
    assert trained_by(folder, "broken") == ["0", "1"]


def test_a_run_that_was_deleted_is_trained_again(folder: Path) -> None:
    swept(folder, "encoder=bag", "seed=7", "study=gone")
    (first,) = results_of(store_in(folder), find_sweep(store_in(folder), "gone"))
    store_in(folder).client.delete_run(first.run_id)
    swept(folder, "encoder=bag", "seed=7", "study=gone")
    assert trained_by(folder, "gone") == ["7"]


def test_a_failing_job_has_its_traceback_and_what_its_sweep_has_finished_is_reused(tmp_path: Path) -> None:
    # SparseAdam refuses a dense gradient: found out only when the job makes its first step.
    optimizers = "optimizer._target_=torch.optim.SparseAdam,torch.optim.SGD"
    with pytest.raises(RuntimeError, match="SparseAdam"):
        swept(tmp_path, "encoder=bag", "optimizer=sgd", "~optimizer.options.momentum", optimizers, "study=half")
    client, runs = runs_in(tmp_path)
    by_status = {run.info.status: run for run in runs if "mlflow.parentRunId" in run.data.tags}
    assert set(by_status) == {"FAILED", "FINISHED"}
    assert find_sweep(store_in(tmp_path), "half").info.status == "FAILED"
    traceback = client.download_artifacts(by_status["FAILED"].info.run_id, "traceback.txt", str(tmp_path))
    assert "RuntimeError" in Path(traceback).read_text()
    said = swept(tmp_path, "encoder=bag", "optimizer=sgd", "~optimizer.options.momentum", "study=one")
    assert "sweep one: 1 of 1 runs are there" in said
    assert trained_by(tmp_path, "one") == []


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store for made-up runs."""
    return open_store(run_config(f"tracking.directory={tmp_path_factory.mktemp('made_up')}").tracking)


@pytest.fixture
def config(store: Store) -> Callable[..., RunConfig]:
    """The configuration of a job of a sweep, each of another one."""

    def build(*overrides: str) -> RunConfig:
        parent = store.client.create_run(store.experiment_id, run_name="sweep").info.run_id
        told = (f"tracking.directory={store.directory}", f"tracking.parent='{parent}'", "tracking.system_metrics=false")
        return run_config(*told, *overrides)

    return build


def is_reused(store: Store, first: RunConfig, second: RunConfig, identity: str) -> bool:
    """Whether a run of the first configuration, once finished, stands in for one of the second."""
    with tracked_run(store, first, identity, ["seed=0"]) as trained:
        assert not trained.finished
    with tracked_run(store, second, identity, ["seed=0", "study=second"]) as record:
        reused = record.finished
        assert reused == (record.run_id == trained.run_id)
    parent = parent_of(store, second)
    assert (f"{REUSED_TAG}.{trained.run_id}" in parent.data.tags) == reused
    return reused


def parent_of(store: Store, config: RunConfig) -> Run:
    """The run of its sweep."""
    assert config.tracking.parent
    return store.client.get_run(config.tracking.parent)


@pytest.mark.parametrize(
    ("first", "second", "reused"),
    [
        ((), (), True),
        (("study=one",), ("study=two", "trainer.threads=2"), True),
        ((), ("tracking.repeat=true",), False),
        (("tracking.repeat=true",), (), True),
        (("tracking.record=results",), (), False),
        ((), ("tracking.record=results",), True),
        (("trainer.keep_epochs=true",), (), True),
        ((), ("trainer.keep_epochs=true",), False),
        ((), ("optimizer.draw=0", "optimizer.draw_learning_rate=[1e-3,1e-2]"), False),
        (("trainer.fast_dev_run=true",), ("trainer.fast_dev_run=true",), False),
        (("tracking.search_trial=3",), (), False),
        ((), ("tracking.search_trial=3",), False),
    ],
)
def test_a_run_stands_in_for_another_where_it_left_as_much_and_was_no_trial(
    store: Store, config: Callable[..., RunConfig], first: Any, second: Any, reused: bool
) -> None:
    assert is_reused(store, config(*first), config(*second), uuid4().hex) == reused


@pytest.mark.parametrize(("first", "second", "reused"), [("", "ab", False), ("ab", "ab", True), ("ab", "", True)])
def test_a_study_reuses_runs_of_its_protocol_alone(
    store: Store, config: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch, first: str, second: str,
    reused: bool,
) -> None:  # fmt: skip
    identity = f"protocol {first} {second}"
    given, asked = config(), config()
    monkeypatch.setenv(PROTOCOL_VARIABLE, first)
    with tracked_run(store, given, identity, []) as trained:
        pass
    monkeypatch.setenv(PROTOCOL_VARIABLE, second)
    with tracked_run(store, asked, identity, []) as record:
        assert (record.run_id == trained.run_id) == reused


def test_a_sweep_prefers_its_own_run_and_then_the_last(store: Store, config: Callable[..., RunConfig]) -> None:
    asked, ids = config(), []
    for number, given in enumerate((asked, config("tracking.repeat=true"), config("tracking.repeat=true"))):
        with tracked_run(store, given, "several", [f"seed={number}"]) as record:
            ids.append(record.run_id)
    own = finished_runs_for(store, parent_of(store, asked), {"several": (asked, [])})
    assert own["several"].info.run_id == ids[0]
    others = finished_runs_for(store, parent_of(store, other := config()), {"several": (other, [])})
    assert others["several"].info.run_id == ids[2]


def test_a_sweep_keeps_the_run_that_it_lists_whatever_was_trained_since(
    store: Store, config: Callable[..., RunConfig]
) -> None:
    asked = config()
    with tracked_run(store, config(), "listed", []) as first:
        pass
    assert finished_runs_for(store, parent_of(store, asked), {"listed": (asked, [])})["listed"].info.run_id
    with tracked_run(store, config("tracking.repeat=true"), "listed", []):
        pass
    found = finished_runs_for(store, parent_of(store, asked), {"listed": (asked, [])})
    assert found["listed"].info.run_id == first.run_id
    assert [run.info.run_id for run in ended_runs(store, parent_of(store, asked))] == [first.run_id], "one for each job"


def test_a_sweep_lists_more_runs_than_the_store_takes_at_once_without_secrets(
    store: Store, config: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reuse, "TAGS_AT_ONCE", 2)
    asked = config()
    wanted = {f"{number} of five": (asked, [f"seed={number}", "+api_token=abc"]) for number in range(5)}
    for identity in wanted:
        with tracked_run(store, config(), identity, []):
            pass
    finished_runs_for(store, parent_of(store, asked), wanted)
    listed = reused_by(parent_of(store, asked))
    assert sorted(job[0] for job in listed.values()) == [f"seed={number}" for number in range(5)]
    assert not any("abc" in override for job in listed.values() for override in job)


def test_a_sweep_of_many_kinds_of_runs_asks_the_store_once(
    store: Store, config: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        with tracked_run(store, config(), f"{number}kind of", []):
            pass
    asked, queries = config(), []
    search = store.client.search_runs
    monkeypatch.setattr(store.client, "search_runs", lambda *a, **k: queries.append(a) or search(*a, **k))
    wanted = {f"{number}kind of": (asked, [f"seed={number}"]) for number in range(200)}
    found = finished_runs_for(store, parent_of(store, asked), wanted)
    assert sorted(found) == ["0kind of", "1kind of", "2kind of"]
    assert len(queries) == 1
