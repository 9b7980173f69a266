"""What `auto` means on this machine, and what it lacks."""

from dataclasses import replace
from typing import TypeVar

import torch

from sentiment_rnn import runtime
from sentiment_rnn.config.components import class_named
from sentiment_rnn.config.model import EncoderConfig
from sentiment_rnn.config.run import RunConfig
from sentiment_rnn.config.trainer import TrainerConfig
from sentiment_rnn.errors import UserError
from sentiment_rnn.model.components import build_module

Config = TypeVar("Config", bound=RunConfig)


def resolved(config: Config) -> Config:
    """The configuration with accelerator and precision as this machine has them.

    A run's identity is that of the resolved configuration: a CPU and a GPU, a float32 and a bfloat16 machine do not run
    the same experiment.
    """
    accelerator = runtime.resolve_accelerator(config.trainer.accelerator)
    precision = runtime.resolve_precision(config.precision, accelerator)
    return replace(config, precision=precision, trainer=replace(config.trainer, accelerator=accelerator))


def threads_of(trainer: TrainerConfig, jobs: int) -> int:
    """Processor threads of a run: `trainer.threads`, or an equal share of the cores.

    Args:
        jobs: how many such runs work side by side on this machine; -1, as many as cores.
    """
    processes = trainer.devices * (runtime.cores() if jobs < 0 else jobs)
    return trainer.threads or max(1, runtime.cores() // processes)


def check_machine(config: RunConfig) -> None:
    """Raise `UserError` for a GPU that is not there, a class that cannot be imported, or an encoder that refuses its
    arguments."""
    if config.trainer.accelerator == "gpu" and not runtime.on_gpu("gpu"):
        raise UserError("trainer.accelerator=gpu: no CUDA device here; choose trainer=cpu or trainer=auto")
    for section in ("encoder", "pooling", "optimizer"):
        if part := getattr(config, section, None):
            class_named(part._target_, f"{section}._target_")
    embedding = getattr(config, "embedding", None)
    if embedding and type(config.encoder) is not EncoderConfig:  # with keys of its own, whose bounds its class knows
        with torch.device("meta"):  # shapes alone: any size costs nothing
            build_module(config.encoder.settings, embedding.size)
