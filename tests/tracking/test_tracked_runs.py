"""Which run a command gets: the one that finished, the one that broke off, or a new one, for whoever gives a command
twice."""

import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from mlflow.entities import Run, ViewType

from processes import wait_for
from sentiment_rnn.config.run import RunConfig
from sentiment_rnn.config.sections import TrackingConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.tasks.job import identity_of, job_of
from sentiment_rnn.tracking import run as tracked
from sentiment_rnn.tracking.checkpoints import LAST, CheckpointFiles, CheckpointFolder
from sentiment_rnn.tracking.description import description_of
from sentiment_rnn.tracking.names import PROTOCOL_VARIABLE
from sentiment_rnn.tracking.run import DivergedError, PrunedError, TrackedRun, start, tracked_run
from sentiment_rnn.tracking.store import Store, open_store
from short_runs import ADDING
from stored_runs import rows

CURVE = [("loss", step, step / 7) for step in range(4)]


@pytest.fixture(scope="module")
def config() -> RunConfig:
    """The configuration of all runs here, which nobody trains."""
    return run_config(*ADDING, "tracking.system_metrics=false")


def finish(store: Store, config: RunConfig, identity: str = "an identity") -> str:
    """Train a run to its end, from its checkpoint or from the first step; its id."""
    with tracked_run(store, description_of(config, identity, ["seed=0"])) as run:
        if not run.finished:
            log_curve(run)
            run.log_metrics({"test/loss": 0.5})
    return run.run_id


def break_off(store: Store, config: RunConfig, how: BaseException, sends: bool = True) -> str:
    """Train a run until a checkpoint is written, and end it by `how`; its id.

    Args:
        sends: whether the store gets the points of the checkpoint.
    """
    ids = []
    with suppress(type(how)), tracked_run(store, description_of(config, "an identity", [])) as run:
        ids.append(run.run_id)
        log_curve(run, 2)
        CheckpointFiles().save_checkpoint({"state_dict": {}, **run.state()}, run.folder / LAST)
        if sends:
            run.send(len(run.points), wait=False)
        raise how
    return ids[0]


def log_curve(run: TrackedRun, steps: int = 4) -> None:
    """What it lacks of the points of a loss, of which a store takes no second one at the same step."""
    for _, step, value in CURVE[:steps]:
        run.log_metrics({"loss": value}, step)
        time.sleep(0.002)  # MLflow keeps two equal values of another time


def runs(store: Store) -> list[Run]:
    """All runs of the experiment, the oldest first, also the deleted ones."""
    found = store.client.search_runs([store.experiment_id], run_view_type=ViewType.ALL, order_by=["start_time"])
    return list(found)


@pytest.mark.parametrize("sends", [True, False], ids=["sent", "not sent"])
@pytest.mark.parametrize("how", [KeyboardInterrupt(), ZeroDivisionError(), SystemExit(-1)], ids=lambda how: repr(how))
def test_a_run_that_broke_off_resumes_as_the_same_run_and_has_every_point_once(
    how: BaseException, sends: bool, store: Store, config: RunConfig
) -> None:
    run_id = break_off(store, config, how, sends)
    broken = store.client.get_run(run_id)
    failed = isinstance(how, Exception)
    assert broken.info.status == ("FAILED" if failed else "KILLED")
    assert ("sentiment_rnn.error" in broken.data.tags) == failed
    assert ("traceback.txt" in [file.path for file in store.client.list_artifacts(run_id)]) == failed
    assert finish(store, config) == run_id
    (run,) = runs(store)
    assert run.info.status == "FINISHED"
    assert rows(store.client, run) == [*CURVE, ("test/loss", 0, 0.5)]
    assert "sentiment_rnn.error" not in run.data.tags
    assert not (store.checkpoints / "an identity" / LAST).exists()


