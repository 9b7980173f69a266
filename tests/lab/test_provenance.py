"""Whoever doubts a result finds how it was trained, and none comes from code that is not committed."""

import subprocess
import sys
from pathlib import Path

import pytest
from mlflow.entities import Param

from experiments.lab import __main__ as main_module
from experiments.lab.provenance import provenance_of, uncommitted
from sentiment_rnn.config.sections import TrackingConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.description import description_of
from sentiment_rnn.tracking.names import IDENTITY_TAG, JOB_TAG, PARENT_TAG, PROTOCOL_VARIABLE, STUDY_TAG, SWEEP_TAG
from sentiment_rnn.tracking.run import tracked_run
from sentiment_rnn.tracking.store import Store, open_store

DAY = 24 * 60 * 60 * 1000
"""Milliseconds."""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A finished sweep of two runs, a month apart, on two processors; a third one broke off."""
    store = open_store(TrackingConfig(None, str(tmp_path), "mine"))
    client, experiment = store.client, store.experiment_id
    jobs = {f"{JOB_TAG}{seed}": f"run {seed}" for seed in range(3)}
    parent = client.create_run(experiment, tags={SWEEP_TAG: "3", STUDY_TAG: "learn"} | jobs).info.run_id
    for seed, processor, protocol in ((1, "Xeon", "ab12"), (0, "EPYC", None), (2, "EPYC", None)):
        tags = {
            PARENT_TAG: parent,
            IDENTITY_TAG: f"run {seed}",
            "sentiment_rnn.processor": processor,
            "sentiment_rnn.torch": "2.10.0",
            "encoder": "rnn",
        }
        tags |= {"sentiment_rnn.protocol": protocol} if protocol else {}
        began = (1 + 30 * seed) * DAY
        run = client.create_run(experiment, tags=tags, start_time=began).info.run_id
        params = {"seed": seed, "precision": "bfloat16", "trainer.accelerator": "cpu"}
        client.log_batch(run, params=[Param(name, str(value)) for name, value in params.items()])
        client.set_terminated(run, "FAILED" if seed == 2 else "FINISHED", end_time=began + DAY)
    client.set_terminated(parent)
    return store


def test_each_value_is_listed_once_and_runs_that_broke_off_do_not_count(store: Store) -> None:
    assert provenance_of(store, "learn") == {
        "sweep": "learn", "began": "1970-01-02", "ended": "1970-02-02", "runs": 2, "encoders": ["rnn"], "seeds": [0, 1],
        "accelerators": ["cpu"], "processors": ["EPYC", "Xeon"], "precisions": ["bfloat16"], "torch": ["2.10.0"],
        "lightning": [], "sentiment_rnn": [], "commits": [], "protocols": [None, "ab12"],
    }  # fmt: skip


def test_a_study_is_refused_where_code_is_not_committed_and_not_where_its_own_results_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], cwd=tmp_path, check=True)

    def change(path: str) -> None:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("changed")

    monkeypatch.setattr(main_module, "ROOT", tmp_path)
    git("init", "--quiet")
    git("commit", "--quiet", "--allow-empty", "--message", "first")
    for path in ("README.md", "experiments/lag/results.csv", "experiments/lag/a.md", "experiments/lag/figures/a.png"):
        change(path)
    assert uncommitted(tmp_path) == []
    for path in ("src/cell.py", "experiments/lag/protocols/2026-01-01_new.md", "experiments/lag/study.yaml"):
        change(path)
        assert uncommitted(tmp_path) == [path]
        git("add", path)
        git("commit", "--quiet", "--message", path)
    command = ["lab", "study", "lag", "--protocols", "none"]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(UserError, match="none: no protocol of lag"):
        main_module.main()
    change("src/new.py")
    with pytest.raises(UserError, match=r"^src/new\.py: changed or new since the last commit"):
        main_module.main()
    monkeypatch.setattr(sys, "argv", [*command, "data.max_tokens=7"])
    with pytest.raises(UserError, match="none: no protocol of lag"):  # a trial, whose runs count nowhere
        main_module.main()


def test_a_run_records_what_its_provenance_asks_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = run_config(f"tracking.directory={tmp_path}", "trainer=cpu", "tracking.system_metrics=false")
    store = open_store(config.tracking)
    monkeypatch.delenv(PROTOCOL_VARIABLE, raising=False)
    with tracked_run(store, description_of(config, "alone", [])) as alone:
        pass
    monkeypatch.setenv(PROTOCOL_VARIABLE, "ab12")
    with tracked_run(store, description_of(config, "of a study", [])) as of_study:
        pass
    tags = [store.client.get_run(run.run_id).data.tags for run in (alone, of_study)]
    for name in ("processor", "torch", "lightning", "version"):
        assert tags[0][f"sentiment_rnn.{name}"]
    assert [found.get("sentiment_rnn.protocol") for found in tags] == [None, "ab12"]
