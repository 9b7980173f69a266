"""The checkpoints of a run: the one that was tested, and the one from which it resumes.

They are in the run's own folder.
"""

import logging
import zipfile
from pathlib import Path

from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.checkpoint_files import LAST, PREVIOUS, folder_of, load_checkpoint, note_of_pruning
from sentiment_rnn.tracking.names import CHECKPOINT_TAG
from sentiment_rnn.tracking.results import RunResult
from sentiment_rnn.tracking.store import Store

log = logging.getLogger("sentiment_rnn")


def files_of(store: Store, run_id: str) -> list[Path]:
    """Paths of a run's checkpoints, by name: plain files in its own folder; links are left out."""
    folder = folder_of(store, "").resolve() / run_id
    if folder.resolve() != folder:
        return []
    return sorted(path for path in folder.glob("*.ckpt") if path.is_file() and not path.is_symlink())


def checkpoint_of(result: RunResult) -> Path:
    """Path of the checkpoint that was tested; raises `UserError` where there is none, or it is a link away."""
    if CHECKPOINT_TAG not in result.tags:
        raise UserError(f"run {result.run_id}: it recorded no checkpoint; train again with tracking.repeat=true")
    name = Path(result.tags[CHECKPOINT_TAG]).name
    return _own(result.store, result.run_id, name)


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
    if note := note_of_pruning(folder_of(store, run_id)):
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
    folder = folder_of(store, "").resolve() / run_id
    if (folder / name).resolve() != folder / name:
        raise UserError(
            f"{folder / name}: it leads outside {folder}, so it is not opened; "
            "give the folder where the run was trained (tracking.directory=…)"
        )
    return folder / name
