"""The checkpoints of a run: where they are, how they are written and read, and from which one it resumes.

They are written whole or not at all. A checkpoint is a pickle, and a pickle can run code. Whoever can write the runs
folder can replace one, and whoever can set a tag on a tracking server can name another file. So only plain state is
loaded, and only from a run's own folder.
"""

import io
import logging
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path, PureWindowsPath
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO

from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.names import CHECKPOINT_TAG
from sentiment_rnn.tracking.results import RunResult
from sentiment_rnn.tracking.store import Store
from sentiment_rnn.whole_files import whole

log = logging.getLogger("sentiment_rnn")

LAST, PREVIOUS = "last.ckpt", "previous.ckpt"
"""The checkpoint from which a run resumes, and the one before it."""
FINAL = "final.ckpt"
"""The weights of the last epoch, where those are tested."""
PRUNED = "pruned.txt"
"""The note that `runs prune` leaves beside the checkpoints that it removed."""
DAMAGE = (
    pickle.UnpicklingError, RuntimeError, EOFError, OSError, LookupError, ValueError, TypeError, AttributeError,
)  # fmt: skip
"""Errors that loading a file which is no checkpoint may raise."""


def note_of_pruning(folder: Path) -> str:
    """Note of `runs prune` in a folder of checkpoints; empty where it removed nothing."""
    path = folder / PRUNED
    return path.read_text(encoding="utf-8").strip()[:200] if path.is_file() else ""


class CheckpointFiles(TorchCheckpointIO):
    """How Lightning writes and reads them. The last checkpoint but one is kept, in case the last is damaged.

    Args:
        before: is called before a file takes its place, so that what was measured up to it is on the disk.
    """

    def __init__(self, before: Callable[[], None] | None = None) -> None:
        self.before = before

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Replace a file by a whole new one; raises `UserError` where there is no space, or no leave to write."""
        path = Path(path)
        content = io.BytesIO()
        torch.save(checkpoint, content)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole(path, path.with_name(PREVIOUS) if path.name == LAST else None) as partial:
                partial.write_bytes(content.getbuffer())
                if self.before:
                    self.before()
        except OSError as error:
            raise UserError(
                f"{path}: cannot be written ({error.strerror}); mend that; the same command resumes a sweep, "
                f"tracking.resume={path.parent.name} a run"
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


def files_of(store: Store, run_id: str) -> list[Path]:
    """Paths of a run's checkpoints, by name: plain files in its own folder; links are left out."""
    folder = store.checkpoints.resolve() / run_id
    if folder.resolve() != folder:
        return []
    return sorted(path for path in folder.glob("*.ckpt") if path.is_file() and not path.is_symlink())


def checkpoint_of(result: RunResult) -> Path:
    """Path of the checkpoint that was tested; raises `UserError` where there is none, or it is a link away."""
    if CHECKPOINT_TAG not in result.tags:
        raise UserError(f"run {result.run_id}: it recorded no checkpoint; train again with tracking.repeat=true")
    return _own(result.store, result.run_id, Path(result.tags[CHECKPOINT_TAG]).name)


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
    if note := note_of_pruning(store.checkpoints / run_id):
        log.info("run %s: no checkpoint to resume from (%s); it trains from the first epoch", run_id, note)
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


def _own(store: Store, run_id: str, name: str) -> Path:
    """The file `name` in a run's own folder; a link that leads out of it is refused."""
    folder = store.checkpoints.resolve() / run_id
    if (folder / name).resolve() != folder / name:
        raise UserError(
            f"{folder / name}: it leads outside {folder}, so it is not opened; "
            "give the folder where the run was trained (tracking.directory=…)"
        )
    return folder / name
