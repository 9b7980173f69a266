"""What `auto` means on this machine, how its cores are shared, and what it refuses."""

import pytest
import torch

from sentiment_rnn import runtime
from sentiment_rnn.config.run import RunConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.errors import UserError
from sentiment_rnn.runs.machine import check_machine, resolved, threads_of


def composed(*overrides: str) -> RunConfig:
    """The checked configuration of a run."""
    return run_config(*overrides)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Four cores, no GPU, no unit for bfloat16."""
    monkeypatch.setattr(runtime, "cores", lambda: 4)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(runtime, "_processor_has_bfloat16", lambda: False)
    return monkeypatch


def test_auto_is_what_the_machine_has_and_the_given_configuration_stays(machine: pytest.MonkeyPatch) -> None:
    config = composed()
    found = resolved(config)
    assert (found.trainer.accelerator, found.precision) == ("cpu", "float32")
    assert (config.trainer.accelerator, config.precision) == ("auto", "auto")
    machine.setattr(runtime, "_processor_has_bfloat16", lambda: True)
    assert resolved(config).precision == "bfloat16"
    assert resolved(composed("precision=float32")).precision == "float32"


def test_another_precision_is_another_experiment(machine: pytest.MonkeyPatch) -> None:
    config = composed()
    before = resolved(config).identity("", "")
    assert before == resolved(composed("precision=float32", "trainer=cpu")).identity("", "")
    machine.setattr(runtime, "_processor_has_bfloat16", lambda: True)
    assert resolved(config).identity("", "") != before


@pytest.mark.parametrize(
    ("overrides", "jobs", "threads"),
    [
        ([], 1, 4),
        ([], 2, 2),
        ([], 3, 1),
        ([], 9, 1),
        ([], -1, 1),
        (["trainer.devices=2"], 1, 2),
        (["trainer.threads=3"], -1, 3),
    ],
)
def test_jobs_side_by_side_divide_the_cores(
    overrides: list[str], jobs: int, threads: int, machine: pytest.MonkeyPatch
) -> None:
    assert threads_of(composed(*overrides).trainer, jobs) == threads


def test_a_gpu_that_is_not_there_is_one_line(machine: pytest.MonkeyPatch) -> None:
    check_machine(composed())
    with pytest.raises(UserError, match=r"^trainer.accelerator=gpu: no CUDA device here; choose trainer=cpu"):
        check_machine(composed("trainer=gpu"))


@pytest.mark.parametrize("section", ["pooling", "optimizer"])
def test_a_class_that_cannot_be_imported_is_one_line(section: str, machine: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=rf"^{section}._target_=nowhere.Nothing: cannot be imported"):
        check_machine(composed(f"{section}._target_=nowhere.Nothing"))
