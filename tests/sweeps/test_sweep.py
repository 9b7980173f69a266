"""Sweeps on a real SQLite store: what they train, what they are called, what their run shows, and how they end."""

import csv
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from forked_commands import Command
from in_process import ask as ask_in_process
from processes import Ask, run_command
from sentiment_rnn.config.store import run_config
from sentiment_rnn.engine import train as engine
from sentiment_rnn.tasks.job import Job
from sentiment_rnn.tracking.names import IDENTITY_TAG
from sentiment_rnn.tracking.store import open_store
from sentiment_rnn.tracking.sweeps import OpenSweep, find_sweep, jobs_of
from short_runs import ADDING, BAG, SMALL
from stored_runs import rows, runs_in, sweep_in

REVIEWS = [
    "-m", "data=generated", "data.train_reviews=120", "data.test_reviews=40", "data.max_lag=10", "data.batch_size=20",
    "encoder.hidden_size=8", "embedding.size=8", "trainer.epochs=1", "trainer=cpu", "tracking.system_metrics=false",
    "study=mine", "encoder=rnn,bag", "seed=0,1", "trainer.threads=1",
]  # fmt: skip
TINY = ("-m", *ADDING, *SMALL, "trainer.epochs=1")
"""A sweep of runs that take a third of a second."""
TWO = ("-m", *BAG, *SMALL, "trainer.limit_batches=0", "tracking.record=results", "trainer.epochs=1")
"""A sweep that `compare` reads."""


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sweep of four runs."""
    folder = tmp_path_factory.mktemp("sweep")
    ask_in_process("train", folder, *REVIEWS)
    return folder


@pytest.mark.slow
def test_two_jobs_at_once_on_a_fresh_store_give_the_metrics_of_jobs_in_turn(swept: Path, tmp_path: Path) -> None:
    run_command("train", tmp_path, *REVIEWS, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", status=0)
    (parent,), children = sweep_in(tmp_path)
    assert [run.info.status for run in (parent, *children)] == ["FINISHED"] * 5
    assert len([path for path in (tmp_path / "data" / "tokens").iterdir() if path.is_dir()]) == 1, "one token cache"
    config, overrides = (
        Path(runs_in(tmp_path)[0].download_artifacts(children[0].info.run_id, name)).read_text()
        for name in ("config.yaml", "overrides.yaml")
    )
    assert yaml.safe_load(config)["trainer"]["jobs_at_once"] == 2
    assert "jobs_at_once" not in overrides, "which the user did not give"
    side_by_side, in_turn = (
        {run.data.tags[IDENTITY_TAG]: rows(runs_in(folder)[0], run) for run in sweep_in(folder)[1]}
        for folder in (tmp_path, swept)
    )
    assert side_by_side == in_turn


def test_a_run_records_what_it_was_and_what_it_found(swept: Path) -> None:
    client, run = runs_in(swept)[0], sweep_in(swept)[1][0]
    scores = {f"test/{score}" for score in ("loss", "accuracy", "f1", "auroc", "calibration_error")}
    training = {"train/loss", "train/gradient_norm", "train/epoch_seconds", "val/accuracy", "val/best_accuracy"}
    assert scores | training | {"parameters", "memory/peak_bytes"} <= set(run.data.metrics)
    assert {"sentiment_rnn.identity", "encoder", "pooling", "sentiment_rnn.checkpoint"} <= set(run.data.tags)
    artifacts = {artifact.path for artifact in client.list_artifacts(run.info.run_id)}
    assert {"config.yaml", "overrides.yaml", "gradients.csv", "figures", "predictions"} <= artifacts
    assert len(client.list_artifacts(run.info.run_id, "figures")) == 3
    assert run.inputs.dataset_inputs[0].dataset.name == "generated"
    folder = swept / "runs" / "checkpoints" / run.data.tags[IDENTITY_TAG]
    assert {path.name for path in folder.iterdir()} == {"lock", "place.json", run.data.tags["sentiment_rnn.checkpoint"]}


def test_a_sweep_that_is_launched_again_trains_what_is_new_and_lists_the_jobs_of_its_last_launch(
    tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask("train", tmp_path, *TINY, "study=mine", "seed=0,1")
    (first,), before = sweep_in(tmp_path)
    ask("train", tmp_path, *TINY, "study=mine", "seed=1,5")
    ended = {run.info.run_id: run.info.end_time for run in sweep_in(tmp_path)[1]}
    assert {run.info.run_id: run.info.end_time for run in before}.items() < ended.items()
    monkeypatch.setattr("sentiment_rnn.engine.train.train", lambda *_, **__: pytest.fail("nothing is left to train"))
    ask("train", tmp_path, *TINY, "study=mine", "seed=5,1")
    (parent,), jobs = sweep_in(tmp_path)
    assert sorted(job.data.params["seed"] for job in jobs) == ["0", "1", "5"]
    assert (parent.info.run_id, parent.info.status) == (first.info.run_id, "FINISHED")
    assert parent.info.end_time > first.info.end_time
    identities = {f"seed={job.data.params['seed']}": job.data.tags[IDENTITY_TAG] for job in jobs}
    listed = [(job[-1], identity) for identity, job in jobs_of(parent).values()]
    assert listed == [(seed, identities[seed]) for seed in ("seed=5", "seed=1")]


def test_a_sweep_without_a_study_is_called_by_its_overrides_whatever_signs_they_have(tmp_path: Path, ask: Ask) -> None:
    command = ("train", tmp_path, *TINY, r"""encoder.label='a, "b" \\ it\'s 50% #1'""")
    ask(*command, "seed=0,1")
    (parent,), jobs = sweep_in(tmp_path)
    name = parent.info.run_name
    assert name.startswith(" ".join(TINY[1:])[:200])
    assert {job.data.tags["sentiment_rnn.study"] for job in jobs} == {name}
    assert {job.data.tags["mlflow.parentRunId"] for job in jobs} == {parent.info.run_id}
    store = open_store(run_config(f"tracking.directory={tmp_path}/runs").tracking)
    assert find_sweep(store, name).info.run_id == parent.info.run_id
    ask(*command, "seed=0,2")
    assert len(sweep_in(tmp_path)[0]) == 2, "the end of a long name counts too"


def test_a_job_that_another_sweep_has_trained_is_not_trained_again_and_compare_reads_it(
    tmp_path: Path, ask: Ask
) -> None:
    ask("train", tmp_path, *TWO, "study=first", "seed=0,1")
    ask("train", tmp_path, *TWO, "study=second", "seed=1,2")
    parents, jobs = sweep_in(tmp_path)
    assert sorted(job.data.params["seed"] for job in jobs) == ["0", "1", "2"]
    assert {parent.info.run_name for parent in parents} == {"first", "second"}
    ask("compare", tmp_path, "second", "--output", "out")
    compared = csv.DictReader((tmp_path / "out" / "results.csv").read_text().splitlines())
    assert [row["seed"] for row in compared] == ["1", "2"]


def test_a_job_of_a_sweep_without_its_parent_is_refused_in_one_line(tmp_path: Path, ask: Ask) -> None:
    done = ask("train", tmp_path, *TINY, "seed=0,1", "hydra/sweeper=basic", status=1)
    assert done.stderr.splitlines()[-1].startswith("error: study=single: no sweep of this name in sqlite:///")
    assert runs_in(tmp_path)[1] == []


def test_a_job_on_a_machine_where_auto_means_something_else_lists_the_identity_of_its_own_run(tmp_path: Path) -> None:
    config = run_config(*TINY[1:], f"tracking.directory={tmp_path}/runs", "study=mine")
    OpenSweep(open_store(config.tracking), "mine", [("another", ["seed=1"]), ("as planned elsewhere", ["seed=0"])])
    engine.train(config, ["seed=0"], in_sweep=True)
    (parent,), (run,) = sweep_in(tmp_path)
    assert jobs_of(parent) == {0: ("another", ["seed=1"]), 1: (run.data.tags[IDENTITY_TAG], ["seed=0"])}


def test_a_job_that_fails_keeps_no_other_of_its_batch_from_training_and_the_same_command_goes_on_with_it(
    tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = ("train", tmp_path, *TINY, "study=mine", "seed=1,0,2", "hydra.sweeper.max_batch_size=2")
    fit_and_test = engine.fit_and_test

    def fail_once(job: Job, *given: Any) -> float:
        if job.config.seed == 1:
            raise RuntimeError("out of luck")
        return fit_and_test(job, *given)

    with monkeypatch.context() as patched:
        patched.setattr(engine, "fit_and_test", fail_once)
        with pytest.raises(RuntimeError, match="out of luck"):
            ask(*sweep)
    (parent,), jobs = sweep_in(tmp_path)
    assert parent.info.status == "FAILED"
    assert {job.data.params["seed"]: job.info.status for job in jobs} == {"0": "FINISHED", "1": "FAILED"}, "one batch"
    (failed,) = [job for job in jobs if job.info.status == "FAILED"]
    traceback = runs_in(tmp_path)[0].download_artifacts(failed.info.run_id, "traceback.txt", str(tmp_path))
    assert "RuntimeError: out of luck" in Path(traceback).read_text()
    ask(*sweep)
    (parent,), jobs = sweep_in(tmp_path)
    assert [run.info.status for run in (parent, *jobs)] == ["FINISHED"] * 4
    assert failed.info.run_id in {job.info.run_id for job in jobs}


BETWEEN_TWO_JOBS = """
import hydra.core.utils
run_job, begun = hydra.core.utils.run_job, []

