"""`compare`, `runs` and the lab read of a sweep the runs of its last launch, each identity once."""

import json
import math
import time
from pathlib import Path

import pytest

from sentiment_rnn.config.sections import TrackingConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.inventory import chosen, entries_of
from sentiment_rnn.tracking.names import (
    DIVERGED_TAG,
    IDENTITY_TAG,
    JOB_TAG,
    LAUNCHED_TAG,
    PARENT_TAG,
    STUDY_TAG,
    SWEEP_TAG,
    TRIAL_TAG,
)
from sentiment_rnn.tracking.results import RecordedRun
from sentiment_rnn.tracking.store import Store, open_store
from sentiment_rnn.tracking.sweeps import OpenSweep, find_sweep, results_of, view_of


def add_sweep(
    store: Store, name: str, jobs: list[list[str]], trials: int = 0, backwards: bool = False,
    diverged: int | None = None, launched: int = 1, experiment: str | None = None,
) -> str:  # fmt: skip
    """A finished sweep with a run for each list of overrides, of which the first `trials` were trials, and the one of
    this number `diverged`; its parent's id.

    Args:
        launched: when.
    """
    client, experiment = store.client, experiment or store.experiment_id
    listed = {f"{JOB_TAG}{n}": "\n".join([f"{name} {n}", *job]) for n, job in enumerate(jobs)}
    tags = {SWEEP_TAG: str(len(jobs)), STUDY_TAG: name, LAUNCHED_TAG: str(launched)}
    parent = client.create_run(experiment, tags=tags | listed, run_name=name).info.run_id
    numbers = range(len(jobs))
    for number in reversed(numbers) if backwards else numbers:
        trial = {TRIAL_TAG: "limit_batches"} if number < trials else {}
        ending = {DIVERGED_TAG: "the loss is nan"} if number == diverged else {}
        identity = {IDENTITY_TAG: f"{name} {number}", PARENT_TAG: parent}
        add_run(store, jobs[number], identity | trial | ending, experiment)
    client.set_terminated(parent)
    return str(parent)


