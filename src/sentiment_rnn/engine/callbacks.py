"""Callbacks that log each epoch, and that end a run early: it has learnt its task, or its loss is not finite."""

import logging
import math
import time
from typing import Any

import lightning.pytorch as pl
import torch

from sentiment_rnn.tasks.job import Objective
from sentiment_rnn.tracking.names import EPOCH_SECONDS, TOKENS_PER_SECOND
from sentiment_rnn.tracking.run import DivergedError

log = logging.getLogger("sentiment_rnn")

SOON = 60
"""Training that takes less than so many seconds is not announced."""


class EpochTimer(pl.Callback):
    """Logs `train/epoch_seconds` and `train/tokens_per_second`; validation and interruptions do not count."""

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens
        self.seconds = 0.0
        """Training time of this epoch so far."""
        self.last = 0.0
        """When `seconds` was last updated."""

    def state_dict(self) -> dict[str, float]:
        """Seconds of this epoch so far."""
        return {"seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        """Continue the count of an interrupted epoch."""
        self.seconds = state_dict["seconds"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock for the rest of an epoch."""
        self.last = time.perf_counter()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self.seconds, self.last = 0.0, time.perf_counter()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Add the time of a batch. The epoch's training ends with its last batch."""
        if trainer.is_last_batch and pl_module.device.type == "cuda":
            torch.cuda.synchronize()  # a GPU finishes its steps later than Python does
        now = time.perf_counter()
        self.seconds += now - self.last
        self.last = now

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the epoch before its checkpoint is written: a run that resumes from there does not log it again."""
        rates = {TOKENS_PER_SECOND: self.tokens / self.seconds} if self.tokens else {}
        for logger in trainer.loggers:
            logger.log_metrics({EPOCH_SECONDS: self.seconds, **rates}, trainer.global_step - 1)
        minutes = (trainer.max_epochs or 0) * self.seconds / 60
        if trainer.current_epoch == 0 and minutes * 60 > SOON and trainer.is_global_zero:
            log.info(
                "the first of %d epochs took %.1f s: training takes up to %d min",
                trainer.max_epochs, self.seconds, math.ceil(minutes),
            )  # fmt: skip


class EpochLines(pl.Callback):
    """Logs a line for each epoch, or every tenth of many epochs, if no progress bar is shown."""

    def __init__(self, metric: str) -> None:
        self.metric = metric

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the number of the epoch and its score."""
        epoch, epochs = trainer.current_epoch + 1, trainer.max_epochs or 0
        if epochs > 100 and epoch % 10 and epoch < epochs:
            return
        seen = trainer.callback_metrics
        values = ", ".join(f"{name} {float(seen[name]):.4f}" for name in ("train/loss", self.metric) if name in seen)
        log.info("epoch %d of %d: %s", epoch, epochs, values)


class StopAtTargetScore(pl.Callback):
    """Ends training when the validation score has reached `score` in `EPOCHS` epochs in a row: the run has learned its
    task.

    Args:
        score: in the unit of the objective's metric, such as 0.995 of `val/accuracy`.
    """

    EPOCHS = 2
    """More than one, since a single epoch may reach the score by chance."""

    def __init__(self, objective: Objective, score: float) -> None:
        self.objective = objective
        self.score = score
        self.reached = 0
        """How many epochs in a row have reached the score."""

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Count the epoch."""
        value = float(trainer.callback_metrics[self.objective.metric])
        better = value >= self.score if self.objective.mode == "max" else value <= self.score
        self.reached = self.reached + 1 if better else 0
        trainer.should_stop = trainer.should_stop or self.reached >= self.EPOCHS

    def state_dict(self) -> dict[str, int]:
        """The count."""
        return {"reached": self.reached}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue the count."""
        self.reached = state_dict["reached"]


class FiniteLoss(pl.Callback):
    """Ends a run whose loss is NaN or infinite: its weights would stay so.

    It checks the loss of every batch on a CPU. On a GPU, which would have to wait for the loss, it checks only batches
    that are logged.

    Raises:
        DivergedError: the loss is infinite or not a number.
    """

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Check the loss, before a checkpoint is written."""
        interval = getattr(trainer, "log_every_n_steps", 1)  # Lightning sets the attribute without declaring it
        if pl_module.device.type != "cpu" and trainer.global_step % interval and not trainer.is_last_batch:
            return
        # The mean over all devices, so that all raise this error. Otherwise some would only report a lost peer.
        loss = float(trainer.strategy.reduce(outputs["loss"].detach().clone()))
        if not math.isfinite(loss):
            rate = trainer.optimizers[0].param_groups[-1]["lr"]  # the rate of the head
            raise DivergedError(
                f"the loss is {loss} in batch {batch_idx + 1} of epoch {trainer.current_epoch + 1}, at learning rate "
                f"{rate:.3g}; lower optimizer.learning_rate, or the norm to which optimizer.gradient_clip_norm clips"
            )
