"""What a run shows after each epoch, and its early ends: it has learnt its task, or its loss is no number."""

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
"""Seconds of training about which nothing is said beforehand."""


class EpochTimer(pl.Callback):
    """Logs `train/epoch_seconds` and `train/tokens_per_second`, without validation and without interruptions."""

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens
        self.seconds = 0.0
        """Of this epoch so far."""
        self.last = 0.0
        """When they were counted."""

    def state_dict(self) -> dict[str, float]:
        """Seconds of this epoch so far."""
        return {"seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        """Count on from there."""
        self.seconds = state_dict["seconds"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock for the rest of an epoch."""
        self.last = time.perf_counter()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self.seconds, self.last = 0.0, time.perf_counter()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Count the batch; the last one of these is the end of the epoch's training."""
        if trainer.is_last_batch and pl_module.device.type == "cuda":
            torch.cuda.synchronize()  # its steps run behind Python's
        now = time.perf_counter()
        self.seconds += now - self.last
        self.last = now

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the epoch, before the checkpoint after which a resumed run would not come by here again."""
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
    """A line in the log for each epoch, or for every tenth of many, where no progress bar shows how far a run is."""

    def __init__(self, metric: str) -> None:
        self.metric = metric

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say which epoch it was and how good it is."""
        epoch, epochs = trainer.current_epoch + 1, trainer.max_epochs or 0
        if epochs > 100 and epoch % 10 and epoch < epochs:
            return
        seen = trainer.callback_metrics
        values = ", ".join(f"{name} {float(seen[name]):.4f}" for name in ("train/loss", self.metric) if name in seen)
        log.info("epoch %d of %d: %s", epoch, epochs, values)


class StopAtTargetScore(pl.Callback):
    """Ends training after `EPOCHS` epochs in a row whose validation score reaches `score`: further epochs would change
    nothing that is asked of the run.

    Args:
        score: in the unit of the objective's metric; 0.995 of `val/accuracy`, say.
    """

    EPOCHS = 2
    """One epoch alone may reach it by chance."""

    def __init__(self, objective: Objective, score: float) -> None:
        self.objective = objective
        self.score = score
        self.reached = 0
        """Epochs in a row that reached it."""

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
        """Count on from there."""
        self.reached = state_dict["reached"]


class FiniteLoss(pl.Callback):
    """Ends a run whose loss is no longer a number: every later weight would be none either.

    It looks at the loss of every batch on a processor, of every logged one on a GPU, which would have to wait for it.

    Raises:
        DivergedError: the loss is infinite or no number.
    """

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Look at it, before a checkpoint is written."""
        interval = getattr(trainer, "log_every_n_steps", 1)  # which Lightning sets, and does not declare
        if pl_module.device.type != "cpu" and trainer.global_step % interval and not trainer.is_last_batch:
            return
        # The mean over all devices, so that all end: one that waits for another would only say that it is gone.
        loss = float(trainer.strategy.reduce(outputs["loss"].detach().clone()))
        if not math.isfinite(loss):
            rate = trainer.optimizers[0].param_groups[-1]["lr"]  # the head's
            raise DivergedError(
                f"the loss is {loss} in batch {batch_idx + 1} of epoch {trainer.current_epoch + 1}, at learning rate "
                f"{rate:.3g}; lower optimizer.learning_rate, or the norm to which optimizer.gradient_clip_norm clips"
            )
