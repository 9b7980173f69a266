"""How Lightning writes and reads a run's checkpoints: whole or not at all, and as plain state alone."""

import io
import os
from pathlib import Path, PureWindowsPath
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO

from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.checkpoints import LAST, PREVIOUS, load_checkpoint


class CheckpointFiles(TorchCheckpointIO):
    """The files of one run's folder. The last checkpoint but one is kept, in case the last is damaged."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Replace a file by a whole new one; raises `UserError` where there is no space, or no leave to write."""
        path = Path(path)
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


def write_whole(path: Path, content: memoryview, previous: Path | None = None) -> None:
    """Write a file so that a kill or a power cut leaves the old one or the new one, never a part of it.

    Args:
        previous: where the old one goes.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    if previous and path.exists():
        path.replace(previous)
    partial.replace(path)


def in_folder(checkpoint: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A checkpoint whose paths are those of the same file names in `folder`.

    It may come from another machine, or from somebody who altered it, and Lightning deletes the file that a better one
    replaces where the checkpoint says that it is.
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
