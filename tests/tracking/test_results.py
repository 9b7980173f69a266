"""Reading the results of sweeps."""

import math
import time
from pathlib import Path
from typing import Any

import pytest
import requests
from matplotlib.figure import Figure
from mlflow import MlflowClient

from sentiment_rnn.config.run import ReviewConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.config.tracking import TrackingConfig
from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.inventory import chosen, entries_of
from sentiment_rnn.tracking.names import DIVERGED_TAG, ORDER_TAG, PARENT_TAG, STUDY_TAG, SWEEP_TAG, TRIAL_TAG
from sentiment_rnn.tracking.results import SweepPlan, find_sweep, result_of, results_of
from sentiment_rnn.tracking.store import Store, open_store
from sentiment_rnn.tracking.sweeps import OpenSweep, log_comparison, open_sweep


def settings_of(*overrides: str) -> dict[str, Any]:
    """Recorded configuration of a run with these overrides."""
    return run_config(*overrides).settings()


def add_sweep(
    client: MlflowClient, experiment: str, name: str, jobs: list[list[str]], trials: int = 0, backwards: bool = False,
    diverged: int | None = None, digest: str = "a digest",
) -> str:  # fmt: skip
    """A finished sweep with a run for each list of overrides, of which the first `trials` were trials, and the one of
    this number `diverged`."""
    parent = client.create_run(experiment, tags={SWEEP_TAG: digest, STUDY_TAG: name}, run_name=name).info.run_id
    client.log_dict(parent, {"jobs": jobs}, "sweep.yaml")
    numbered = list(enumerate(jobs))
    for number, job in reversed(numbered) if backwards else numbered:
        tags = {PARENT_TAG: parent} | ({TRIAL_TAG: "fast_dev_run"} if number < trials else {})
        child = client.create_run(experiment, tags=tags).info.run_id
        client.log_dict(child, settings_of(*job), "config.yaml")
        client.log_dict(child, job, "overrides.yaml")  # JSON is YAML
        if number == diverged:
            client.set_tag(child, DIVERGED_TAG, "the loss is nan in batch 3 of epoch 1, at learning rate 0.02")
        client.set_terminated(child, "FAILED" if number == diverged else None)
    client.set_terminated(parent)
    return parent


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Sweeps: one as usual, one of trials, one with trials, one with a run that diverged, one run backwards."""
    folder = tmp_path_factory.mktemp("store")
    made = open_store(TrackingConfig(None, str(folder), "mine"))
    client, experiment = made.client, made.experiment_id
    add_sweep(client, experiment, "deep", [[f"seed={seed}"] for seed in range(3)])
    add_sweep(client, experiment, "tried", [["encoder=rnn"], ["encoder=bag"]], trials=2)
    add_sweep(client, experiment, "mixed", [["encoder=rnn"], ["encoder=bag"]], trials=1)
    add_sweep(client, experiment, "drawn", [["encoder=rnn", f"optimizer.draw={draw}"] for draw in range(3)], diverged=1)
    add_sweep(client, experiment, "anna's", [["seed=0"]])
    add_sweep(client, experiment, "backwards", [["encoder=rnn", "seed=0"], ["encoder=bag", "seed=0"]], backwards=True)
    return made


def test_a_sweep_that_has_not_finished_is_one_line_for_who_asks_for_a_finished_one(store: Store) -> None:
    with pytest.raises(UserError, match=r"^missing: no such sweep has finished"):
        find_sweep(store, "missing", finished=True)


def test_a_result_is_the_run_with_its_configuration(store: Store) -> None:
    first = results_of(store, find_sweep(store, "backwards"))[0]
    assert isinstance(first.config, ReviewConfig)
    assert (first.encoder, first.label, first.seed) == ("rnn", "RNN, orthogonal", 0)
    assert first.learning_rate == first.config.optimizer.learning_rate > 0
    assert first.overrides == {"encoder": "rnn", "seed": "0"}
    assert math.isnan(first.metrics["test/accuracy"])  # which this run never had


def test_a_label_that_is_given_names_the_encoder_and_that_of_the_file_no_other_encoder() -> None:
    encoder = run_config("encoder=lstm", "encoder.label=mine").encoder
    for given, label in (
        (["encoder.hidden_size=8", "encoder.label=mine"], "mine"),
        (["+encoder.label=mine"], "mine"),
        (["encoder=lstm", "encoder.color='#000000'"], "mine"),
        (["encoder.hidden_size=8"], "lstm"),
    ):
        assert encoder.label_with(given) == label


def test_a_job_that_was_trained_again_elsewhere_counts_once(store: Store) -> None:
    parent = add_sweep(store.client, store.experiment_id, "twice", [["seed=0"], ["seed=1"], ["seed=0"]])
    found = sorted((result.seed, result.run_id) for result in results_of(store, store.client.get_run(parent)))
    latest = store.client.search_runs([store.experiment_id], f"tags.`{PARENT_TAG}` = '{parent}'", max_results=1)
    assert ([seed for seed, _ in found], found[0][1]) == ([0, 1], latest[0].info.run_id)
    store.client.delete_run(parent)  # the latest sweep of the other tests is another


def test_results_are_in_the_order_of_the_jobs_whichever_ran_first(store: Store) -> None:
    assert [result.encoder for result in results_of(store, find_sweep(store, "backwards"))] == ["rnn", "bag"]


def test_a_run_of_an_earlier_version_has_its_overrides_and_gradients_by_the_names_of_today(store: Store) -> None:
    client = store.client
    run_id = client.create_run(store.experiment_id).info.run_id
    client.log_dict(run_id, settings_of("data=generated", "data.max_lag=20"), "config.yaml")
    client.log_dict(run_id, ["data=generated", "+data.max_distance=20"], "overrides.yaml")
    client.log_text(run_id, "distance,before,after\n0,1,2\n1,0.5,0.25\n", "gradients.csv")
    found = result_of(store, client.get_run(run_id))
    assert found.overrides == {"data": "generated", "data.max_lag": "20"}
    assert found.gradients.tolist() == [[0, 1], [1, 0.5], [2, 0.25]]


def test_trials_are_left_out_and_a_sweep_of_trials_is_refused_in_one_line(store: Store) -> None:
    assert [result.encoder for result in results_of(store, find_sweep(store, "mixed"))] == ["bag"]
    with pytest.raises(UserError, match=r"its runs are trials \(fast_dev_run\), which are not compared") as refused:
        results_of(store, find_sweep(store, "tried"))
    assert "\n" not in str(refused.value)


def test_runs_that_diverged_come_where_they_are_asked_for_in_their_place(store: Store) -> None:
    sweep = find_sweep(store, "drawn")
    assert [result.overrides["optimizer.draw"] for result in results_of(store, sweep)] == ["0", "2"]
    every = results_of(store, sweep, diverged=True)
    assert [(result.overrides["optimizer.draw"], result.diverged) for result in every] == [
        ("0", False), ("1", True), ("2", False),
    ]  # fmt: skip


@pytest.mark.parametrize("jobs", [3, 2])
def test_a_sweep_of_which_a_draw_diverged_has_all_its_runs_also_for_one_that_asks_for_fewer(
    jobs: int, tmp_path: Path
) -> None:
    config = run_config(f"tracking.directory={tmp_path}", "tracking.repeat=false").tracking
    store = open_store(config)
    draws = [["encoder=rnn", f"optimizer.draw={draw}"] for draw in range(3)]
    add_sweep(store.client, store.experiment_id, "drawn", draws, diverged=1)
    assert open_sweep(store, config, "drawn", "a digest", SweepPlan(draws[:jobs])) is None


def test_a_finished_sweep_that_is_asked_for_again_is_the_latest_of_its_name(tmp_path: Path) -> None:
    config = run_config(f"tracking.directory={tmp_path}", "tracking.repeat=false").tracking
    store = open_store(config)
    jobs = [["seed=0"]]
    first = add_sweep(store.client, store.experiment_id, "learn", jobs, digest="first seeds")
    second = add_sweep(store.client, store.experiment_id, "learn", [["seed=1"]], digest="more seeds")
    assert find_sweep(store, "learn", finished=True).info.run_id == second
    time.sleep(0.002)
    assert open_sweep(store, config, "learn", "first seeds", SweepPlan(jobs)) is None
    assert find_sweep(store, "learn", finished=True).info.run_id == first


def test_the_latest_sweep_is_that_which_came_last_to_the_store_whatever_the_clocks_of_its_machines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = run_config(f"tracking.directory={tmp_path}").tracking
    store = open_store(config)
    clock, now = time.time, 0.0
    monkeypatch.setattr(time, "time", lambda: clock() + now)

    def begun(name: str) -> OpenSweep:
        opened = open_sweep(store, config, name, f"digest of {name}", SweepPlan([["seed=0"]]))
        assert opened
        return opened

    def latest() -> tuple[str | None, str]:
        return find_sweep(store, "latest").info.run_name, chosen(entries_of(store), "latest")[0].name

    now = 86_400
    ahead = begun("a day ahead")
    now = 0.0
    assert latest() == ("a day ahead", "a day ahead")
    second = begun("second")
    assert latest() == ("second", "second")
    third = begun("third")
    third.close("FINISHED")
    assert latest() == ("third", "third")
    second.close("FAILED")
    assert latest() == ("second", "second")
    now = -86_400
    ahead.close("FAILED")
    assert latest() == ("a day ahead", "a day ahead"), "it ended last"
    begun("second").close("FINISHED")
    assert latest() == ("second", "second"), "it was resumed, and not begun anew"
    assert len(store.client.search_runs([store.experiment_id])) == 3


def test_a_sweep_of_an_earlier_version_comes_before_all_others_and_among_its_like_by_time(tmp_path: Path) -> None:
    config = run_config(f"tracking.directory={tmp_path}").tracking
    store = open_store(config)
    for name in ("old", "older"):
        add_sweep(store.client, store.experiment_id, name, [["seed=0"]], digest=name)
    assert find_sweep(store, "latest").info.run_name == "older"
    store.client.set_tag(find_sweep(store, "older").info.run_id, ORDER_TAG, "of another program")
    new = open_sweep(store, config, "new", "new", SweepPlan([["seed=0"]]))
    assert new
    new.close("FINISHED")
    later = add_sweep(store.client, store.experiment_id, "older", [["seed=0"]], digest="older")
    assert find_sweep(store, "latest").info.run_name == "new"
    assert find_sweep(store, "older").info.run_id == later


def test_a_sweep_is_found_by_its_study_by_its_run_or_as_the_latest(store: Store) -> None:
    by_name = find_sweep(store, "deep")
    assert find_sweep(store, by_name.info.run_id).info.run_id == by_name.info.run_id
    assert find_sweep(store, "latest").info.run_name == "backwards"
    assert find_sweep(store, "anna's").info.run_name == "anna's"


@pytest.mark.parametrize(
    ("status", "said"),
    [(403, "refuses this user (403)"), (502, "no answer (502 Server Error"), (507, "507 Server Error")],
)
def test_where_a_server_keeps_no_artifacts_it_is_one_line(
    store: Store, monkeypatch: pytest.MonkeyPatch, status: int, said: str
) -> None:
    answer = requests.Response()
    answer.status_code, answer.url = status, "http://127.0.0.1:5001/api"

    def refuse(*_: object) -> None:
        answer.raise_for_status()

    monkeypatch.setattr(store.client, "log_text", refuse)
    with pytest.raises(UserError) as refused:
        log_comparison(store, find_sweep(store, "deep"), {"table.md": "| |"}, Figure())
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_where_the_folder_of_a_store_cannot_be_written_it_is_one_line(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(store.client, "log_text", refuse)
    with pytest.raises(UserError, match=r"nothing was logged \(Permission denied\); make its folder writable"):
        log_comparison(store, find_sweep(store, "deep"), {"table.md": "| |"}, Figure())


def test_a_sweep_without_a_finished_run_is_one_line(store: Store) -> None:
    client = store.client
    parent = client.create_run(store.experiment_id, tags={STUDY_TAG: "none", SWEEP_TAG: "none"}, run_name="none")
    client.log_dict(parent.info.run_id, {"jobs": []}, "sweep.yaml")
    client.set_terminated(parent.info.run_id)
    with pytest.raises(UserError, match=r"^sweep none .*: no finished run to compare$"):
        results_of(store, client.get_run(parent.info.run_id))
    client.delete_run(parent.info.run_id)


def test_the_configuration_of_another_version_is_one_line(store: Store) -> None:
    client = store.client
    run_id = client.create_run(store.experiment_id).info.run_id
    client.log_dict(run_id, {"seed": 0, "encoder": {"name": "rnn"}}, "config.yaml")
    client.log_dict(run_id, [], "overrides.yaml")
    with pytest.raises(UserError, match=r"config\.yaml is of another version, or damaged") as refused:
        result_of(store, client.get_run(run_id))
    assert "\n" not in str(refused.value)


def test_the_runs_of_a_sweep_are_those_of_its_own_experiment(store: Store) -> None:
    other = store.client.create_experiment("other", artifact_location=(store.directory / "other").as_uri())
    parent = store.client.get_run(add_sweep(store.client, other, "elsewhere", [["seed=0"], ["seed=1"]]))
    assert [run.seed for run in results_of(store, parent)] == [0, 1]