def add_run(store: Store, job: list[str], tags: dict[str, str], experiment: str | None = None) -> str:
    """A run of a job that has ended: FAILED where it diverged, else FINISHED."""
    client = store.client
    run_id = str(client.create_run(experiment or store.experiment_id, tags=tags).info.run_id)
    client.log_dict(run_id, run_config(*job).settings(), "config.yaml")
    client.log_dict(run_id, job, "overrides.yaml")  # JSON is YAML
    for override in job:
        client.log_param(run_id, *override.split("=", 1))
    client.set_terminated(run_id, "FAILED" if DIVERGED_TAG in tags else "FINISHED")
    return run_id


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Sweeps: one as usual, one of trials, one with trials, one with a run that diverged, one run backwards."""
    folder = tmp_path_factory.mktemp("store")
    made = open_store(TrackingConfig(None, str(folder), "mine"))
    add_sweep(made, "deep", [[f"seed={seed}"] for seed in range(3)])
    add_sweep(made, "tried", [["encoder=rnn"], ["encoder=bag"]], trials=2)
    add_sweep(made, "mixed", [["encoder=rnn"], ["encoder=bag"]], trials=1)
    add_sweep(made, "drawn", [["encoder=rnn", f"optimizer.draw={draw}"] for draw in range(3)], diverged=1)
    jobs = [["encoder=rnn", "seed=0"], ["encoder=bag", "seed=0"]]
    add_sweep(made, "backwards", jobs, backwards=True, launched=2)
    return made


def test_a_recorded_run_gives_its_scores_and_the_configuration_that_it_was_trained_with(store: Store) -> None:
    sweep = find_sweep(store, "latest")
    named = [find_sweep(store, name).info.run_id for name in ("backwards", sweep.info.run_id)]
    assert named == [sweep.info.run_id] * 2
    first = results_of(store, sweep)[0]
    assert (first.encoder, first.label, first.seed) == ("rnn", "RNN, orthogonal", 0)
    assert first.learning_rate == first.config.optimizer.learning_rate > 0
    assert first.overrides == {"encoder": "rnn", "seed": "0"}
    assert math.isnan(first.metrics["test/accuracy"])  # which this run never had


def test_mlflows_page_of_a_sweep_shows_its_runs_and_no_others(store: Store) -> None:
    sweep = find_sweep(store, "backwards")
    view = json.loads(view_of(sweep))
    shown = store.client.search_runs([store.experiment_id], view["searchFilter"], order_by=[view["orderByKey"]])
    assert {run.info.run_id for run in shown} == {run.run_id for run in results_of(store, sweep)}
    assert "metrics.`val/best_accuracy`" in view["selectedColumns"]


def test_two_runs_of_one_identity_count_once_and_it_is_the_first_that_finished(store: Store) -> None:
    parent = add_sweep(store, "twice", [["seed=0"], ["seed=1"]])
    first, second = results_of(store, store.client.get_run(parent))
    for number in range(2):
        again = add_run(store, [f"seed={number}"], {IDENTITY_TAG: f"twice {number}", PARENT_TAG: parent})
        broken = store.client.create_run(store.experiment_id, 0, {IDENTITY_TAG: f"twice {number}"}).info.run_id
        for run_id, status in ((broken, "FAILED"), (again, "FINISHED")):
            store.client.set_terminated(run_id, status, second.updated + 1000)
    found = results_of(store, store.client.get_run(parent))
    assert [result.run_id for result in found] == [first.run_id, second.run_id]
    (entry,) = chosen(entries_of(store), "twice")
    assert (entry.done, entry.jobs) == (2, 2)
    store.client.delete_run(found[0].run_id)
    assert found[0].run_id not in [result.run_id for result in results_of(store, store.client.get_run(parent))]


def test_a_sweep_has_the_runs_of_its_jobs_whichever_sweep_trained_them(store: Store) -> None:
    listed = {f"{JOB_TAG}{n}": f"deep {seed}\nseed={seed}\nstudy=shared" for n, seed in enumerate((2, 0))}
    tags = {SWEEP_TAG: "2", STUDY_TAG: "shared", LAUNCHED_TAG: "1"}
    found = results_of(store, store.client.create_run(store.experiment_id, tags=tags | listed, run_name="shared"))
    assert [result.seed for result in found] == [2, 0]
    assert {result.overrides["study"] for result in found} == {"shared"}, "as the jobs of this sweep"


def test_trials_are_left_out_and_a_sweep_of_trials_is_refused_in_one_line(store: Store) -> None:
    assert [result.encoder for result in results_of(store, find_sweep(store, "mixed"))] == ["bag"]
    with pytest.raises(UserError, match=r"its runs are trials \(limit_batches\), which are not compared"):
        results_of(store, find_sweep(store, "tried"))


def test_diverged_runs_of_a_sweep_are_given_in_its_order_and_only_when_asked_for(store: Store) -> None:
    sweep = find_sweep(store, "drawn")
    assert [result.overrides["optimizer.draw"] for result in results_of(store, sweep)] == ["0", "2"]
    every = results_of(store, sweep, diverged=True)
    assert [(result.overrides["optimizer.draw"], result.diverged) for result in every] == [
        ("0", False), ("1", True), ("2", False),
    ]  # fmt: skip


def test_the_latest_sweep_is_the_one_that_was_launched_last_new_or_not(tmp_path: Path) -> None:
    store = open_store(run_config(f"tracking.directory={tmp_path}").tracking)

    for name in ("first", "second", "first"):
        time.sleep(0.002)
        sweep = OpenSweep(store, name, [("an identity", ["seed=0"])])
        assert find_sweep(store, "latest").info.run_name == name, "which is open"
        sweep.close("FINISHED")
        assert find_sweep(store, "latest").info.run_name == chosen(entries_of(store), "latest")[0].name == name
    assert len(store.client.search_runs([store.experiment_id])) == 2, "one parent a name"


def test_a_sweep_without_a_finished_run_is_one_line(store: Store) -> None:
    client = store.client
    parent = client.create_run(store.experiment_id, tags={STUDY_TAG: "none", SWEEP_TAG: "1"}, run_name="none")
    client.set_terminated(parent.info.run_id)
    with pytest.raises(UserError, match=r"^sweep none .*: no finished run to compare$"):
        results_of(store, client.get_run(parent.info.run_id))
    client.delete_run(parent.info.run_id)


def test_a_configuration_that_this_version_cannot_read_is_refused_in_one_line(store: Store) -> None:
    client = store.client
    run_id = client.create_run(store.experiment_id).info.run_id
    client.log_dict(run_id, {"seed": 0, "encoder": {"name": "rnn"}}, "config.yaml")
    client.log_dict(run_id, [], "overrides.yaml")
    with pytest.raises(UserError, match=r"config\.yaml is of another version, or damaged"):
        RecordedRun(store, client.get_run(run_id)).config  # noqa: B018


def test_the_runs_of_a_sweep_are_those_of_its_own_experiment(store: Store) -> None:
    other = store.client.create_experiment("other", artifact_location=(store.directory / "other").as_uri())
    parent = store.client.get_run(add_sweep(store, "elsewhere", [["seed=0"], ["seed=1"]], experiment=other))
    assert [run.seed for run in results_of(store, parent)] == [0, 1]
