"""Under which conditions a sweep was trained, read from what its runs recorded."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mlflow.entities import Param

from experiments.lab.provenance import provenance_of, uncommitted
from experiments.lab.study import EXPERIMENTS
from processes import environment
from sentiment_rnn.config.sections import TrackingConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.description import description_of, processor_name
from sentiment_rnn.tracking.names import PARENT_TAG, PROTOCOL_VARIABLE, STUDY_TAG, SWEEP_TAG
from sentiment_rnn.tracking.start import tracked_run
from sentiment_rnn.tracking.store import Store, open_store

DAY = 24 * 60 * 60 * 1000
"""Milliseconds."""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A finished sweep of two runs, a month apart, on two processors; a third one broke off."""
    store = open_store(TrackingConfig(None, str(tmp_path), "mine"))
    client, experiment = store.client, store.experiment_id
    parent = client.create_run(experiment, tags={SWEEP_TAG: "a digest", STUDY_TAG: "learn"}).info.run_id
    for seed, processor, protocol in ((1, "Xeon", "ab12"), (0, "EPYC", None), (2, "EPYC", None)):
        tags = {
            PARENT_TAG: parent,
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


def test_a_draw_that_diverged_counts(store: Store) -> None:
    (failed,) = store.client.search_runs([store.experiment_id], "attributes.status = 'FAILED'")
    store.client.set_tag(failed.info.run_id, "sentiment_rnn.diverged", "the loss is nan")
    found = provenance_of(store, "learn")
    assert (found["runs"], found["seeds"], found["ended"]) == (3, [0, 1, 2], "1970-03-04")


def test_a_sweep_that_never_ran_has_none(store: Store) -> None:
    with pytest.raises(UserError, match="hold: no such sweep has finished"):
        provenance_of(store, "hold")


def test_a_study_is_refused_in_one_line_where_code_is_not_committed_and_not_where_its_own_results_are_not(
    tmp_path: Path,
) -> None:
    def git(*words: str) -> None:
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True)

    def study(*arguments: str) -> subprocess.CompletedProcess[str]:
        """The study, which would not train, in a repository with the files of this test."""
        command = [sys.executable, "-m", "experiments.lab", "study", "lag", "--protocols", "none", *arguments]
        repository = {"GIT_DIR": str(tmp_path / ".git"), "GIT_WORK_TREE": str(tmp_path)}
        return subprocess.run(
            command, cwd=EXPERIMENTS.parent, capture_output=True, text=True, timeout=60, env=environment() | repository
        )

    written = ("README.md", "experiments/lag/results.csv", "experiments/lag/figure.md", "experiments/lag/figures/a.png")
    code = ("src/cell.py", "experiments/lag/protocols/2026-01-01_new.md", "experiments/lag/study.yaml")
    for path in (*written[:2], *code[1:]):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("first")
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "first")
    for path in written:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("second")
    begun = "none: no protocol of lag"
    assert begun in study().stderr
    for path in code:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("second")
        assert uncommitted(tmp_path) == [path]
        git("add", path)
        git("commit", "--quiet", "--message", path)
    (tmp_path / "src" / "cell.py").write_text("third")
    refused = study()
    assert refused.returncode == 1
    (line,) = refused.stderr.splitlines()
    assert "src/cell.py: changed or new since the last commit" in line
    assert begun in study("data.max_tokens=7").stderr, "a trial, whose runs count nowhere"


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


@pytest.mark.skipif(sys.platform != "linux" or platform.machine() != "x86_64", reason="reads /proc as it is on x86")
def test_a_processor_is_named_as_lscpu_names_it_with_its_generation_and_what_computes_bfloat16() -> None:
    try:
        lines = subprocess.run(["lscpu"], capture_output=True, text=True, check=True).stdout.splitlines()
    except FileNotFoundError:
        pytest.skip("no lscpu here")
    said = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    units = [flag for flag in ("amx_bf16", "avx512_bf16") if flag in said["Flags"].split()]
    assert processor_name("cpu") == ", ".join([f"{said['Model name']} {said['CPU family']}.{said['Model']}", *units])


def test_a_gpu_is_named_by_its_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA H100")
    assert processor_name("gpu") == "NVIDIA H100"
