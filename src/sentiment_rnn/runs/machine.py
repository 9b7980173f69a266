"""What `auto` means on this machine, and what it lacks."""

from dataclasses import replace
from typing import TypeVar

import torch
from lightning.pytorch.strategies import StrategyRegistry

from sentiment_rnn import runtime
from sentiment_rnn.config.components import class_named
from sentiment_rnn.config.model import EncoderConfig
from sentiment_rnn.config.run import RunConfig
from sentiment_rnn.config.trainer import TrainerConfig
from sentiment_rnn.errors import UserError
from sentiment_rnn.model.components import build_module, module_class

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
    """Raise `UserError` for a GPU or a strategy that is not there, a class that cannot be imported or is of another
    kind, or an encoder that refuses its arguments."""
    if config.trainer.accelerator == "gpu" and not runtime.on_gpu("gpu"):
        raise UserError("trainer.accelerator=gpu: no CUDA device here; choose trainer=cpu or trainer=auto")
    strategies = ("auto", *StrategyRegistry.available_strategies())
    if config.trainer.strategy not in strategies:
        raise UserError(
            f"trainer.strategy={config.trainer.strategy}: no strategy of Lightning; expected auto, ddp, fsdp or "
            "another of its documentation"
        )
    module_class(config.encoder._target_, "encoder._target_")
    if pooling := getattr(config, "pooling", None):
        module_class(pooling._target_, "pooling._target_")
    _check_optimizer(config.optimizer._target_)
    embedding = getattr(config, "embedding", None)
    if embedding and _is_foreign(config.encoder):
        with torch.device("meta"):  # shapes alone: any size costs nothing
            built = build_module(config.encoder.settings, embedding.size)
        if not hasattr(built, "output_size"):
            raise UserError(
                f"encoder._target_={config.encoder._target_}: no encoder, since it has no output_size; expected a "
                "module from [B, T, E] and lengths [B] to states [B, T, output_size]"
            )


def _is_foreign(encoder: EncoderConfig) -> bool:
    """Whether an encoder has keys of its own, whose bounds its class knows, or is of another package."""
    return type(encoder) is not EncoderConfig or not encoder._target_.startswith("sentiment_rnn.")


def _check_optimizer(target: str) -> None:
    found = class_named(target, "optimizer._target_")
    if not (isinstance(found, type) and issubclass(found, torch.optim.Optimizer)):
        raise UserError(f"optimizer._target_={target}: no optimizer; expected the class of one, torch.optim.AdamW say")
