"""Data module and loader that all tasks share."""

from typing import Any

import lightning.pytorch as pl
from torch.utils.data import DataLoader, Dataset


class TaskData(pl.LightningDataModule):
    """Batches to train, validate and test on."""

    overfits: bool = False
    """Whether the training batches of the first epoch are used in every epoch, and in validation too."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks for the person who starts runs on these data; the data are prepared for it."""
        return ()


class ResumableLoader(DataLoader[Any]):
    """A loader of batches that Lightning can stop and resume within an epoch.

    No worker processes: a batch is a few slices of a memory-mapped array, and handing it over costs more.

    Args:
        batches: gives whole batches.
        place: keeps which batches were given out (`state_dict`, `load_state_dict`).
        options: of the loader.
    """

    def __init__(self, batches: Dataset[Any], place: Any, **options: Any) -> None:
        super().__init__(batches, batch_size=None, **options)
        self.state_dict = place.state_dict
        self.load_state_dict = place.load_state_dict
