"""The checkpoints of a run: where they are, how they are written and read, and from which one it resumes.

They are written whole or not at all. A checkpoint is a pickle, and a pickle can run code. Whoever can write the runs
folder can replace one, and whoever can set a tag on a tracking server can name another file. So only plain state is
loaded, and only from a run's own folder.
"""

import io
import pickle
from pathlib import Path, PureWindowsPath
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO

from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.names import CHECKPOINT_TAG, IDENTITY_TAG
from sentiment_rnn.tracking.results import RunResult
from sentiment_rnn.whole_files import write_whole

LAST = "last.ckpt"
"""The checkpoint from which a run resumes."""
FINAL = "final.ckpt"
"""The weights of the last epoch, where those are tested."""
DAMAGE = (
    pickle.UnpicklingError, RuntimeError, EOFError, OSError, LookupError, ValueError, TypeError, AttributeError,
)  # fmt: skip
"""Errors that loading a file which is no checkpoint may raise."""


class CheckpointFiles(TorchCheckpointIO):
    """How Lightning writes and reads them."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Replace a file by a whole new one; raises `UserError` where there is no space, or no leave to write."""
        path = Path(path)
        content = io.BytesIO()
        torch.save(checkpoint, content)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, content.getbuffer())
        except OSError as error:
            raise UserError(
                f"{path}: cannot be written ({error.strerror}); mend that; the same command resumes"
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
        raise UserError(
            f"{path}: this checkpoint is gone; give the folder where the run was trained, or delete the run in MLflow "
            "and train it again"
        ) from error
    except PermissionError:
        raise
    except DAMAGE as error:
        raise UserError(
            f"{path}: not loaded; it is damaged, or holds more than plain state; delete the run in MLflow and train it "
            "again"
        ) from error


def checkpoint_of(result: RunResult) -> Path:
    """Path of the checkpoint that was tested, in the folder of the run's identity.

    Raises:
        UserError: the run recorded none, or it is a link away.
    """
    tags = result.tags
    if CHECKPOINT_TAG not in tags or IDENTITY_TAG not in tags:
        raise UserError(f"run {result.run_id}: it recorded no checkpoint; delete the run in MLflow and train it again")
    folder = result.store.checkpoints.resolve() / Path(tags[IDENTITY_TAG]).name
    path = folder / Path(tags[CHECKPOINT_TAG]).name
    if path.resolve() != path:
        raise UserError(
            f"{path}: it leads outside {folder}, so it is not opened; give the folder where the run was trained "
            "(tracking.directory=…)"
        )
    return path
