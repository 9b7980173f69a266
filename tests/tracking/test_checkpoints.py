"""A checkpoint, or another file of a run, that somebody altered: refused in one line, and nothing in it runs."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from experiments.gradient.models import load_tested
from sentiment_rnn.config.sections import TrackingConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.engine.train import train
from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.checkpoints import CheckpointFiles, checkpoint_of, load_checkpoint
from sentiment_rnn.tracking.results import RecordedRun
from sentiment_rnn.tracking.store import Store, existing_store
from stored_runs import last_run

SMALL = (
    "data=generated", "data.train_reviews=120", "data.test_reviews=40", "data.max_lag=10",
    "data.batch_size=20", "encoder=rnn", "encoder.hidden_size=8", "embedding.size=8", "trainer.epochs=2",
    "trainer.threads=1", "tracking.system_metrics=false",
)  # fmt: skip


class Payload:
    """Unpickled, it makes a folder: proof that code ran."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.proof),)


@pytest.fixture
def proof(tmp_path: Path) -> Path:
    """A folder that is there once a payload has run."""
    return tmp_path / "proof"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run."""
    folder = tmp_path_factory.mktemp("trained")
    train(run_config(*SMALL, f"data.directory={folder}/data", f"tracking.directory={folder}/runs"), [])
    return folder


@pytest.fixture
def run(trained: Path) -> RecordedRun:
    """That run."""
    return RecordedRun(store_of(trained), last_run(trained)[1])


def again(one: RecordedRun) -> RecordedRun:
    """The run as the store has it now."""
    return RecordedRun(one.store, one.store.client.get_run(one.run_id))


def artifact(one: RecordedRun, name: str) -> Path:
    """Where an artifact of a run lies."""
    return Path(one.store.client.get_run(one.run_id).info.artifact_uri.removeprefix("file://"), name)


def store_of(folder: Path) -> Store:
    """The store that commands use in `folder`."""
    return existing_store(TrackingConfig(uri=None, directory=str(folder / "runs"), experiment="sentiment_rnn"))


@contextmanager
def altered(path: Path) -> Iterator[Path]:
    """A file of the run, which is as it was after the block."""
    before = path.read_bytes()
    try:
        yield path
    finally:
        path.write_bytes(before)


def test_a_study_refuses_a_planted_checkpoint(run: RecordedRun, proof: Path) -> None:
    with altered(checkpoint_of(run)) as path:
        torch.save({**torch.load(path, weights_only=True), "extra": Payload(proof)}, path)
        with pytest.raises(UserError, match=r"\.ckpt: not loaded") as refused:
            load_tested(run)
    assert "\n" not in str(refused.value)
    assert not proof.exists()
    assert load_tested(run).training is False


def test_a_moved_store_keeps_its_checkpoints(run: RecordedRun, tmp_path: Path) -> None:
    shutil.copytree(run.store.directory / "checkpoints", tmp_path / "checkpoints")
    moved = replace(run.store, directory=tmp_path)
    assert load_tested(replace(run, store=moved)).training is False


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04 cut off", {"state_dict": 1}], ids=str)
def test_a_damaged_checkpoint_is_one_line(content: object, tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(UserError, match=r"last\.ckpt: not loaded; it is damaged"):
        load_checkpoint(path)


def test_a_checkpoint_that_cannot_be_written_is_one_line_and_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    CheckpointFiles().save_checkpoint({"state_dict": {}, "epoch": 1}, path)
    path.with_name("last.ckpt.partial").mkdir()
    with pytest.raises(UserError, match=r"last\.ckpt: cannot be written \(Is a directory\); mend that"):
        CheckpointFiles().save_checkpoint({"state_dict": {}, "epoch": 2}, path)
    assert load_checkpoint(path)["epoch"] == 1


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("/other/machine/checkpoints/a/best.ckpt", "{home}/best.ckpt"),
        ("{home}/../../victim/file", ""),
    ],
)
def test_paths_in_a_checkpoint_are_taken_by_their_file_name_alone(written: str, read: str, tmp_path: Path) -> None:
    path, expected = written.format(home=tmp_path), read.format(home=tmp_path)
    state = {"dirpath": "/other/machine", "best_model_path": path, "kth_best_model_path": path,
             "best_k_models": {path: 0.5}, "last_model_path": path}  # fmt: skip
    last = tmp_path / "last.ckpt"
    CheckpointFiles().save_checkpoint({"state_dict": {}, "callbacks": {"ModelCheckpoint": state}}, last)
    found = CheckpointFiles().load_checkpoint(last)["callbacks"]["ModelCheckpoint"]
    assert found == {"dirpath": str(tmp_path), "best_model_path": expected, "kth_best_model_path": expected,
                     "best_k_models": {expected: 0.5}, "last_model_path": expected}  # fmt: skip


@pytest.mark.parametrize("target", ["planted.Module", "os.getcwd"])
def test_code_that_a_runs_configuration_names_is_neither_imported_nor_called(
    target: str, run: RecordedRun, proof: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = f"import os; os.mkdir({str(proof)!r}); from torch.nn import Identity as Module"
    (tmp_path / "planted.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    expected = "expected the class" if target == "os.getcwd" else "import planted first"
    with altered(artifact(run, "config.yaml")) as path:
        settings = yaml.safe_load(path.read_text())
        settings["encoder"]["_target_"] = target
        path.write_text(yaml.safe_dump(settings))
        with pytest.raises(UserError, match=expected):
            load_tested(again(run))
    assert not proof.exists()


def test_a_configuration_or_predictions_that_hold_code_are_refused(run: RecordedRun, proof: Path) -> None:
    with altered(artifact(run, "config.yaml")) as path:
        path.write_text(f"seed: !!python/object/apply:os.mkdir ['{proof}']\n")
        with pytest.raises(UserError, match="is damaged") as configuration:
            _ = again(run).config
    with altered(artifact(run, "predictions/test.npz")) as path:
        np.savez(path, probabilities=np.array([Payload(proof)], dtype=object))
        with pytest.raises(UserError, match="predictions") as predictions:
            _ = again(run).predictions
    assert "\n" not in f"{configuration.value}{predictions.value}"
    assert not proof.exists()
