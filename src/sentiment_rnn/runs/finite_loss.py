"""A run whose loss is no longer a number ends at once: every later weight would be none either."""

import math
from typing import Any

import lightning.pytorch as pl

from sentiment_rnn.tracking.start import DivergedError


class FiniteLoss(pl.Callback):
    """Looks at the loss of every batch on a processor, of every logged one on a GPU, which would have to wait for it.

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
        loss = float(outputs["loss"])
        if not math.isfinite(loss):
            rate = trainer.optimizers[0].param_groups[0]["lr"]
            raise DivergedError(
                f"the loss is {loss} in batch {batch_idx + 1} of epoch {trainer.current_epoch + 1}, at learning rate "
                f"{rate:.3g}; lower optimizer.learning_rate or optimizer.gradient_clip_norm"
            )
