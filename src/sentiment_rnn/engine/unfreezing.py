"""Gradual unfreezing: the layers of a model begin to train one after the other, from the top."""

import lightning.pytorch as pl


class GradualUnfreezing(pl.Callback):
    """Trains the head alone at first, and a further layer below it each `epochs` epochs (Howard & Ruder 2018, section
    3.3): what is nearest to the old task comes last.

    A frozen parameter has no gradient, so the optimizer passes it over: no decay, no moments. The learning rate follows
    its schedule all the while.

    Args:
        epochs: between two layers.
    """

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A run that resumes within an epoch has no other start of it."""
        self.on_train_epoch_start(trainer, pl_module)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Freeze the layers whose time has not come."""
        for depth, layer in enumerate(pl_module.layers_from_top()):  # type: ignore[operator]
            for parameter in layer:
                parameter.requires_grad_(trainer.current_epoch >= depth * self.epochs)
