"""Sweeps on a real SQLite store: what they train, what they are called, what their run shows, and how they end."""

import csv
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from mlflow import MlflowClient
from mlflow.entities import Run

from forked_commands import Command
from processes import Ask, run_command
from sentiment_rnn import runtime
from sentiment_rnn.config.store import run_config
from sentiment_rnn.engine import train as engine
from sentiment_rnn.engine.machine import resolved
from sentiment_rnn.engine.train import train
from sentiment_rnn.sweeps.plan import Plan
from sentiment_rnn.sweeps.preparation import prepare
from sentiment_rnn.tasks.job import Job, identity_of, job_of
from sentiment_rnn.tracking.store import open_store
from sentiment_rnn.tracking.sweeps import OpenSweep, find_sweep, jobs_of
from short_runs import ADDING, BAG, SMALL
from stored_runs import rows, runs_in, sweep_in

REVIEWS = [
    "-m", "data=generated", "data.train_reviews=120", "data.test_reviews=40", "data.max_lag=10", "data.batch_size=20",
    "encoder.hidden_size=8", "embedding.size=8", "trainer.epochs=1", "trainer=cpu", "tracking.system_metrics=false",
    "study=mine", "encoder=rnn,bag", "seed=0,1", "optimizer._target_=noting.Noting",
]  # fmt: skip
NOTING = """
import torch
from sentiment_rnn.model.optimizer import RowAdamW

class Noting(RowAdamW):
    def step(self, *given, **named):
        with open("threads", "a") as file:
            print(torch.get_num_threads(), file=file)
        return super().step(*given, **named)
"""
"""An optimizer of one's own, which notes how many threads a training step has."""
TINY = ("-m", *ADDING, *SMALL, "trainer.epochs=1")
"""A sweep of runs that take a third of a second."""
TWO = ("-m", *BAG, *SMALL, "trainer.limit_batches=0", "tracking.record=results", "trainer.epochs=1")
"""A sweep that `compare` reads."""


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which two joblib jobs at once met a fresh database and a fresh token cache."""
    folder = tmp_path_factory.mktemp("sweep")
    (folder / "noting.py").write_text(NOTING)
    run_command("train", folder, *REVIEWS, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", status=0)
    return folder


def identities(runs: list[Run]) -> set[str]:
    """Those of some runs."""
    return {run.data.tags["sentiment_rnn.identity"] for run in runs}


def compared(ask: Ask, folder: Path, sweep: str) -> list[str]:
    """Seeds of the runs that `compare` reads."""
    ask("compare", folder, sweep, "--output", "out")
    return [row["seed"] for row in csv.DictReader((folder / "out" / "results.csv").read_text().splitlines())]


def test_half_trained_runs_of_an_earlier_version_are_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = run_config(*ADDING, *SMALL, f"tracking.directory={tmp_path}")
    prepare(Plan("single", [], [config]))
    assert "half-trained" not in caplog.text
    folder = tmp_path / "checkpoints" / ("0" * 32)
    folder.mkdir(parents=True)
    (folder / "last.ckpt").touch()
    prepare(Plan("single", [], [config]))
    assert caplog.text.count(f"half-trained runs of an earlier version train anew; delete {folder.name}") == 1


def test_two_jobs_at_once_on_a_fresh_database_all_finish_under_one_parent(swept: Path) -> None:
    (parent,), children = sweep_in(swept)
    assert parent.info.status == "FINISHED"
    assert parent.info.run_name == "mine"
    assert {child.data.tags["mlflow.parentRunId"] for child in children} == {parent.info.run_id}
    assert [child.info.status for child in children] == ["FINISHED"] * 4
    assert {(c.data.params["encoder.name"], c.data.params["seed"]) for c in children} == {
        ("rnn", "0"), ("rnn", "1"), ("bag", "0"), ("bag", "1"),
    }  # fmt: skip


def test_jobs_side_by_side_share_the_cores_and_give_the_metrics_of_jobs_in_turn(
    swept: Path, tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    share = max(1, runtime.cores() // 2)
    assert {*(swept / "threads").read_text().split()} == {str(share)}
    monkeypatch.syspath_prepend(swept)
    ask("train", tmp_path, *REVIEWS, f"trainer.threads={share}")
    monkeypatch.delitem(sys.modules, "noting")
    side_by_side, in_turn = (
        {run.data.tags["sentiment_rnn.identity"]: rows(runs_in(folder)[0], run) for run in sweep_in(folder)[1]}
        for folder in (swept, tmp_path)
    )
    assert side_by_side == in_turn


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
    assert {"calibration", "accuracy_by_length", "accuracy_by_lag"} == figures
    dataset = run.inputs.dataset_inputs[0].dataset
    assert dataset.name == "generated"
    assert len(dataset.digest) == 36
    folder = swept / "runs" / "checkpoints" / run.data.tags["sentiment_rnn.identity"]
    assert {path.name for path in folder.iterdir()} == {"lock", "place.json", run.data.tags["sentiment_rnn.checkpoint"]}


def test_what_a_sweep_tells_its_jobs_is_none_of_what_the_user_gave(swept: Path) -> None:
    client = MlflowClient(f"sqlite:///{swept}/runs/mlflow.db")
    for child in sweep_in(swept)[1]:
        recorded = yaml.safe_load(Path(client.download_artifacts(child.info.run_id, "config.yaml")).read_text())
        assert recorded["trainer"]["jobs_at_once"] == 2
        given = Path(client.download_artifacts(child.info.run_id, "overrides.yaml")).read_text()
        assert "seed=" in given
        assert "jobs_at_once" not in given


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


def test_a_sweep_that_is_launched_again_with_one_more_seed_trains_one(tmp_path: Path, ask: Ask) -> None:
    ask("train", tmp_path, *TINY, "study=mine", "seed=0,1")
    before = {run.info.run_id: run.info.end_time for run in sweep_in(tmp_path)[1]}
    ask("train", tmp_path, *TINY, "study=mine", "seed=0,1,2")
    after = {run.info.run_id: run.info.end_time for run in sweep_in(tmp_path)[1]}
    assert before.items() < after.items()
    assert sorted(run.data.params["seed"] for run in sweep_in(tmp_path)[1]) == ["0", "1", "2"]
    (parent,), _ = sweep_in(tmp_path)
    assert parent.data.tags["mlflow.note.content"].startswith("3 runs")


def test_a_name_keeps_one_parent_run_whose_list_is_that_of_the_last_launch(tmp_path: Path, ask: Ask) -> None:
    ask("train", tmp_path, *TINY, "study=mine", "seed=0,1")
    (first,), _ = sweep_in(tmp_path)
    ask("train", tmp_path, *TINY, "study=mine", "seed=1,5,6")
    ask("train", tmp_path, *TINY, "study=mine", "seed=5,1")
    (parent,), jobs = sweep_in(tmp_path)
    assert (parent.info.run_id, parent.info.status) == (first.info.run_id, "FINISHED")
    listed = jobs_of(parent)
    assert [[given for given in overrides if "seed" in given] for _, overrides in listed.values()] == [
        ["seed=5"], ["seed=1"],
    ]  # fmt: skip
    assert {identity for identity, _ in listed.values()} == identities(
        [job for job in jobs if job.data.params["seed"] in "15"]
    )


def test_a_sweep_without_a_study_is_called_by_its_overrides(tmp_path: Path, ask: Ask) -> None:
    ask("train", tmp_path, *TINY, "seed=0,1")
    (parent,), jobs = sweep_in(tmp_path)
    name = parent.info.run_name
    assert name.startswith(" ".join(TINY[1:])[:200])
    assert {job.data.tags["sentiment_rnn.study"] for job in jobs} == {name}
    assert {job.data.tags["mlflow.parentRunId"] for job in jobs} == {parent.info.run_id}
    store = open_store(run_config(f"tracking.directory={tmp_path}/runs").tracking)
    assert find_sweep(store, name).info.run_id == parent.info.run_id
    ask("train", tmp_path, *TINY, "seed=0,2")
    assert len(sweep_in(tmp_path)[0]) == 2, "the end of a long name counts too"


@pytest.mark.parametrize("label", ['"it\'s"', r"""'a "b" it\'s'""", r"'a\\'", "'a, b #1'", "50%"])
def test_a_sweep_without_a_study_may_have_any_signs_in_its_overrides(label: str, tmp_path: Path, ask: Ask) -> None:
    ask("train", tmp_path, "-m", f"encoder.label={label}", *TINY[1:], "seed=0")
    (parent,), (job,) = sweep_in(tmp_path)
    assert parent.info.status == job.info.status == "FINISHED"
    assert job.data.tags["mlflow.parentRunId"] == parent.info.run_id


def test_a_sweep_that_needs_nothing_launches_nothing_and_ends_finished(
    tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask("train", tmp_path, *TINY, "study=mine", "seed=0,1")
    (before,), jobs = sweep_in(tmp_path)
    monkeypatch.setattr("sentiment_rnn.engine.train.train", lambda *_, **__: pytest.fail("nothing is left to train"))
    ask("train", tmp_path, *TINY, "study=mine", "seed=0,1")
    (after,), again = sweep_in(tmp_path)
    assert after.info.status == "FINISHED"
    assert after.info.end_time > before.info.end_time
    assert [run.info.run_id for run in again] == [run.info.run_id for run in jobs]


def test_a_job_that_another_sweep_has_trained_is_not_trained_again_and_compare_reads_it(
    tmp_path: Path, ask: Ask
) -> None:
    ask("train", tmp_path, *TWO, "study=first", "seed=0,1")
    ask("train", tmp_path, *TWO, "study=second", "seed=1,2")
    parents, jobs = sweep_in(tmp_path)
    assert sorted(job.data.params["seed"] for job in jobs) == ["0", "1", "2"]
    assert {parent.info.run_name for parent in parents} == {"first", "second"}
    assert compared(ask, tmp_path, "second") == ["1", "2"]


def test_a_sweep_of_version_0_4_still_compares(tmp_path: Path, ask: Ask) -> None:
    ask("train", tmp_path, *TWO, "study=old", "seed=0,1")
    (parent,), _ = sweep_in(tmp_path)
    client, _ = runs_in(tmp_path)
    for tag in parent.data.tags:
        if tag.startswith("sentiment_rnn.job.") or tag == "sentiment_rnn.launched":
            client.delete_tag(parent.info.run_id, tag)
    client.set_tag(parent.info.run_id, "sentiment_rnn.sweep", "0123456789012345")
    for name in ("old", "latest", parent.info.run_id):
        assert compared(ask, tmp_path, name) == ["0", "1"]


def test_a_job_of_a_sweep_without_its_parent_is_refused_in_one_line(tmp_path: Path, ask: Ask) -> None:
    done = ask("train", tmp_path, *TINY, "seed=0,1", "~hydra/callbacks", status=1)
    assert done.stderr.splitlines()[-1].startswith("error: study=single: no sweep of this name in sqlite:///")
    assert runs_in(tmp_path)[1] == []


def test_a_job_on_a_machine_where_auto_means_something_else_lists_the_identity_of_its_own_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = run_config(*TINY[1:], f"tracking.directory={tmp_path}/runs", "study=mine")
    monkeypatch.setattr(runtime, "bfloat16_units", list)
    planned = identity_of(job_of(resolved(config)))
    jobs = [("another", ["seed=1"]), (planned, ["seed=0"])]
    sweep = OpenSweep(open_store(config.tracking), "mine", jobs)
    monkeypatch.setattr(runtime, "bfloat16_units", lambda: ["avx512_bf16"])
    train(config, ["seed=0"], in_sweep=True)
    (parent,), (run,) = sweep_in(tmp_path)
    assert parent.info.run_id == sweep.run_id
    assert run.data.params["precision"] == "bfloat16"
    (own,) = identities([run])
    assert own != planned
    assert jobs_of(parent) == {0: jobs[0], 1: (own, ["seed=0"])}


def test_a_job_that_fails_keeps_no_other_from_training_and_the_same_command_goes_on_with_it(
    tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep, fit_and_test = ("train", tmp_path, *TINY, "study=mine", "seed=0,1,2"), engine.fit_and_test

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
    assert {job.data.params["seed"]: job.info.status for job in jobs} == {
        "0": "FINISHED", "1": "FAILED", "2": "FINISHED",
    }  # fmt: skip
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
