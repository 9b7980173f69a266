"""Early ends of a run: it has learnt its task, or its loss is no number."""

import math
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import EarlyStopping

from sentiment_rnn.tasks.job import Objective
from sentiment_rnn.tracking.run import DivergedError


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
        found = float(trainer.callback_metrics[self.objective.metric])
        better = found >= self.score if self.objective.mode == "max" else found <= self.score
        self.reached = self.reached + 1 if better else 0
        self._end(trainer)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A run that was interrupted behind its last epoch trains no further."""
        self._end(trainer)

    def state_dict(self) -> dict[str, int]:
        """The count."""
        return {"reached": self.reached}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Count on from there."""
        self.reached = state_dict["reached"]

    def _end(self, trainer: pl.Trainer) -> None:
        trainer.should_stop = trainer.should_stop or self.reached >= self.EPOCHS


class Patience(EarlyStopping):
    """Lightning's early stopping, also of a run that was interrupted behind its last epoch: it trains no further."""

    def __init__(self, objective: Objective, patience: int) -> None:
        # A score that is no number is no end here: `FiniteLoss` says when a run has to end.
        super().__init__(objective.metric, mode=objective.mode, patience=patience, check_finite=False)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """End again."""
        trainer.should_stop = trainer.should_stop or self.wait_count >= self.patience


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
            rate = trainer.optimizers[0].param_groups[0]["lr"]
            raise DivergedError(
                f"the loss is {loss} in batch {batch_idx + 1} of epoch {trainer.current_epoch + 1}, at learning rate "
                f"{rate:.3g}; lower optimizer.learning_rate, or the norm to which optimizer.gradient_clip_norm clips"
            )
