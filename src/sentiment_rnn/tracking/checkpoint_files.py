"""The checkpoint files of a run: where they are, and how they are written and read.

They are written whole or not at all. A checkpoint is a pickle, and a pickle can run code. Whoever can write the runs
folder can replace one, and whoever can set a tag on a tracking server can name another file. So only plain state is
loaded, and only from a run's own folder.
"""

import io
import pickle
from collections.abc import Callable
from pathlib import Path, PureWindowsPath
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO

from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.store import Store
from sentiment_rnn.whole_files import write_whole

LAST, PREVIOUS = "last.ckpt", "previous.ckpt"
"""The checkpoint from which a run resumes, and the one before it."""
FINAL = "final.ckpt"
"""The weights of the last epoch, where those are tested."""
PRUNED = "pruned.txt"
"""The note that `runs prune` leaves beside the checkpoints that it removed."""
DAMAGE = (
    pickle.UnpicklingError, RuntimeError, EOFError, OSError, LookupError, ValueError, TypeError, AttributeError,
)  # fmt: skip
"""What loading a file that is not a checkpoint may raise."""


def folder_of(store: Store, run_id: str) -> Path:
    """Where a run's checkpoints are."""
    return store.checkpoints / run_id


def note_of_pruning(folder: Path) -> str:
    """What `runs prune` wrote into a folder of checkpoints; empty where it removed nothing."""
    path = folder / PRUNED
    return path.read_text(encoding="utf-8").strip()[:200] if path.is_file() else ""


class CheckpointFiles(TorchCheckpointIO):
    """How Lightning writes and reads them. The last checkpoint but one is kept, in case the last is damaged.

    Args:
        before: is called before each file is written.
    """

    def __init__(self, before: Callable[[], None] | None = None) -> None:
        self.before = before

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Replace a file by a whole new one; raises `UserError` where there is no space, or no leave to write."""
        path = Path(path)
        if self.before:
            self.before()
        content = io.BytesIO()
        torch.save(checkpoint, content)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, content.getbuffer(), path.with_name(PREVIOUS) if path.name == LAST else None)
        except OSError as error:
            raise UserError(
                f"{path}: cannot be written ({error.strerror}); mend that, and the same command resumes the run"
            ) from error

    def load_checkpoint(self, path: str | Path, *_: Any, **__: Any) -> dict[str, Any]:
        """The plain state in a file, its paths led to this folder; raises `UserError` as `load_checkpoint` does."""
        path = Path(path)
        return in_folder(load_checkpoint(path, mapped=False), path.parent.resolve())


def in_folder(checkpoint: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A checkpoint whose paths are those of the same file names in `folder`.

    It may come from another machine, or from somebody who altered it. Lightning deletes the file that a better one
    replaces, wherever the checkpoint says that it is.
    """

    def here(path: Any) -> str:
        name = PureWindowsPath(str(path)).name  # knows both separators
        return str(folder / name) if name.endswith(".ckpt") else ""

    for state in checkpoint.get("callbacks", {}).values():
        if isinstance(state, dict) and "dirpath" in state:
            state["dirpath"] = str(folder)
            for key in ("best_model_path", "kth_best_model_path", "last_model_path"):
                state[key] = here(state.get(key, ""))
            state["best_k_models"] = {here(path): score for path, score in state.get("best_k_models", {}).items()}
    return checkpoint


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
        if note := note_of_pruning(path.parent):
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
