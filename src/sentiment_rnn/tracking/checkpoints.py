"""The checkpoints of a run: where they are, how they are written and read, and which one the run resumes from.

<tracking.directory>/checkpoints/<identity>/
    lock         held by the process that trains this identity; the system frees it when that process ends
    place.json   the store of its run, and a token that its run has as a tag
    last.ckpt    the checkpoint from which the run resumes; deleted once the run is FINISHED
    best.ckpt    the weights that were tested

They are written atomically. A checkpoint is a pickle, and a pickle can run code. Anyone who can write to the folder of
runs can replace a checkpoint, and anyone who can set a tag on a tracking server can name another file. So only plain
state is loaded.
"""

import io
import json
import logging
import pickle
import uuid
from pathlib import Path, PureWindowsPath
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO

from sentiment_rnn.errors import UserError
from sentiment_rnn.files import FileLock, write_whole
from sentiment_rnn.tracking.names import CHECKPOINT_TAG
from sentiment_rnn.tracking.results import RecordedRun
from sentiment_rnn.tracking.store import Store

log = logging.getLogger("sentiment_rnn")

PLACE = "place.json"
LAST = "last.ckpt"
"""The checkpoint from which a run resumes."""
FINAL = "final.ckpt"
"""The weights of the last epoch, if they are the ones that are tested."""
POINTS = "points"
"""Key in a checkpoint under which all logged points of the run are stored."""
DAMAGE = (
    pickle.UnpicklingError, RuntimeError, EOFError, OSError, LookupError, ValueError, TypeError, AttributeError,
)  # fmt: skip
"""Errors from loading a file that is not a checkpoint."""


class CheckpointFolder:
    """The folder of an identity's checkpoints. In a `with` block this process holds its lock."""

    def __init__(self, store: Store, identity: str) -> None:
        self.path = store.checkpoints / identity
        self.path.mkdir(parents=True, exist_ok=True)
        self.last = self.path / LAST
        self.store_uri = store.uri
        self.lock = FileLock(self.path / "lock")
        self.token = ""
        """Marks the run of this folder in its store. It is renewed if the folder belonged to a run of another store."""
        self.points: list[Any] | None = None
        """The points in the last checkpoint; None if there is no checkpoint that can be read."""

    def __enter__(self) -> "CheckpointFolder":
        self.lock.acquire()
        try:
            place = json.loads((self.path / PLACE).read_text(encoding="utf-8"))
            self.token = place["token"] if place["store"] == self.store_uri else ""
        except (OSError, ValueError, LookupError, TypeError):
            self.token = ""
        if not self.token:
            self.renew_token()
        if self.last.exists():
            try:
                self.points = list(load_checkpoint(self.last)[POINTS])
            except (UserError, LookupError, TypeError) as error:
                log.warning("%s: cannot be read, so the run trains from its first epoch (%s)", self.last, error)
                self.last.unlink()
        return self

    def __exit__(self, *_: object) -> None:
        self.lock.release()

    def renew_token(self) -> None:
        """Give the folder a new token, for a run that is created later."""
        self.token = uuid.uuid4().hex
        write_whole(self.path / PLACE, json.dumps({"store": self.store_uri, "token": self.token}).encode())


class CheckpointFiles(TorchCheckpointIO):
    """Writes and reads checkpoints for Lightning."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Replace a file atomically; raises `UserError` if there is no space, or no permission to write."""
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
        """The plain state in a file, with paths that point to this folder; raises `UserError` like
        `load_checkpoint`."""
        path = Path(path)
        return in_folder(load_checkpoint(path, mapped=False), path.parent.resolve())


def in_folder(checkpoint: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The checkpoint with all paths moved to `folder`; file names stay the same.

    A checkpoint may come from another machine, or may have been altered. Lightning deletes a file when a better one
    replaces it, at whatever path the checkpoint gives.
    """

    def here(path: Any) -> str:
        name = PureWindowsPath(str(path)).name  # understands both separators
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
        UserError: the file is missing or damaged, or holds anything but plain state.
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


def checkpoint_of(run: RecordedRun) -> Path:
    """Path of the checkpoint that was tested, in the folder of the run's identity; raises `UserError` if the run
    recorded none."""
    if CHECKPOINT_TAG not in run.tags or not run.identity:
        raise UserError(f"run {run.run_id}: it recorded no checkpoint; delete the run in MLflow and train it again")
    return run.store.checkpoints / Path(run.identity).name / Path(run.tags[CHECKPOINT_TAG]).name
