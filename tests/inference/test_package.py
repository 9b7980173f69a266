"""The packaged model's files: a round trip, and everything that does not fit refused without running anything."""

import hashlib
import json
import os
import pickle
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from encoder_targets import TARGETS
from sentiment_rnn.errors import UserError
from sentiment_rnn.inference.package import Package, read_backbone, read_package, write_package
from sentiment_rnn.inference.predictor import Predictor
from sentiment_rnn.model.network import SentimentNetwork


@pytest.fixture
def folder(build_package: Callable[..., Package], tmp_path: Path) -> Path:
    """The files of a package."""
    write_package(build_package(), tmp_path / "package")
    return tmp_path / "package"


TEXTS = ["the film was good .", "awful , awful !", "a long film and i liked it"]


@pytest.mark.parametrize("encoder", list(TARGETS))
@pytest.mark.parametrize("pooling", ["Last", "MeanMax"])
def test_what_is_read_back_predicts_the_same(
    build_package: Callable[..., Package], tmp_path: Path, encoder: str, pooling: str
) -> None:
    package = build_package(encoder, pooling, temperature=0.7)
    write_package(package, tmp_path / "package")
    found = read_package(tmp_path / "package")
    before, after = Predictor(package).predict(TEXTS), Predictor(found).predict(TEXTS)
    np.testing.assert_array_equal(before.probabilities, after.probabilities)
    assert found.reading == package.reading
    assert found.name == encoder
    np.testing.assert_array_equal(found.training_texts, np.sort(package.training_texts))


def test_reading_a_package_leaves_the_random_numbers_of_the_process_as_they_were(folder: Path) -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    read_package(folder)
    assert torch.equal(torch.rand(3), expected)


def test_the_files_are_text_and_safetensors_alone(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [
        "model.json", "training_texts.safetensors", "vocabulary.txt", "weights.safetensors",
    ]  # fmt: skip


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_the_files_can_be_read_by_whoever_the_umask_lets(
    umask: int, mode: int, build_package: Callable[..., Package], tmp_path: Path
) -> None:
    before = os.umask(umask)
    try:
        write_package(build_package(), tmp_path / "package")
    finally:
        os.umask(before)
    assert {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "package").iterdir()} == dict.fromkeys(
        ("model.json", "training_texts.safetensors", "vocabulary.txt", "weights.safetensors"), mode
    )


