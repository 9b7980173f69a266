"""Fits a run to this machine: its processes, threads and devices, the meaning of `auto`, and checks of its parts."""

import atexit
import contextlib
import functools
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import lightning.pytorch as pl
import torch
from filelock import FileLock, Timeout
from lightning.fabric import Fabric
from lightning.pytorch.strategies import StrategyRegistry
from torch import nn

from sentiment_rnn import runtime
from sentiment_rnn.config.components import arguments_of, class_named
from sentiment_rnn.config.run import RunConfig
from sentiment_rnn.config.sections import EncoderConfig, OptimizerConfig, TrainerConfig
from sentiment_rnn.data.sequences import task_of
from sentiment_rnn.errors import UserError, unknown_key
from sentiment_rnn.model.network import build_module, module_class
from sentiment_rnn.model.pooling import Last, LastMeanMax

OWN_OPTIONS = {"lr": "learning_rate", "weight_decay": "weight_decay"}
"""Arguments of an optimizer that have keys of their own."""

Config = TypeVar("Config", bound=RunConfig)


def set_up(config: Config) -> tuple[Config, Fabric]:
    """Set this process up for a run: its threads and its random state.

    Returns:
        The configuration with the accelerator and precision of this machine, and the processes of the run, once all
        have started. Lightning starts processes with this command, unless a scheduler or `torchrun` has started them.

    Raises:
        UserError: the requested GPU is not there.
    """
    check_device(config)
    config = resolved(config)
    trainer = config.trainer
    processes = Fabric(accelerator=trainer.accelerator, devices=devices_of(trainer), num_nodes=trainer.nodes)
    processes.launch()
    runtime.prepare(threads_of(trainer))
    torch.backends.cudnn.allow_tf32 = config.precision != "float32"  # TF32 has 10 bits of mantissa, float32 23
    if (trainer.jobs_at_once or 1) > 1:
        trainer.progress_bar = False  # bars of several jobs would overwrite each other
    pl.seed_everything(config.seed, verbose=False)
    return config, processes


def resolved(config: Config) -> Config:
    """The configuration with `auto` replaced by the accelerator and precision of this machine.

    A run's identity comes from the resolved configuration: runs on a CPU and a GPU, or in float32 and bfloat16, are
    different experiments.
    """
    accelerator: Any = runtime.resolve_accelerator(config.trainer.accelerator)
    precision: Any = runtime.resolve_precision(config.precision, accelerator)
    return replace(config, precision=precision, trainer=replace(config.trainer, accelerator=accelerator))


