"""Checkpoints of runs: where they lie, and that loading one runs no code.

A checkpoint is a pickle, and a pickle can run code. Whoever can write the runs folder can replace one, and whoever can
set a tag on a tracking server can name another file. So only plain state inside the store's own folder is loaded.
"""

import pickle
from pathlib import Path

import torch
from mlflow.entities import Run

from sentiment_rnn.checks import UserError
from sentiment_rnn.tracking.store import Store

CHECKPOINT_TAG = "sentiment_rnn.checkpoint"
"""Tag of a run: path of the checkpoint that validation chose."""
LAST = "last.ckpt"


def folder_of(store: Store, run_id: str) -> Path:
    """Where a run's checkpoints lie."""
    return store.directory / "checkpoints" / run_id


def best_checkpoint(store: Store, run: Run) -> Path:
    """The checkpoint that validation chose.

    Raises:
        UserError: it is gone, lies outside the store's folder, or is not plain state.
    """
    return checked_checkpoint(_tagged(store, run))


def epoch_checkpoints(store: Store, run: Run, epochs: int) -> list[Path]:
    """The checkpoint after each epoch of a run with `trainer.keep_epochs`; raises as `best_checkpoint` does."""
    folder = _tagged(store, run).parent
    return [checked_checkpoint(folder / f"epoch{epoch}.ckpt") for epoch in range(epochs)]


def checked_checkpoint(path: Path) -> Path:
    """The path itself, where loading it with `weights_only=True` will succeed.

    Raises:
        UserError: there is no such file, it is damaged, or it holds anything but plain state.
    """
    try:
        torch.load(path, map_location="cpu", weights_only=True, mmap=True)  # maps the tensors, reads none
    except FileNotFoundError as error:
        raise UserError(
            f"{path}: this checkpoint is gone; give the folder where the runs were trained, or train them again with "
            "tracking.repeat=true"
        ) from error
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        raise UserError(
            f"{path}: not loaded; it is damaged, or holds more than plain state, as checkpoints of version 0.3 did; "
            "delete it and train again"
        ) from error
    return path


def _tagged(store: Store, run: Run) -> Path:
    """The path in a run's tag, where it is inside the store's folder."""
    if CHECKPOINT_TAG not in run.data.tags:
        raise UserError(f"run {run.info.run_id}: it recorded no checkpoint; train again with tracking.repeat=true")
    path = Path(run.data.tags[CHECKPOINT_TAG])
    if not path.resolve().is_relative_to(folder_of(store, "").resolve()):
        raise UserError(
            f"run {run.info.run_id}: its checkpoint, {path}, is outside {folder_of(store, '')}, so it is not opened; "
            "give the folder where the run was trained (tracking.directory=…)"
        )
    return path