class Bomb:
    """Pickled, it makes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("name", ["weights.safetensors", "training_texts.safetensors", "model.json", "vocabulary.txt"])
@pytest.mark.parametrize("writer", [pickle.dump, torch.save])
def test_a_pickle_in_place_of_a_file_is_refused_and_does_not_run(
    folder: Path, tmp_path: Path, name: str, writer: Callable[..., None]
) -> None:
    with (folder / name).open("wb") as handle:
        writer({"backbone.embedding.weight": Bomb(tmp_path / "ran")}, handle)
    if name != "model.json":
        sign(folder)  # as who planted it would
    with pytest.raises(UserError) as error:
        read_package(folder)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["weights.safetensors", "training_texts.safetensors", "model.json", "vocabulary.txt"])
def test_a_missing_a_cut_and_an_empty_file_are_refused(folder: Path, tmp_path: Path, name: str) -> None:
    whole = (folder / name).read_bytes()
    for content in (b"", whole[: len(whole) // 2]):
        (folder / name).write_bytes(content)
        with pytest.raises(UserError, match=f"{name}|not a packaged model, or damaged"):
            read_package(folder)
        if name != "model.json":
            sign(folder)
            with pytest.raises(UserError, match=r"damaged|Missing key|11 tokens, and the model has 20"):
                read_package(folder)
    (folder / name).unlink()
    with pytest.raises(UserError, match=f"{name}: missing"):
        read_package(folder)


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


@pytest.mark.parametrize("signed", [False, True])
def test_a_vocabulary_of_another_length_is_refused(folder: Path, signed: bool) -> None:
    with (folder / "vocabulary.txt").open("a") as handle:
        handle.write("more\n")
    if signed:
        sign(folder)
    with pytest.raises(UserError, match="tokens, and the model has" if signed else "it was altered"):
        read_package(folder)


def test_a_vocabulary_in_another_order_is_refused(folder: Path) -> None:
    path = folder / "vocabulary.txt"
    path.write_text("".join(f"{token}\n" for token in reversed(path.read_text().split())))
    with pytest.raises(UserError, match="it was altered"):
        read_package(folder)
    sign(folder)
    with pytest.raises(UserError, match="does not begin with <pad>"):
        read_package(folder)


def test_the_weights_of_another_run_are_refused(
    folder: Path, build_package: Callable[..., Package], tmp_path: Path
) -> None:
    other = build_package()
    torch.nn.init.ones_(other.model.output.weight)
    write_package(other, tmp_path / "other")
    shutil.copy(tmp_path / "other" / "weights.safetensors", folder)
    with pytest.raises(UserError, match="it was altered"):
        read_package(folder)


def test_a_weight_that_is_no_number_is_refused(folder: Path) -> None:
    weights = load_file(folder / "weights.safetensors")
    save_file(weights | {"output.bias": torch.tensor([float("nan")])}, folder / "weights.safetensors")
    sign(folder)
    with pytest.raises(UserError, match="no number"):
        read_package(folder)
    save_file(
        weights | {"backbone.embedding.weight": torch.full((20, 3), float("nan"))}, folder / "weights.safetensors"
    )
    sign(folder)
    with pytest.raises(UserError, match="no number"):
        read_backbone(folder)


@pytest.mark.parametrize("found", [torch.zeros(3), torch.zeros((1, 3), dtype=torch.int64)])
@pytest.mark.parametrize("read", [read_package, read_backbone])
def test_training_texts_that_are_no_fingerprints_are_refused(
    folder: Path, read: Callable[[Path], object], found: torch.Tensor
) -> None:
    save_file({"fingerprints": found}, folder / "training_texts.safetensors")
    sign(folder)
    with pytest.raises(UserError, match="fingerprints of type"):
        read(folder)


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


def test_a_tokenizer_of_ones_own_is_loaded_where_it_was_imported_and_only_there(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_words.py").write_text(
        f"import pathlib; pathlib.Path({str(tmp_path / 'ran')!r}).touch()\n"
        "from sentiment_rnn.data.tokenizer import tokenizer\n@tokenizer\ndef words(text): return text.split('-')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    change(folder, "tokenizer", value="my_words.words")
    with pytest.raises(UserError, match="import my_words first"):
        read_package(folder)
    assert not (tmp_path / "ran").exists()
    import_module("my_words")
    tokenizer = read_package(folder).tokenizer
    assert tokenizer.decode(tokenizer.encode("good-film-Good")) == ["good", "film", "<unk>"]
    sys.modules.pop("my_words")


def test_a_package_of_version_0_3_is_refused_in_one_line(folder: Path) -> None:
    change(folder, "format", value=1)
    change(folder, "version", value="0.3.0")
    with pytest.raises(UserError) as refused:
        read_package(folder)
    assert str(refused.value) == (
        f"{folder}: a model of format 1, made by version 0.3.0; this version reads format 2; "
        "train again, or use that version"
    )


@pytest.mark.parametrize(
    ("keys", "value", "said"),
    [
        (("model", "encoder", "hidden_size"), 9, "size mismatch for .* was altered"),
        (("model", "encoder", "hidden_size"), 10**7, "damaged"),
        (("model", "encoder", "layers"), 2, "Missing key"),
        (("model", "encoder", "layers"), 10**9, "model.json"),
        (("model", "encoder", "name"), None, "model.json"),
        (("reading", "max_tokens"), 10**30, "model.json"),
        (("reading", "temperature"), float("inf"), "model.json"),
        (("reading", "run"), 5, "model.json"),
        (("model", "embedding", "size"), 7, "size mismatch"),
        (("model", "encoder", "_target_"), "sentiment_rnn.model.encoders.Rnn", "size mismatch"),
        (("model", "encoder", "_target_"), "os.system", "no torch module"),
        (("model", "encoder", "_target_"), "subprocess.Popen", "no torch module"),
        (("model", "encoder", "_target_"), "nowhere.Encoder", "of another package"),
        (("model", "encoder", "_target_"), "antigravity.Encoder", "of another package"),
        (("model", "encoder", "_target_"), 5, "AttributeError"),
        (("model", "encoder"), {}, "KeyError"),
        (("format",), 99, "format 99"),
        (("format",), 0, "reads format 2"),
        (("tokenizer",), "nowhere.split", "of another package; import nowhere first"),
        (("tokenizer",), "antigravity.split", "of another package"),
        (("tokenizer",), "words", "of another package"),
        (("tokenizer",), 5, "AttributeError"),
        (("model", "encoder", "forget_gate"), 1.0, "unexpected keyword"),
        (("reading", "keep"), "middle", "model.json: reading.keep: String should match pattern .*; it was"),
        (("reading", "shuffle_span"), -1, "model.json"),
        (("reading", "temperature"), 0, "model.json"),
        (("reading", "temperature"), True, "model.json"),
        (("reading", "temperature"), "1", "model.json"),
        (("reading", "label"), 5, "model.json"),
        (("model", "encoder", "name"), "\x1b[31m", "model.json"),
        (("model", "encoder", "name"), 5, "AttributeError"),
        (("model", "encoder", "layers"), json.loads(500 * "[" + 500 * "]"), "TypeError"),
        (("reading", "max_tokens"), "many", "model.json"),
        (("reading", "more"), 1, "reading.more: Unexpected keyword"),
        (("model",), [], "TypeError"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(
    folder: Path, keys: tuple[str, ...], value: object, said: str
) -> None:
    change(folder, *keys, value=value)
    with pytest.raises(UserError, match=said) as refused:
        read_package(folder)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 1000


@pytest.mark.parametrize(("label", "shown"), [("LSTM, 2\xa0layers", r"LSTM, 2\xa0layers"), ("\x1b[2J", r"\x1b[2J")])
def test_a_label_with_signs_that_a_terminal_does_not_print_is_read_and_shown(
    folder: Path, label: str, shown: str
) -> None:
    change(folder, "reading", "label", value=label)
    assert read_package(folder).label == shown


def test_a_description_that_is_nested_without_end_is_refused(folder: Path) -> None:
    (folder / "model.json").write_text(100_000 * "[")
    with pytest.raises(UserError, match="not a packaged model, or damaged"):
        read_package(folder)


def test_what_a_file_says_to_a_terminal_is_shown_and_not_said(folder: Path) -> None:
    change(folder, "format", value=99)
    change(folder, "version", value="\x1b[2J\x07 9.0\n")
    with pytest.raises(UserError, match="made by version") as refused:
        read_package(folder)
    assert r"\x1b[2J\x07 9.0\n;" in str(refused.value)


@pytest.mark.parametrize("name", ["output.bias", "backbone.embedding.weight"])
def test_weights_of_another_shape_or_name_are_refused(folder: Path, name: str) -> None:
    weights = load_file(folder / "weights.safetensors")
    save_file(weights | {name: torch.zeros(3, 3)}, folder / "weights.safetensors")
    sign(folder)
    with pytest.raises(UserError, match=f"size mismatch for {name}"):
        read_package(folder)
    del weights[name]
    save_file(weights | {"other": torch.zeros(1)}, folder / "weights.safetensors")
    sign(folder)
    with pytest.raises(UserError, match=f"Missing key.*{name}"):
        read_package(folder)


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="missing"):
        read_package(tmp_path / "nowhere")


def test_a_package_is_not_written_over_another(folder: Path, build_package: Callable[..., Package]) -> None:
    with pytest.raises(FileExistsError):
        write_package(build_package(), folder)
    shutil.rmtree(folder)
    write_package(build_package(), folder)


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
    model = build_package().model
    settings = {**model.description, "encoder": {"_target_": f"{__name__}.Turning", "name": "turning"}}
    model = SentimentNetwork(**settings)
    write_package(replace(build_package(), model=model), tmp_path / "package")
    read = read_package(tmp_path / "package").model.state_dict()
    for name, value in model.state_dict().items():
        assert torch.equal(read[name], value), name


@pytest.mark.parametrize(("name", "probability"), [("lru", 0.50313282), ("lstm", 0.49486741)])
def test_a_model_that_an_earlier_commit_packaged_still_predicts_the_same(name: str, probability: float) -> None:
    package = read_package(Path(__file__).parent / "packaged" / name)
    text = "the seating was rather awful but i really liked the movie ."
    assert Predictor(package).predict([text]).probabilities[0] == pytest.approx(probability, abs=1e-6)
