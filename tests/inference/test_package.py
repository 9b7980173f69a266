"""A packaged model promises its user the predictions of the run that made it, and that reading one runs no code of a
stranger's: what does not fit is one line."""

import hashlib
import json
import os
import pickle
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from encoder_targets import TARGETS
from sentiment_rnn.errors import UserError
from sentiment_rnn.inference.package import Package, read_backbone, read_package, restored, write_package
from sentiment_rnn.inference.predictor import Predictor
from sentiment_rnn.model.network import SentimentNetwork


@pytest.fixture
def folder(build_package: Callable[..., Package], tmp_path: Path) -> Path:
    """The files of a package."""
    before = os.umask(0o022)
    write_package(build_package(), tmp_path / "package")
    os.umask(before)
    return tmp_path / "package"


TEXTS = ["the film was good .", "awful , awful !", "a long film and i liked it"]


@pytest.mark.parametrize("encoder", list(TARGETS))
@pytest.mark.parametrize("pooling", ["Last", "MeanMax"])
def test_what_is_read_back_predicts_the_same(
    build_package: Callable[..., Package], tmp_path: Path, encoder: str, pooling: str
) -> None:
    package = build_package(encoder, pooling, temperature=0.7)
    write_package(package, tmp_path / "package")
    read = read_package(tmp_path / "package")
    before, after = Predictor(package).predict(TEXTS), Predictor(read).predict(TEXTS)
    np.testing.assert_array_equal(before.probabilities, after.probabilities)
    assert read.reading == package.reading
    assert read.name == encoder
    np.testing.assert_array_equal(read.training_texts, np.sort(package.training_texts))
    backbone = read_backbone(tmp_path / "package")
    package.model.backbone.load_state_dict(restored(backbone.weights, package.model.backbone))
    assert backbone.settings["encoder"]["name"] == encoder


class Bomb:
    """Pickled, it makes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.path),)


def change(folder: Path, *keys: str, value: object) -> None:
    """Write another value into `model.json`."""
    about = json.loads((folder / "model.json").read_text())
    place = about
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    (folder / "model.json").write_text(json.dumps(about))


def sign(folder: Path) -> None:
    """Have `model.json` speak of the files as they are now."""
    for name in ("vocabulary.txt", "weights.safetensors", "training_texts.safetensors"):
        change(folder, "sha256", name, value=hashlib.sha256((folder / name).read_bytes()).hexdigest())


def test_an_encoder_of_ones_own_is_loaded_where_it_was_imported_and_only_there(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text(
        f"import pathlib; pathlib.Path({str(tmp_path / 'ran')!r}).touch()\n"
        "from sentiment_rnn.model.encoders import Lstm\nclass Mine(Lstm): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mine", raising=False)  # of another test
    change(folder, "model", "encoder", "_target_", value="mine.Mine")
    with pytest.raises(UserError, match="import mine first"):
        read_package(folder)
    assert not (tmp_path / "ran").exists()
    import_module("mine")
    assert type(read_package(folder).model.backbone.encoder).__name__ == "Mine"
    sys.modules.pop("mine")


@pytest.mark.parametrize("name", ["weights.safetensors", "training_texts.safetensors", "model.json", "vocabulary.txt"])
def test_a_file_that_is_missing_cut_or_a_pickle_is_refused_and_does_not_run(
    folder: Path, tmp_path: Path, name: str
) -> None:
    contents = (folder / name).read_bytes()
    for content in (contents[: len(contents) // 2], pickle.dumps({"output.bias": Bomb(tmp_path / "ran")})):
        (folder / name).write_bytes(content)
        altered = "not a packaged model" if name == "model.json" else f"{name}: not that of model.json; it was altered"
        with pytest.raises(UserError, match=altered):
            read_package(folder)
        if name.endswith(".safetensors"):
            sign(folder)  # as who planted it would
            with pytest.raises(UserError, match="not a packaged model, or damaged") as refused:
                read_package(folder)
            assert "\n" not in str(refused.value)
    (folder / name).unlink()
    with pytest.raises(UserError, match=f"No such file .*{name}"):
        read_package(folder)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("model", "encoder", "hidden_size"), 9, "size mismatch"),
        (("model", "encoder", "hidden_size"), 10**7, "damaged"),
        (("model", "encoder", "layers"), 2, "Missing key"),
        (("model", "encoder", "_target_"), "os.system", "no torch module"),
        (("model", "encoder", "_target_"), "antigravity.Encoder", "of another package"),
        (("model", "encoder"), {}, "KeyError"),
        (("model", "task"), "language_model", "which judges no text"),
        (("tokenizer",), "antigravity.split", "of another package; import antigravity first"),
        (("reading", "temperature"), "1", "temperature"),
        (("reading", "more"), "\x1b[31m", "more Unexpected keyword"),
        (("format",), 1, "a model of format 1, made by version .*; this version reads format 2; train again"),
    ],
)
def test_a_description_that_does_not_fit_is_one_line(
    folder: Path, keys: tuple[str, ...], value: object, message: str
) -> None:
    change(folder, *keys, value=value)
    with pytest.raises(UserError, match=message) as refused:
        read_package(folder)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 1000


def test_the_files_can_be_read_by_whoever_the_umask_lets(folder: Path) -> None:
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o644}


class Turning(torch.nn.Module):
    """An encoder of somebody's own with a complex weight and a whole number."""

    def __init__(self, input_size: int) -> None:
        super().__init__()
        self.output_size = input_size
        self.turn = torch.nn.Parameter(torch.randn(input_size, dtype=torch.complex64))
        self.register_buffer("large", torch.tensor(2**24 + 1))

    def forward(self, embedded: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        return (embedded * self.turn).imag


def test_complex_weights_and_whole_numbers_are_kept(build_package: Callable[..., Package], tmp_path: Path) -> None:
    package = build_package()
    settings = {**package.model.description, "encoder": {"_target_": f"{__name__}.Turning", "name": "turning"}}
    model = SentimentNetwork(**settings)
    write_package(replace(package, model=model), tmp_path / "package")
    read = read_package(tmp_path / "package").model.state_dict()
    for name, value in model.state_dict().items():
        assert torch.equal(read[name], value), name


@pytest.mark.parametrize(("name", "probability"), [("lru", 0.50313282), ("lstm", 0.49486741)])
def test_a_model_that_an_earlier_commit_packaged_still_predicts_the_same(name: str, probability: float) -> None:
    package = read_package(Path(__file__).parent / "packaged" / name)
    text = "the seating was rather awful but i really liked the movie ."
    assert Predictor(package).predict([text]).probabilities[0] == pytest.approx(probability, abs=1e-6)
