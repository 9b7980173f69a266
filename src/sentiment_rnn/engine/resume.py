"""The checkpoint from which a run resumes: its position within the epoch, and when it is written."""

import logging
import math
import time
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Checkpoint

from sentiment_rnn.engine.interruption import Interruption
from sentiment_rnn.tracking.checkpoints import LAST
from sentiment_rnn.tracking.run import TrackedRun

log = logging.getLogger("sentiment_rnn")

POSITION = "position"
"""Key of the position in a checkpoint."""


class LastCheckpoint(Checkpoint):
    """Writes the checkpoint from which a run resumes: after every epoch, at intervals within an epoch, and when a
    signal asks the run to end. It holds the logged points of the run, the number of batches read, the random states,
    and whether training has ended early.

    A signal in the last batch of an epoch or in validation waits for the end of the epoch. On several devices, a signal
    ends the run at once, without a checkpoint of its own.

    Args:
        run: None in a process that does not record.
        minutes: time between two checkpoints within an epoch; 0 writes none.
    """

    def __init__(self, run: TrackedRun | None, minutes: float, interruption: Interruption) -> None:
        self.run = run
        self.seconds = minutes * 60 or math.inf
        self.interruption = interruption
        self.written = 0.0
        self.resumed: dict[str, Any] | None = None
        """The position from the checkpoint; None after the first batch."""

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add the points and the position."""
        loader: Any = trainer.train_dataloader
        checkpoint |= self.run.state() if self.run else {}
        checkpoint[POSITION] = {
            "within_epoch": not trainer.is_last_batch,
            "ended": trainer.should_stop,
            "batches": loader.state_dict(),
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state(pl_module.device) if pl_module.device.type == "cuda" else None,
        }

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Keep the position until training starts."""
        self.resumed = checkpoint[POSITION]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock, and restore the position: skip the batches that were read (Lightning does not, if a schedule
        has asked for the number of steps), and do not train if the run had ended early. Every device but the first gets
        a seed of its own, since the strategy gave all devices the same one."""
        if trainer.global_rank:
            torch.manual_seed(torch.initial_seed() + 1_000_003 * trainer.global_rank + trainer.global_step)
        self.written = time.monotonic()
        self.interruption.listen()
        # On several devices, Lightning's handler of SIGTERM would wait for the other processes for ever.
        self.interruption.deferred = trainer.world_size == 1
        if self.resumed:
            trainer.should_stop = self.resumed["ended"]
            if self.resumed["within_epoch"]:
                loader: Any = trainer.train_dataloader
                loader.load_state_dict(self.resumed["batches"])

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Restore the random states, after all that Lightning does before the first batch."""
        if self.resumed is None or trainer.global_rank:  # a checkpoint has only the states of rank 0
            return
        torch.set_rng_state(self.resumed["torch"].cpu())
        if self.resumed["cuda"] is not None and pl_module.device.type == "cuda":
            torch.cuda.set_rng_state(self.resumed["cuda"].cpu(), pl_module.device)
        if not self.resumed["within_epoch"]:
            torch.empty((), dtype=torch.int64).random_()  # an epoch's loader draws a number before its first batch
        self.resumed = None

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Write a checkpoint if it is due."""
        due = self.interruption.signal is not None or time.monotonic() - self.written >= self.seconds
        if trainer.world_size > 1:
            due = trainer.strategy.reduce_boolean_decision(due, all=False)
        if due and not trainer.is_last_batch:
            # Record the step's metrics first: a kill after the checkpoint would lose them, and one before it does no
            # harm, since the step is repeated.
            trainer._logger_connector.update_train_step_metrics()
            self._write(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write a checkpoint."""
        self._write(trainer)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """From now on a signal ends the run at once, since what remains is short."""
        self.interruption.deferred = False
        if self.interruption.signal is not None:
            self.interruption.end()

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Set the signal handlers again."""
        self.interruption.listen()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Stop deferring signals, since the run ends."""
        self.interruption.deferred = False

    def _write(self, trainer: pl.Trainer) -> None:
        count, ends = len(self.run.points) if self.run else 0, self.interruption.signal is not None
        trainer.save_checkpoint(self.run.folder / LAST if self.run else LAST)  # the first process writes it
        self.written = time.monotonic()
        if self.run:
            self.run.send(count, wait=not ends)
        if ends:
            log.info("interrupted; checkpoint after %d steps written", trainer.global_step)
            self.interruption.end()
