"""The checkpoint from which a run resumes: the last whole one, and no path in it leads out of its folder."""

from pathlib import Path
from typing import Any

import pytest
import torch
from mlflow import MlflowClient

from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.checkpoints import CheckpointFiles, interrupted_checkpoint
from sentiment_rnn.tracking.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store in which the run `a` has two checkpoints, of 1 and of 2."""
    for value in (1, 2):
        CheckpointFiles().save_checkpoint({"state_dict": {"weight": torch.full((9,), value)}}, last_of(tmp_path))
    return Store(MlflowClient("http://127.0.0.1:9"), "sqlite:///not-asked", "0", tmp_path)


def last_of(folder: Path) -> Path:
    """The last checkpoint of the run `a`."""
    return folder / "checkpoints" / "a" / "last.ckpt"


def weight_in(path: Path | None) -> float | None:
    """The weight in a checkpoint."""
    return path and CheckpointFiles().load_checkpoint(path)["state_dict"]["weight"][0].item()


def cut(path: Path) -> None:
    """As a copy that broke off."""
    path.write_bytes(path.read_bytes()[:-40])


def flip(path: Path) -> None:
    """One bit of a weight, as a bad disk may."""
    content = bytearray(path.read_bytes())
    content[content.index(torch.full((9,), weight_in(path)).to(torch.int64).numpy().tobytes())] ^= 1
    path.write_bytes(content)


def test_a_run_resumes_from_its_last_checkpoint(store: Store, tmp_path: Path) -> None:
    assert interrupted_checkpoint(store, "a") == last_of(tmp_path)
    assert weight_in(last_of(tmp_path)) == 2


@pytest.mark.parametrize("damage", [cut, flip, lambda path: path.write_bytes(b""), Path.unlink])
def test_the_checkpoint_before_is_taken_where_the_last_is_damaged(
    damage: Any, store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    damage(last_of(tmp_path))
    assert weight_in(interrupted_checkpoint(store, "a")) == 1
    if damage is not Path.unlink:
        assert f"{last_of(tmp_path)}: damaged" in caplog.text
        assert "resumes from the checkpoint before" in caplog.text
    # The next checkpoint does not put the damaged one in its place.
    CheckpointFiles().save_checkpoint({"state_dict": {"weight": torch.full((9,), 3)}}, last_of(tmp_path))
    last_of(tmp_path).unlink()
    assert weight_in(interrupted_checkpoint(store, "a")) == 1


def test_a_file_system_without_links_keeps_the_checkpoint_before_as_well(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr("os.link", refuse)
    CheckpointFiles().save_checkpoint({"state_dict": {"weight": torch.full((9,), 3)}}, last_of(tmp_path))
    assert weight_in(last_of(tmp_path)) == 3
    assert weight_in(last_of(tmp_path).with_name("previous.ckpt")) == 2


def test_a_run_starts_from_the_beginning_where_both_are_damaged(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cut(last_of(tmp_path))
    cut(last_of(tmp_path).with_name("previous.ckpt"))
    assert interrupted_checkpoint(store, "a") is None
    assert "run a: no checkpoint is whole, so it starts from the beginning" in caplog.text


def test_a_run_without_a_checkpoint_starts_without_a_word(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    assert interrupted_checkpoint(store, "b") is None
    assert not caplog.text


def test_a_checkpoint_that_cannot_be_written_is_one_line_and_leaves_the_last_one(store: Store, tmp_path: Path) -> None:
    last_of(tmp_path).with_name("last.ckpt.partial").mkdir()
    with pytest.raises(UserError, match=r"last\.ckpt: cannot be written \(Is a directory\); mend that"):
        CheckpointFiles().save_checkpoint({"state_dict": {}}, last_of(tmp_path))
    assert weight_in(last_of(tmp_path)) == 2


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("{home}/best.ckpt", "{home}/best.ckpt"),
        ("/other/machine/checkpoints/a/best.ckpt", "{home}/best.ckpt"),
        ("C:\\runs\\checkpoints\\a\\best.ckpt", "{home}/best.ckpt"),
        ("{home}/../../victim/file", ""),
        ("{home}/..", ""),
        ("", ""),
    ],
)
def test_paths_in_a_checkpoint_are_taken_by_their_file_name_alone(written: str, read: str, tmp_path: Path) -> None:
    home = last_of(tmp_path).parent
    path, expected = written.format(home=home), read.format(home=home)
    state = {"dirpath": "/other/machine", "best_model_path": path, "kth_best_model_path": path,
             "best_k_models": {path: 0.5}, "last_model_path": path}  # fmt: skip
    CheckpointFiles().save_checkpoint({"state_dict": {}, "callbacks": {"ModelCheckpoint": state}}, home / "last.ckpt")
    found = CheckpointFiles().load_checkpoint(home / "last.ckpt")["callbacks"]["ModelCheckpoint"]
    assert found == {"dirpath": str(home), "best_model_path": expected, "kth_best_model_path": expected,
                     "best_k_models": {expected: 0.5}, "last_model_path": expected}  # fmt: skip