def test_a_signal_while_a_run_is_made_leaves_it_killed_and_it_is_trained_as_the_same_run(
    store: Store, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = store.client.create_run

    def interrupted(*arguments: Any, **named: Any) -> None:
        create(*arguments, **named)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(store.client, "create_run", interrupted)
        with pytest.raises(KeyboardInterrupt), tracked_run(store, description_of(config, "an identity", [])):
            pass
    (run,) = runs(store)
    assert run.info.status == "KILLED"
    assert finish(store, config) == run.info.run_id


def test_a_run_whose_process_was_killed_before_its_first_checkpoint_is_trained_as_the_same_run(
    store: Store, config: RunConfig
) -> None:
    with CheckpointFolder(store, "an identity") as folder:
        killed = start(store, folder, description_of(config, "an identity", []))
    assert finish(store, config) == killed.run_id
    assert len(runs(store)) == 1


@pytest.mark.parametrize("damage", ["cut off", "of another program", "gone"])
def test_a_run_whose_checkpoint_cannot_be_read_trains_anew_as_a_new_run(
    damage: str, store: Store, config: RunConfig, caplog: pytest.LogCaptureFixture
) -> None:
    broken = break_off(store, config, KeyboardInterrupt())
    last = store.checkpoints / "an identity" / LAST
    if damage == "cut off":
        last.write_bytes(last.read_bytes()[:100])
    elif damage == "of another program":
        torch.save({"state_dict": {}}, last)
    else:
        last.unlink()
    anew = finish(store, config)
    assert anew != broken
    assert rows(store.client, store.client.get_run(anew)) == [*CURVE, ("test/loss", 0, 0.5)]
    assert store.client.get_run(broken).info.status == "KILLED"
    assert ("cannot be read, so the run trains from its first epoch" in caplog.text) == (damage != "gone")


def test_a_finished_run_that_was_deleted_in_mlflow_is_trained_again(store: Store, config: RunConfig) -> None:
    finished = finish(store, config)
    store.client.delete_run(finished)
    again = finish(store, config)
    assert again != finished
    assert store.client.get_run(again).info.status == "FINISHED"


def test_what_a_folder_keeps_for_one_store_touches_no_run_of_another(
    store: Store, config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where MLflow leaves the artifacts of a store that is named by its address
    broken = break_off(store, config, KeyboardInterrupt())
    other = open_store(TrackingConfig(f"sqlite:///{tmp_path}/other.db", str(tmp_path), "sentiment_rnn"))
    there = finish(other, config)
    assert rows(other.client, other.client.get_run(there)) == [*CURVE, ("test/loss", 0, 0.5)]
    assert store.client.get_run(broken).info.status == "KILLED"
    anew = finish(store, config)
    assert anew != broken, "its checkpoint has gone with the end of the other"
    assert rows(store.client, store.client.get_run(anew)) == [*CURVE, ("test/loss", 0, 0.5)]


@pytest.mark.parametrize("how", [PrunedError("after epoch 1"), DivergedError("the loss is nan in batch 2")])
def test_a_sweep_does_not_train_a_run_again_that_ended_without_a_score_and_another_sweep_resumes_it(
    how: Exception, store: Store, config: RunConfig
) -> None:
    config = replace(config, tracking=replace(config.tracking, search_trial=0))
    settled = break_off(store, config, how)
    with pytest.raises(type(how), match=str(how)):
        finish(store, config)
    (run,) = runs(store)
    assert run.info.end_time == store.client.get_run(settled).info.end_time, "nothing was touched"
    other = run_config(*ADDING, "tracking.system_metrics=false", "study=another")
    assert finish(store, other) == settled
    assert not {"sentiment_rnn.pruned", "sentiment_rnn.diverged"} & runs(store)[0].data.tags.keys()


def test_the_protocol_of_a_study_is_part_of_the_identity_of_its_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = identity_of(job_of(run_config(*ADDING)))
    monkeypatch.setenv(PROTOCOL_VARIABLE, "a protocol")
    assert identity_of(job_of(run_config(*ADDING))) != plain


def test_the_use_of_the_machine_is_recorded_once_for_each_step_of_a_run_that_resumes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracked, "MONITOR_SECONDS", 0.01)
    config, name = run_config(*ADDING, "tracking.system_metrics=true"), "system/system_memory_usage_megabytes"

    def steps(run: TrackedRun) -> list[int]:
        return [point.step for point in store.client.get_metric_history(run.run_id, name)]

    with suppress(KeyboardInterrupt), tracked_run(store, description_of(config, "an identity", [])) as run:
        wait_for(lambda: len(steps(run)) > 2)
        raise KeyboardInterrupt
    with tracked_run(store, description_of(config, "an identity", [])) as again:
        wait_for(lambda: len(steps(run)) > 5)
    assert again.run_id == run.run_id
    assert steps(run) == [*range(len(steps(run)))]
