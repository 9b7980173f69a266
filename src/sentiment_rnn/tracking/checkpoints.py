"""Where the checkpoints of runs are stored, and how to load one without running code.

A checkpoint is a pickle, and a pickle can run code. Whoever can write the runs folder can replace one, and whoever can
set a tag on a tracking server can name another file. So only plain state is loaded, and only from a run's own folder.
"""

import logging
import pickle
from pathlib import Path
from typing import Any

import torch

from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.names import CHECKPOINT_TAG
from sentiment_rnn.tracking.results import RunResult
from sentiment_rnn.tracking.store import Store

log = logging.getLogger("sentiment_rnn")

LAST = "last.ckpt"
PRUNED = "pruned.txt"
"""The note that `runs prune` leaves beside the checkpoints that it removed."""
DAMAGE = (
    pickle.UnpicklingError, RuntimeError, EOFError, OSError, LookupError, ValueError, TypeError, AttributeError,
)  # fmt: skip
"""What loading a file that is not a checkpoint may raise."""


def folder_of(store: Store, run_id: str) -> Path:
    """Where a run's checkpoints are."""
    return store.directory / "checkpoints" / run_id


def files_of(store: Store, run_id: str) -> list[Path]:
    """Paths of a run's checkpoints, by name: plain files in its own folder; links are left out."""
    folder = folder_of(store, "").resolve() / run_id
    if folder.resolve() != folder:
        return []
    return sorted(path for path in folder.glob("*.ckpt") if path.is_file() and not path.is_symlink())


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
    """Path of the checkpoint from which a run resumes; None where it has not finished an epoch.

    Raises:
        UserError: it cannot be loaded, or was written in another folder. Lightning would then forget which epoch was
            the best so far.
    """
    if not folder_of(store, run_id).joinpath(LAST).exists():
        if note := _note(folder_of(store, run_id)):
            log.info("run %s: no checkpoint to resume from (%s); it trains from the first epoch", run_id, note)
        return None
    path = _own(store, run_id, LAST)
    states = [state for state in load_checkpoint(path).get("callbacks", {}).values() if isinstance(state, dict)]
    folders = {state["dirpath"] for state in states if "dirpath" in state}
    # Lightning deletes the file that a better one replaces, and believes the checkpoint where that is.
    folders |= {str(Path(str(file)).parent) for state in states for file in _files_named_in(state) if str(file)}
    if any(Path(folder).resolve() != path.parent.resolve() for folder in folders):
        raise UserError(
            f"{path}: written in {', '.join(folders)}, and a run resumes only there; "
            "move the folder back, or delete this file to train from the first epoch"
        )
    return path


def _files_named_in(state: dict[str, Any]) -> list[Any]:
    """All files that the state of a `ModelCheckpoint` names."""
    named = [state.get(key, "") for key in ("best_model_path", "kth_best_model_path", "last_model_path")]
    best = state.get("best_k_models", {})
    return [*named, *(best if isinstance(best, dict) else [best])]


def load_checkpoint(path: Path) -> dict[str, Any]:
    """The plain state in a checkpoint; its tensors are mapped from the file, not read.

    Raises:
        UserError: there is no such file, it is damaged, or it holds anything but plain state.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        if not isinstance(state, dict) or not isinstance(state.get("state_dict"), dict):
            raise KeyError("state_dict")
        return state
    except FileNotFoundError as error:
        if note := _note(path.parent):
            raise UserError(
                f"{path}: this checkpoint is gone ({note}); train the run again with tracking.repeat=true"
            ) from error
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


def _note(folder: Path) -> str:
    """What `runs prune` wrote into a folder of checkpoints; empty where it removed nothing."""
    path = folder / PRUNED
    return path.read_text(encoding="utf-8").strip()[:200] if path.is_file() else ""


def _own(store: Store, run_id: str, name: str) -> Path:
    """The file `name` in a run's own folder; a link that leads out of it is refused."""
    folder = folder_of(store, "").resolve() / run_id
    if (folder / name).resolve() != folder / name:
        raise UserError(
            f"{folder / name}: it leads outside {folder}, so it is not opened; "
            "give the folder where the run was trained (tracking.directory=…)"
        )
    return folder / name