def run_or_end(*given, **named):
    begun.append(1)
    if len(begun) == 2:
        os.kill(os.getpid(), signal.SIGTERM)
    return run_job(*given, **named)

hydra.core.utils.run_job = run_or_end
"""
BEFORE_TRAINING = """
from sentiment_rnn.engine import train as engine
fit_and_test = engine.fit_and_test

def fit_or_end(job, *given):
    if job.config.seed == 1:
        os.kill(os.getpid(), signal.SIGTERM)
    return fit_and_test(job, *given)

engine.fit_and_test = fit_or_end
"""
PROGRAM = """
import os, signal, sys
from sentiment_rnn.cli.main import main
{deed}
sys.argv = ["sentiment-rnn", "train", *sys.argv[1:]]
main()
"""


@pytest.mark.parametrize(
    ("deed", "second"), [(BETWEEN_TWO_JOBS, []), (BEFORE_TRAINING, ["KILLED"])], ids=["between jobs", "before training"]
)
def test_a_sigterm_between_two_trainings_ends_sweep_and_run_killed_and_the_same_command_goes_on(
    deed: str, second: list[str], tmp_path: Path
) -> None:
    folder, overrides = tmp_path / "folder", (*TINY, "study=mine", "seed=0,1,2")
    command = Command(folder, *overrides, program=PROGRAM.format(deed=deed))
    assert command.end() == 130, command.said()
    (parent,), jobs = sweep_in(folder)
    assert parent.info.status == "KILLED"
    assert sorted(job.info.status for job in jobs) == ["FINISHED", *second]
    assert "sweep: KILLED; the same command resumes it" in command.said()
    assert not re.search("Traceback|FAILED", command.said())
    again = Command(folder, *overrides)
    assert again.end() == 0, again.said()
    (parent,), jobs = sweep_in(folder)
    assert [run.info.status for run in (parent, *jobs)] == ["FINISHED"] * 4
