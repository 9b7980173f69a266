"""The checkpoint from which a run resumes: it is of the last epoch, and names no file outside its folder."""

from pathlib import Path
from typing import Any

import pytest
import torch
from mlflow import MlflowClient

from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.checkpoints import interrupted_checkpoint
from sentiment_rnn.tracking.store import Store


def store_with(folder: Path, **changed: Any) -> Store:
    """A store with the last checkpoint of the run `a`; `changed` alters the state of its ModelCheckpoint."""
    run = folder / "checkpoints" / "a"
    run.mkdir(parents=True)
    best = str(run / "best.ckpt")
    state = {"dirpath": str(run), "best_model_path": best, "kth_best_model_path": best, "best_k_models": {best: 0.5},
             "last_model_path": ""}  # fmt: skip
    torch.save({"state_dict": {}, "callbacks": {"ModelCheckpoint": state | changed}}, run / "last.ckpt")
    return Store(MlflowClient("http://127.0.0.1:9"), "http://127.0.0.1:9", "0", folder)


def test_a_checkpoint_that_names_its_own_folder_is_taken(tmp_path: Path) -> None:
    assert interrupted_checkpoint(store_with(tmp_path), "a") == tmp_path / "checkpoints" / "a" / "last.ckpt"


@pytest.mark.parametrize("key", ["best_model_path", "kth_best_model_path", "last_model_path", "best_k_models"])
def test_a_checkpoint_that_names_a_file_elsewhere_is_refused(key: str, tmp_path: Path) -> None:
    elsewhere = str(tmp_path / "checkpoints" / "a" / ".." / ".." / "victim" / "file")
    changed = {elsewhere: 0.1} if key == "best_k_models" else elsewhere
    with pytest.raises(UserError, match=r"written in .*, and a run resumes only there"):
        interrupted_checkpoint(store_with(tmp_path, **{key: changed}), "a")
