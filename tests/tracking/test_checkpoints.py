"""A checkpoint, or another file of a run, that somebody altered: refused in one line, and nothing in it runs."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from sentiment_rnn.config.store import run_config
from sentiment_rnn.config.tracking import TrackingConfig
from sentiment_rnn.errors import UserError
from sentiment_rnn.runs import restored
from sentiment_rnn.runs.engine import train
from sentiment_rnn.tracking.checkpoints import interrupted_checkpoint, load_checkpoint
from sentiment_rnn.tracking.names import CHECKPOINT_TAG
from sentiment_rnn.tracking.results import RunResult, result_of
from sentiment_rnn.tracking.store import Store, open_store
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
def run(trained: Path) -> RunResult:
    """That run."""
    return result_of(store_of(trained), last_run(trained)[1])


def again(one: RunResult) -> RunResult:
    """The run as the store has it now."""
    return result_of(one.store, one.store.client.get_run(one.run_id))


def artifact(one: RunResult, name: str) -> Path:
    """Where an artifact of a run lies."""
    return Path(one.store.client.get_run(one.run_id).info.artifact_uri.removeprefix("file://"), name)


def store_of(folder: Path) -> Store:
    """The store that commands use in `folder`."""
    return open_store(
        TrackingConfig(uri=None, directory=str(folder / "runs"), experiment="sentiment_rnn"), create=False
    )


def plant(path: Path, proof: Path) -> bytes:
    """Put a payload into a checkpoint, beside its true content; what the file was before."""
    before = path.read_bytes()
    torch.save({**torch.load(path, weights_only=True), "extra": Payload(proof)}, path)
    return before


def test_a_payload_runs_where_nothing_stops_it(proof: Path, tmp_path: Path) -> None:
    torch.save(Payload(proof), tmp_path / "planted.ckpt")
    torch.load(tmp_path / "planted.ckpt", weights_only=False)
    assert proof.exists()  # else the tests below could not fail


def test_a_study_refuses_a_planted_checkpoint(run: RunResult, proof: Path) -> None:
    path = Path(run.tags[CHECKPOINT_TAG])
    before = plant(path, proof)
    try:
        with pytest.raises(UserError, match=r"\.ckpt: not loaded") as refused:
            restored.load_tested(run)
    finally:
        path.write_bytes(before)
    assert "\n" not in str(refused.value)
    assert not proof.exists()
    assert restored.load_tested(run).training is False


def test_a_run_does_not_resume_from_a_planted_checkpoint(
    run: RunResult, proof: Path, caplog: pytest.LogCaptureFixture
) -> None:
    last = run.store.checkpoints / run.run_id / "last.ckpt"
    before = plant(last, proof)
    try:
        assert interrupted_checkpoint(run.store, run.run_id) is None
    finally:
        last.write_bytes(before)
    assert f"{last}: damaged (Weights only load failed" in caplog.text
    assert "no checkpoint is whole, so it starts from the beginning" in caplog.text
    assert not proof.exists()


@pytest.mark.parametrize("elsewhere", ["other.ckpt", "runs/../other.ckpt", "../other.ckpt"])
def test_a_path_outside_the_runs_folder_that_a_tag_names_is_not_opened(
    elsewhere: str, run: RunResult, trained: Path, proof: Path
) -> None:
    torch.save(Payload(proof), trained / "other.ckpt")
    run.store.client.set_tag(run.run_id, CHECKPOINT_TAG, str(trained / elsewhere))
    try:
        altered = again(run)
        with pytest.raises(UserError, match=rf"{run.run_id}/other\.ckpt: this checkpoint is gone"):
            restored.load_tested(altered)
    finally:
        run.store.client.set_tag(run.run_id, CHECKPOINT_TAG, run.tags[CHECKPOINT_TAG])
    assert not proof.exists()


@pytest.mark.parametrize("name", ["best.ckpt", "last.ckpt"])
def test_a_link_out_of_the_runs_folder_is_not_followed(name: str, run: RunResult, trained: Path, proof: Path) -> None:
    store = run.store
    folder = store.checkpoints / run.run_id
    torch.save(Payload(proof), trained / "outside.ckpt")
    kept = (folder / name).rename(folder / "kept") if (folder / name).exists() else None
    (folder / name).symlink_to(trained / "outside.ckpt")
    store.client.set_tag(run.run_id, CHECKPOINT_TAG, str(folder / "best.ckpt"))
    try:
        altered = again(run)
        opened: dict[str, Callable[[], object]] = {
            "best.ckpt": lambda: restored.load_tested(altered),
            "last.ckpt": lambda: interrupted_checkpoint(store, run.run_id),
        }
        with pytest.raises(UserError, match=rf"{name}: it leads outside"):
            opened[name]()
    finally:
        (folder / name).unlink()
        if kept:
            kept.rename(folder / name)
        store.client.set_tag(run.run_id, CHECKPOINT_TAG, run.tags[CHECKPOINT_TAG])
    assert not proof.exists()


def test_a_run_id_of_a_server_cannot_lead_out_of_the_store(run: RunResult) -> None:
    (run.store.directory / "last.ckpt").write_bytes(b"")
    with pytest.raises(UserError, match="leads outside"):
        interrupted_checkpoint(run.store, "..")


def test_a_moved_store_keeps_its_checkpoints(run: RunResult, tmp_path: Path) -> None:
    shutil.copytree(run.store.directory / "checkpoints", tmp_path / "checkpoints")
    moved = replace(run.store, directory=tmp_path)
    assert restored.load_tested(replace(run, store=moved)).training is False
    assert interrupted_checkpoint(moved, run.run_id) == tmp_path / "checkpoints" / run.run_id / "last.ckpt"


def test_a_run_without_a_checkpoint_is_one_line(run: RunResult) -> None:
    run.store.client.delete_tag(run.run_id, CHECKPOINT_TAG)
    try:
        with pytest.raises(UserError, match="recorded no checkpoint"):
            restored.load_tested(again(run))
    finally:
        run.store.client.set_tag(run.run_id, CHECKPOINT_TAG, run.tags[CHECKPOINT_TAG])


@pytest.mark.parametrize(
    "content", [b"", b"no checkpoint", b"PK\x03\x04 cut off", b"\x80\x02h.", {}, [1], {"state_dict": 1}], ids=str
)
def test_a_damaged_checkpoint_is_one_line(content: object, tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(UserError, match=r"last\.ckpt: not loaded; it is damaged"):
        load_checkpoint(path)


def test_a_checkpoint_of_version_0_3_is_one_line(tmp_path: Path) -> None:
    # Under torch 2.3 the one-cycle schedule's state held a bound function, which a pickle stores as getattr.
    schedule = torch.optim.lr_scheduler.OneCycleLR(torch.optim.SGD([torch.zeros(1)], lr=1.0), 1.0, total_steps=2)
    torch.save({"lr_schedulers": [{"anneal_func": schedule.get_last_lr}]}, tmp_path / "old.ckpt")
    with pytest.raises(UserError, match=r"as checkpoints of version 0\.3 did; delete it and train again"):
        load_checkpoint(tmp_path / "old.ckpt")


@pytest.mark.parametrize("part", ["encoder", "pooling"])
@pytest.mark.parametrize("target", ["planted.Module", "planted:Module", "os.getcwd"])
def test_code_that_a_runs_configuration_names_is_neither_imported_nor_called(
    target: str, part: str, run: RunResult, proof: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = f"import os; os.mkdir({str(proof)!r}); from torch.nn import Identity as Module"
    (tmp_path / "planted.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    path = artifact(run, "config.yaml")
    before = path.read_text()
    settings = yaml.safe_load(before)
    settings[part]["_target_"] = target
    path.write_text(yaml.safe_dump(settings))
    try:
        expected = "expected the class" if target == "os.getcwd" else "import planted first"
        with pytest.raises(UserError, match=expected):
            restored.load_tested(again(run))
    finally:
        path.write_text(before)
    assert not proof.exists()


def test_what_a_checkpoint_says_of_its_model_is_not_believed(run: RunResult) -> None:
    path = Path(run.tags[CHECKPOINT_TAG])
    before = path.read_bytes()
    content = torch.load(path, weights_only=True)
    content["hyper_parameters"]["encoder"]["_target_"] = "os.mkdir"
    content["hyper_parameters"]["_instantiator"] = "os.mkdir"
    torch.save(content, path)
    try:
        assert restored.load_tested(run).training is False
    finally:
        path.write_bytes(before)


def test_a_configuration_that_names_code_is_refused(run: RunResult, proof: Path) -> None:
    path = artifact(run, "config.yaml")
    before = path.read_text()
    path.write_text(f"seed: !!python/object/apply:os.mkdir ['{proof}']\n")
    try:
        with pytest.raises(UserError, match=r"its config\.yaml is damaged") as refused:
            again(run)
    finally:
        path.write_text(before)
    assert "\n" not in str(refused.value)
    assert not proof.exists()


def test_planted_predictions_are_refused(run: RunResult, proof: Path) -> None:
    path = artifact(run, "predictions/test.npz")
    before = path.read_bytes()
    np.savez(path, probabilities=np.array([Payload(proof)], dtype=object))
    try:
        with pytest.raises(UserError, match="predictions") as refused:
            _ = again(run).predictions
    finally:
        path.write_bytes(before)
    assert "\n" not in str(refused.value)
    assert not proof.exists()
