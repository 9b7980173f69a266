"""What the data of every task have in common."""

import lightning.pytorch as pl


class TaskData(pl.LightningDataModule):
    """Batches to train, validate and test on."""

    overfits: bool = False
    """Whether each epoch has the training batches of the first, and validation has them too."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines for whoever starts runs on these data; asked for after `prepare_data`."""
        return ()
