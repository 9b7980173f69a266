"""The other processes of a run on several devices, where no scheduler starts them.

Lightning would start the command of this process again, which may be a whole sweep, or a launcher's worker. Here each
gets this run's configuration instead, and runs that alone. None outlives another: each waits for all in every step.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import cloudpickle
import lightning.pytorch as pl
import torch
from lightning.pytorch.strategies import ParallelStrategy

from sentiment_rnn.config.run import RunConfig

log = logging.getLogger("sentiment_rnn")

ENDS_WITHIN = 60.0
"""Seconds that the others have to end after this one."""
FAILS_WITHIN = 30.0
"""Seconds that this process has to notice by itself that another has failed."""


@contextmanager
def other_processes(trainer: pl.Trainer, config: RunConfig, checkpoint: Path | None) -> Iterator[None]:
    """Start them, and end them with the block; nothing for one device, or where a scheduler has started them.

    Args:
        trainer: of this process, which has not begun.
        config: resolved.
        checkpoint: from which the run resumes.
    """
    strategy = trainer.strategy
    environment = strategy.cluster_environment if isinstance(strategy, ParallelStrategy) else None
    if environment is None or environment.creates_processes_externally or trainer.num_devices == 1:
        yield
        return
    variables = {
        "MASTER_ADDR": environment.main_address,
        "MASTER_PORT": str(environment.main_port),
        "NODE_RANK": str(environment.node_rank()),
    }
    before = {name: os.environ.get(name) for name in (*variables, "LOCAL_RANK", "WORLD_SIZE")}
    command = [sys.executable, "-m", "sentiment_rnn.runs.rank"]
    message = cloudpickle.dumps((config, checkpoint))  # an encoder's keys are a class made for it
    started: list[subprocess.Popen[bytes]] = []
    ended = threading.Event()
    try:
        for rank in range(1, trainer.num_devices):
            others = {**os.environ, **variables, "LOCAL_RANK": str(rank)}
            started.append(subprocess.Popen(command, env=others, stdin=subprocess.PIPE))
            pipe = started[-1].stdin
            assert pipe
            pipe.write(message)  # and stays open: its end tells the other that this process is gone
            pipe.flush()
        threading.Thread(target=_end_with_others, args=(started, ended), daemon=True).start()
        os.environ.update(variables, LOCAL_RANK="0")  # by which Lightning knows that there are others
        yield
        for process in started:
            with suppress(subprocess.TimeoutExpired):  # it has done its part
                process.wait(ENDS_WITHIN)
    finally:
        ended.set()
        for process in started:
            process.kill()
            process.communicate()  # closes its pipe
        if torch.distributed.is_initialized():  # else the next run of a sweep would talk to these
            torch.distributed.destroy_process_group()
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _end_with_others(others: list[subprocess.Popen[bytes]], ended: threading.Event) -> None:
    """End this process where another has failed: it may wait for that one in a step that no exception interrupts."""
    while not ended.wait(1.0):
        failed = [process.returncode for process in others if process.poll()]
        if failed and not ended.wait(FAILS_WITHIN):
            log.error("another process of this run ended with status %d; this one ends too", failed[0])
            os.kill(os.getpid(), signal.SIGKILL)
