"""What a run records: with each checkpoint, where another process takes it over, and at its end."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from sentiment_rnn.config.store import run_config
from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.checkpoint_files import LAST, PREVIOUS
from sentiment_rnn.tracking.lease import this_process
from sentiment_rnn.tracking.names import LEASE_TAG
from sentiment_rnn.tracking.record import RunRecord, tracked_run
from sentiment_rnn.tracking.store import Store, open_store

SMALL = ("task=adding", "tracking.system_metrics=false")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a store: making one takes longer than any test here."""
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def store(folder: Path) -> Store:
    """A local store."""
    return open_store(run_config(*SMALL, f"tracking.directory={folder}").tracking)


def losses(store: Store, run_id: str) -> list[float]:
    """What the store has of a run's loss."""
    return [point.value for point in store.client.get_metric_history(run_id, "loss")]


def save_checkpoint(record: RunRecord) -> None:
    """Write a last checkpoint, as Lightning does."""
    state = {"state_dict": {"weight": torch.ones(3)}, "global_step": 1}
    record.checkpoint_files().save_checkpoint(state, record.checkpoints / LAST)


def test_what_was_measured_before_a_checkpoint_is_in_the_store_when_it_is_written(store: Store, folder: Path) -> None:
    with tracked_run(store, run_config(*SMALL), "identity", []) as record:
        record.log_metrics({"loss": 0.5}, 1)
        assert losses(store, record.run_id) == []
        save_checkpoint(record)
        assert losses(store, record.run_id) == [0.5]
        record.log_metrics({"loss": 0.25}, 2)
    assert losses(store, record.run_id) == [0.5, 0.25]


def test_metrics_that_waited_are_dropped_where_another_process_has_the_run(store: Store) -> None:
    begun: list[str] = []

    def train() -> None:
        config = run_config(*SMALL, "tracking.heartbeat=0.1", "tracking.lease=0.4")
        with tracked_run(store, config, "identity", []) as record:
            begun.append(record.run_id)
            record.log_metrics({"loss": 0.5}, 1)
            other = replace(this_process(), host="node7", machine="another")
            store.client.set_tag(record.run_id, LEASE_TAG, json.dumps(asdict(other)))
            assert record.lease
            record.lease._thread.join()  # its heartbeat finds the other

    with pytest.raises(UserError, match="taken over by another process"):
        train()
    assert losses(store, begun[0]) == []


@pytest.mark.parametrize(("kind", "left"), [("full", {LAST}), ("results", set())])
def test_a_finished_run_keeps_its_last_checkpoint_unless_it_records_results_alone(
    store: Store, kind: str, left: set[str]
) -> None:
    with tracked_run(store, run_config(*SMALL, f"tracking.record={kind}"), "identity", []) as record:
        save_checkpoint(record)
        save_checkpoint(record)
        assert {path.name for path in record.checkpoints.iterdir()} == {LAST, PREVIOUS}
    assert {path.name for path in record.checkpoints.iterdir()} == left


def test_a_run_that_fails_keeps_its_last_checkpoint_whatever_it_records(store: Store) -> None:
    folders: list[Path] = []

    def train() -> None:
        with tracked_run(store, run_config(*SMALL, "tracking.record=results"), "identity", []) as record:
            folders.append(record.checkpoints)
            save_checkpoint(record)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        train()
    assert (folders[0] / LAST).exists()


def test_a_run_that_resumes_says_nothing_of_the_failure_before(store: Store) -> None:
    def train(fails: bool, *overrides: str) -> None:
        with tracked_run(store, run_config(*SMALL, *overrides), "identity", []) as record:
            failed.append(record.run_id)
            if fails:
                raise ZeroDivisionError

    failed: list[str] = []
    with pytest.raises(ZeroDivisionError):
        train(True)
    assert "sentiment_rnn.error" in store.client.get_run(failed[0]).data.tags
    assert "traceback.txt" in [artifact.path for artifact in store.client.list_artifacts(failed[0])]
    train(False, f"tracking.resume='{failed[0]}'")
    run = store.client.get_run(failed[0])
    assert run.info.status == "FINISHED"
    assert "sentiment_rnn.error" not in run.data.tags
    assert "traceback.txt" not in [artifact.path for artifact in store.client.list_artifacts(failed[0])]


def test_a_run_whose_process_was_killed_before_it_had_its_parameters_gets_them_when_it_resumes(store: Store) -> None:
    tags = {"sentiment_rnn.identity": "identity"}
    run_id = store.client.create_run(store.experiment_id, tags=tags).info.run_id
    with tracked_run(store, run_config(*SMALL, "seed=3", f"tracking.resume='{run_id}'"), "identity", []):
        pass
    assert store.client.get_run(run_id).data.params["seed"] == "3"