def threads_of(trainer: TrainerConfig) -> int:
    """Processor threads of each process of a run: `trainer.threads`, or an equal share of the cores."""
    processes = 1 if runtime.slurm_tasks() > 1 else trainer.devices  # the cores of a task are its own
    return trainer.threads or max(1, runtime.cores() // (processes * (trainer.jobs_at_once or 1)))


def devices_of(trainer: TrainerConfig) -> int | list[int]:
    """Devices of a run, for Lightning. A run on a single GPU gets the first free one."""
    alone = trainer.accelerator == "gpu" and trainer.processes == 1
    return [own_gpu()] if alone else trainer.devices


@functools.cache
def own_gpu() -> int:
    """Number of the first GPU that no other process has reserved; this process keeps it until it ends. 0 if all are
    taken."""
    for number, name in enumerate(runtime.visible_gpus()):
        lock = FileLock(Path(tempfile.gettempdir()) / f"sentiment_rnn_gpu_{name}.lock")
        with contextlib.suppress(Timeout):
            lock.acquire(timeout=0)
            atexit.register(lock.release)  # if the process is killed, the system frees the lock
            return number
    return 0


def check_device(config: RunConfig) -> None:
    """Raise `UserError` if there is no GPU although one is requested, or fewer than requested."""
    trainer = config.trainer
    if runtime.on_gpu(trainer.accelerator) and trainer.devices > (count := len(runtime.visible_gpus())):
        raise UserError(f"trainer.devices={trainer.devices}: expected at most {count}, the GPUs that torch sees here")
    if trainer.accelerator == "gpu" and not runtime.on_gpu("gpu"):
        raise UserError(
            f"trainer.accelerator=gpu: torch {torch.__version__} sees no CUDA device here; choose trainer=cpu or "
            "trainer=auto, or install a torch that fits the driver"
        )


def check_parts(config: RunConfig) -> None:
    """Raise `UserError` for a strategy that is unknown or shards weights, a class that cannot be imported or is of the
    wrong kind, an encoder that refuses its arguments, or a pooling that does not fit the encoder."""
    strategy = f"trainer.strategy={config.trainer.strategy}"
    if config.trainer.strategy not in ("auto", *StrategyRegistry.available_strategies()):
        raise UserError(f"{strategy}: no strategy of Lightning; expected auto, ddp or another of its documentation")
    if config.trainer.strategy.startswith(("fsdp", "deepspeed")):
        raise UserError(f"{strategy}: shards the weights, and gradients would be clipped by shard; give auto or ddp")
    module_class(config.encoder._target_, "encoder._target_")
    if pooling := getattr(config, "pooling", None):
        kind = module_class(pooling._target_, "pooling._target_")
        if config.encoder.bidirectional and kind in (Last, LastMeanMax):
            raise UserError(
                f"pooling={pooling.name}: expected mean, max or mean_max with encoder.bidirectional=true; at the last "
                "token, the net that reads from the end has read nothing else"
            )
        if not hasattr(_built({"_target_": pooling._target_, "name": pooling.name}), "width"):
            raise UserError(
                f"pooling._target_={pooling._target_}: no pooling, since it has no width; expected that of "
                "what it makes of states [B, T, D], divided by D"
            )
    _check_optimizer(config.optimizer)
    embedding = getattr(config, "embedding", None)
    task: Any = config.task
    _check_encoder(config.encoder, embedding.size if embedding else task_of(task).input_size)


def _check_encoder(encoder: EncoderConfig, input_size: int) -> None:
    """Refuse a class that is no encoder, or whose weights cannot be saved."""
    target = f"encoder._target_={encoder._target_}"
    built = _built(encoder.settings, input_size)
    if not hasattr(built, "output_size"):
        raise UserError(
            f"{target}: no encoder, since it has no output_size; expected a "
            "module from [B, T, E] and lengths [B] to states [B, T, output_size]"
        )
    if _unsaved(built):
        with torch.random.fork_rng(devices=[]):
            twins = [_unsaved(build_module(encoder.settings, input_size)) for _ in range(2)]
        if not all(map(torch.equal, *twins)):
            raise UserError(
                f"{target}: it draws numbers that its state_dict lacks, so a saved model could not be restored; make "
                "them parameters or persistent buffers"
            )


def _unsaved(module: nn.Module) -> list[torch.Tensor]:
    """Tensors of a module that its `state_dict` lacks."""
    saved = module.state_dict()
    plain = [value for part in module.modules() for value in vars(part).values() if isinstance(value, torch.Tensor)]
    return [buffer for name, buffer in module.named_buffers() if name not in saved] + plain


def _built(settings: dict[str, Any], *arguments: int) -> nn.Module:
    """A module on the device "meta", which has shapes but no numbers, so that any size costs nothing."""
    try:
        with torch.device("meta"):
            return build_module(settings, *arguments)
    except RuntimeError as error:
        raise UserError(
            f"{settings['_target_']}: its constructor cannot be built "
            'on the device "meta", which has shapes and no numbers '
            f"({(str(error).splitlines() or [type(error).__name__])[0]}); read tensor values in forward, not there"
        ) from error


def _check_optimizer(config: OptimizerConfig) -> None:
    """Check that the optimizer's class accepts its arguments, on a matrix, a bias and an embedding with one number."""
    target = class_named(config._target_, "optimizer._target_")
    if not (isinstance(target, type) and issubclass(target, torch.optim.Optimizer)):
        raise UserError(
            f"optimizer._target_={config._target_}: no optimizer; expected the class of one, torch.optim.AdamW say"
        )
    for option, key in OWN_OPTIONS.items():
        if option in config.options:
            raise UserError(f"optimizer.options.{option}: no such key; did you mean optimizer.{key}?")
    known = [name for name in arguments_of(target) if name not in ("self", "params")]
    # torch checks neither names nor values of a parameter group.
    for key in ("options", "embedding_options", "encoder_options"):
        arguments = getattr(config, key)
        groups = [{"params": [torch.nn.Parameter(torch.zeros(size))]} for size in ((1, 1), (1,), (1, 1))]
        try:
            target(groups, **{"lr": config.learning_rate, **config.options, **arguments})
        except (TypeError, ValueError, RuntimeError) as error:
            if unknown := [name for name in arguments if name not in known]:
                path = f"optimizer.{key}.{unknown[0]}"
                others = [name for name in known if key != "options" or name not in OWN_OPTIONS]
                raise UserError(f"{unknown_key(path, others)} (~{path} leaves it out where a file gives it)") from error
            raise UserError(f"optimizer.{key}={arguments}: {' '.join(str(error).split())}") from error
