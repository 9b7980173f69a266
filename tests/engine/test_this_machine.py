"""A run is promised its share of this machine, whatever `auto` means there, and one line for what is lacking."""

import contextlib
import shutil
import tempfile
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from sentiment_rnn import runtime
from sentiment_rnn.config import CONFIGURATION
from sentiment_rnn.config.sections import EncoderConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.engine.machine import check_device, check_parts, devices_of, own_gpu, resolved, threads_of
from sentiment_rnn.errors import UserError
from sentiment_rnn.sweeps.plan import check_devices, check_launcher, jobs_at_once, runs_here


class Scaled(torch.nn.Module):
    """An encoder of somebody's own that looks at a number as it is built."""

    def __init__(self, input_size: int) -> None:
        super().__init__()
        self.output_size = input_size
        self.scale = 1 / torch.randn(input_size).norm().item()


class Reservoir(torch.nn.Module):
    """An encoder of somebody's own whose weights are in no file."""

    def __init__(self, input_size: int) -> None:
        super().__init__()
        self.output_size = input_size
        self.register_buffer("W", torch.randn(input_size, input_size), persistent=False)

    def forward(self, embedded: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        return torch.tanh(embedded @ self.W)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Four cores, no GPU, no unit for bfloat16."""
    monkeypatch.setattr(runtime, "cores", lambda: 4)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(runtime, "bfloat16_units", list)
    return monkeypatch


def test_auto_is_what_the_machine_has_and_the_given_configuration_stays(machine: pytest.MonkeyPatch) -> None:
    config = run_config()
    found = resolved(config)
    assert (found.trainer.accelerator, found.precision) == ("cpu", "float32")
    assert (config.trainer.accelerator, config.precision) == ("auto", "auto")
    machine.setattr(runtime, "bfloat16_units", lambda: ["avx512_bf16"])
    assert resolved(config).precision == "bfloat16"
    assert resolved(run_config("precision=float32")).precision == "float32"


@pytest.mark.parametrize(
    ("overrides", "jobs", "threads"),
    [
        ([], 1, 4),
        ([], 2, 2),
        ([], 3, 1),
        ([], 9, 1),
        (["trainer.devices=2"], 1, 2),
        (["trainer.threads=3"], 4, 3),
    ],
)
def test_jobs_side_by_side_and_devices_divide_the_cores(
    overrides: list[str], jobs: int, threads: int, machine: pytest.MonkeyPatch
) -> None:
    assert threads_of(run_config(*overrides, f"trainer.jobs_at_once={jobs}").trainer) == threads


def test_a_slurm_task_has_the_cores_that_it_was_assigned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("joblib.cpu_count", lambda: 64)
    one, two = run_config().trainer, run_config("trainer.devices=2").trainer
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "12")
    assert (threads_of(one), threads_of(two)) == (12, 6)
    monkeypatch.setenv("SLURM_NTASKS_PER_NODE", "2")
    assert threads_of(two) == 6, "a device is a task"
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "5")
    assert threads_of(two) == 5
    assert threads_of(run_config("trainer.jobs_at_once=2").trainer) == 2, "joblib within a job"


def test_a_gpu_that_is_not_there_is_one_line(machine: pytest.MonkeyPatch) -> None:
    check_device(run_config())
    with pytest.raises(UserError, match=r"^trainer.accelerator=gpu: torch \S+ sees no CUDA device here; choose"):
        check_device(run_config("trainer=gpu"))
    machine.setattr(torch.cuda, "is_available", lambda: True)
    machine.setattr(torch.cuda, "device_count", lambda: 2)
    check_device(run_config("trainer.devices=2"))
    with pytest.raises(UserError, match=r"^trainer.devices=4: expected at most 2, the GPUs that torch sees here"):
        check_device(run_config("trainer.devices=4"))


def launcher_of(*overrides: str) -> DictConfig:
    """Hydra's settings of a launcher."""
    with initialize_config_dir(CONFIGURATION, version_base="1.3"):
        launcher: DictConfig = compose("config", [*overrides], return_hydra_config=True).hydra.launcher
    return launcher


@pytest.mark.parametrize(
    ("launcher", "jobs", "at_once", "here"),
    [
        (["hydra/launcher=basic"], 9, 1, True),
        (["hydra/launcher=joblib", "hydra.launcher.n_jobs=3"], 9, 3, True),
        (["hydra/launcher=joblib", "hydra.launcher.n_jobs=3"], 2, 2, True),
        (["hydra/launcher=joblib"], 9, 4, True),
        (["hydra/launcher=joblib", "hydra.launcher.n_jobs=-2"], 9, 3, True),
        (["hydra/launcher=submitit_local"], 3, 3, True),
        (["hydra/launcher=slurm"], 9, 1, False),
    ],
)
def test_a_launcher_says_how_many_jobs_share_a_machine(
    launcher: list[str], jobs: int, at_once: int, here: bool, machine: pytest.MonkeyPatch
) -> None:
    found = launcher_of(*launcher)
    machine.setattr(shutil, "which", str)  # a cluster's sbatch
    check_launcher(found)
    assert jobs_at_once(found, jobs) == at_once
    assert runs_here(found) == here


@pytest.mark.parametrize(
    ("launcher", "devices", "refused"),
    [("basic", 1, False), ("basic", 2, True), ("joblib", 2, True), ("submitit_local", 2, True), ("slurm", 2, False)],
)
def test_only_a_scheduler_starts_the_processes_of_several_devices_for_a_sweep(
    launcher: str, devices: int, refused: bool
) -> None:
    with pytest.raises(UserError, match=r"^trainer.devices=2") if refused else contextlib.nullcontext():
        check_devices(launcher_of(f"hydra/launcher={launcher}"), run_config(f"trainer.devices={devices}").trainer)


def test_a_run_takes_the_first_gpu_that_no_other_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "visible_gpus", lambda: ["4", "7"])
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with FileLock(tmp_path / "sentiment_rnn_gpu_4.lock"):
        assert own_gpu.__wrapped__() == 1
        assert own_gpu.__wrapped__() == 0, "where all are taken, the first is shared"


def test_a_run_on_several_gpus_or_on_none_takes_no_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sentiment_rnn.engine.machine.own_gpu", lambda: 3)
    assert devices_of(run_config("trainer=gpu").trainer) == [3]
    assert devices_of(run_config("trainer=cpu").trainer) == 1
    assert devices_of(run_config("trainer=gpu", "trainer.devices=2").trainer) == 2


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Scaled", 'cannot be built on the device "meta"'),
        ("Reservoir", "it draws numbers that its state_dict lacks"),
    ],
)
def test_an_encoder_whose_model_could_not_be_read_is_refused_before_it_trains(name: str, said: str) -> None:
    config = run_config()
    config.encoder = EncoderConfig(f"{__name__}.{name}", "scaled")
    with pytest.raises(UserError, match=said):
        check_parts(config)
