"""What the data of every task have in common."""

import lightning.pytorch as pl


class TaskData(pl.LightningDataModule):
    """Batches to train, validate and test on."""

    overfits: bool = False
    """Whether each epoch has the training batches of the first, and validation has them too."""
