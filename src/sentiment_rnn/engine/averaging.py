"""A moving average of a run's weights, which is validated, chosen and tested in their place."""

from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import WeightAveraging
from lightning.pytorch.trainer.states import TrainerFn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class WeightAverage(WeightAveraging):
    """An exponential moving average of the weights θ_t (Polyak & Juditsky 1992; with a decay as in Kingma & Ba 2015,
    section 7.2):

        θ̄_1 = θ_1      θ̄_t = decay · θ̄_{t-1} + (1 - decay) · θ_t

    Lightning keeps the average in whole checkpoints alone, not in those of weights: the best one has to be whole.

    Args:
        decay: at each step.
        device: where the average is.
    """

    def __init__(self, decay: float, device: str) -> None:
        # Without buffers: a mean of whole numbers, of ids of words say, would be rounded to another one.
        super().__init__(device, use_buffers=False, multi_avg_fn=get_ema_multi_avg_fn(decay))

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Give the model the average also where a run resumes behind its last epoch, and no training begins or ends."""
        self._copy_average_to_current(pl_module)

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Go on from both; to be tested, the model keeps the average that it was given, for which Lightning's method
        would put the weights that were trained."""
        if trainer.state.fn == TrainerFn.FITTING:
            super().on_load_checkpoint(trainer, pl_module, checkpoint)
