"""Where the checkpoints of runs are stored, and how to load one without running code.

A checkpoint is a pickle, and a pickle can run code. Whoever can write the runs folder can replace one, and whoever can
set a tag on a tracking server can name another file. So only plain state is loaded, and only from a run's own folder.
"""

import logging
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.names import CHECKPOINT_TAG
from sentiment_rnn.tracking.results import RunResult
from sentiment_rnn.tracking.store import Store

log = logging.getLogger("sentiment_rnn")

LAST, PREVIOUS = "last.ckpt", "previous.ckpt"
"""The checkpoint from which a run resumes, and the one before it."""
DAMAGE = (
    pickle.UnpicklingError, RuntimeError, EOFError, OSError, LookupError, ValueError, TypeError, AttributeError,
)  # fmt: skip
"""What loading a file that is not a checkpoint may raise."""


def folder_of(store: Store, run_id: str) -> Path:
    """Where a run's checkpoints are."""
    return store.directory / "checkpoints" / run_id


def best_checkpoint(result: RunResult) -> Path:
    """Path of the checkpoint that validation chose; raises `UserError` where there is none, or it is a link away."""
    if CHECKPOINT_TAG not in result.tags:
        raise UserError(f"run {result.run_id}: it recorded no checkpoint; train again with tracking.repeat=true")
    return _own(result.store, result.run_id, Path(result.tags[CHECKPOINT_TAG]).name)


def epoch_checkpoints(result: RunResult) -> list[Path]:
    """Paths of the checkpoints of a run with `trainer.keep_epochs`, by epoch; raises as `best_checkpoint` does."""
    kept = len(list(folder_of(result.store, result.run_id).glob("epoch*.ckpt")))
    # A run that stopped early has fewer than it was given.
    given = result.config.trainer
    epochs = min(kept or 1, given.epochs) if given.patience else given.epochs
    return [_own(result.store, result.run_id, f"epoch{epoch}.ckpt") for epoch in range(epochs)]


def interrupted_checkpoint(store: Store, run_id: str) -> Path | None:
    """Path of the checkpoint from which a run resumes: the last one, or the one before where that is damaged. None
    where there is neither; a line says so if there was one.

    Raises:
        UserError: it is a link to another folder.
    """
    damaged = False
    for name in (LAST, PREVIOUS):
        path = _own(store, run_id, name)
        if not path.exists():
            continue
        if fault := _fault_of(path):
            damaged = True
            log.warning("%s: damaged (%s), so the run does not resume from it", path, fault)
            path.replace(path.with_name(f"{name}.damaged"))  # else the next checkpoint would move it over the other
            continue
        if damaged:
            log.warning("run %s: resumes from the checkpoint before, %s", run_id, path)
        return path
    if damaged:
        log.warning("run %s: no checkpoint is whole, so it starts from the beginning", run_id)
    return None


def _fault_of(path: Path) -> str:
    """Why a checkpoint cannot be resumed from; empty where it can."""
    try:
        load_checkpoint(path)
        with zipfile.ZipFile(path) as archive:  # torch does not check the sums that it writes
            broken = archive.testzip()
    except (UserError, zipfile.BadZipFile) as error:
        return str(error.__cause__ or error).splitlines()[0][:100]
    return f"another checksum of {broken}" if broken else ""


def load_checkpoint(path: Path, mapped: bool = True) -> dict[str, Any]:
    """The plain state in a checkpoint.

    Args:
        mapped: map tensors from the file instead of reading them.

    Raises:
        UserError: there is no such file, it is damaged, or it holds anything but plain state.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
        if not isinstance(state, dict) or not isinstance(state.get("state_dict"), dict):
            raise KeyError("state_dict")
        return state
    except FileNotFoundError as error:
        raise UserError(
            f"{path}: this checkpoint is gone; give the folder where the runs were trained, or train them again with "
            "tracking.repeat=true"
        ) from error
    except PermissionError:
        raise
    except DAMAGE as error:
        raise UserError(
            f"{path}: not loaded; it is damaged, or holds more than plain state, as checkpoints of version 0.3 did; "
            "delete it and train again (tracking.repeat=true)"
        ) from error


def _own(store: Store, run_id: str, name: str) -> Path:
    """The file `name` in a run's own folder; a link that leads out of it is refused."""
    folder = folder_of(store, "").resolve() / run_id
    if (folder / name).resolve() != folder / name:
        raise UserError(
            f"{folder / name}: it leads outside {folder}, so it is not opened; "
            "give the folder where the run was trained (tracking.directory=…)"
        )
    return folder / name
