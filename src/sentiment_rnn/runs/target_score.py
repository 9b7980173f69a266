"""A run that has learnt its task ends: further epochs would change nothing that is asked of it."""

from typing import Any

import lightning.pytorch as pl

from sentiment_rnn.runs.job import Objective


class StopAtTargetScore(pl.Callback):
    """Ends training after `EPOCHS` epochs in a row whose validation score reaches `score`.

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
