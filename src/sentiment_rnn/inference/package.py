"""The files of a packaged model, written by a run and read by whoever uses it.

<folder>/
    model.json                      what the model is: sizes, which part of a text it reads, precision, temperature, and
                                    the SHA-256 of the other files
    vocabulary.txt                  a token a line, the line number being the id
    weights.safetensors             float32, by the names of the classifier's parameters; complex ones as pairs
    training_texts.safetensors      int64 [N], fingerprints of the texts that it was trained and chosen on

A language model has the same files. It judges no text: `read_package` refuses it, and `read_backbone` takes from either
kind what another model can start from.

Nothing in them is code and nothing is unpickled. What does not fit is refused before a tensor is made. The classes of
encoder and pooling are this package's; another's has to be imported by whoever loads the model, before.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pydantic
import torch
from pydantic import Field
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from sentiment_rnn import __version__
from sentiment_rnn.data.tokenizer import (
    PADDING_ID,
    SPECIALS,
    UNKNOWN_ID,
    Tokenizer,
    check_splitter,
    load_vocabulary,
    save_vocabulary,
)
from sentiment_rnn.errors import UserError, printable
from sentiment_rnn.model.network import SentimentNetwork, check_target

FORMAT = 2
ABOUT, VOCABULARY, WEIGHTS, TRAINING = (
    "model.json", "vocabulary.txt", "weights.safetensors", "training_texts.safetensors",
)  # fmt: skip
HASHED = (VOCABULARY, WEIGHTS, TRAINING)
"""Files of which the first one holds the SHA-256."""
DAMAGE = (
    LookupError, TypeError, ValueError, ArithmeticError, AttributeError, ImportError, OSError, RuntimeError,
    SafetensorError,
)  # fmt: skip
"""Exceptions that reading damaged files may raise."""
BACKBONE = "backbone."
"""Beginning of the names of the weights that no head has."""
LONGEST_REASON = 300
"""Characters of what a message repeats of a file."""
ALTERED = "was altered, or is of another model"


Positive = Annotated[int, Field(ge=1, lt=2**31)]
Count = Annotated[int, Field(ge=0, lt=2**31)]


@pydantic.dataclasses.dataclass(frozen=True, config=pydantic.ConfigDict(strict=True, extra="forbid"))
class Reading:
    """Settings, beside the weights, that turn a text into a probability; raises `pydantic.ValidationError` for values
    that do not fit."""

    max_tokens: Positive
    """Longest part of a text that is read."""
    keep: Annotated[str, Field(pattern="^(head|tail|both)$")]
    """Which part: `head`, `tail` or `both`."""
    batch_size: Positive
    """Texts in a batch."""
    precision: Annotated[str, Field(pattern="^(float32|bfloat16)$")]
    """`float32` or `bfloat16`, as in training."""
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    """Divisor of the logits (`inference.calibration`)."""
    run: str
    """Id of the MLflow run that made it; empty where there was none."""
    data: str = ""
    """Name of the source of its training texts; empty where that is not known."""
    shortest: Count = 0
    """Tokens of its shortest training text."""
    longest: Count = 0
    """Tokens of its longest training text; 0 where that is not known."""
    shuffle_span: Count = 0
    """Tokens of the stretches that it shuffles, as in training; 0 for none."""
    label: str = ""
    """The encoder's name for people; empty in a model of an earlier version."""


@dataclass(frozen=True)
class Package:
    """A model, and all that is needed to use it."""

    model: SentimentNetwork
    tokenizer: Tokenizer
    reading: Reading
    training_texts: np.ndarray
    """int64 [N], sorted fingerprints of the texts that it was trained and chosen on."""

    @property
    def name(self) -> str:
        """Name of its encoder."""
        return str(self.model.description["encoder"]["name"])

    @property
    def label(self) -> str:
        """The same for people."""
        return printable(self.reading.label) or self.name


@dataclass(frozen=True)
class TrainedBackbone:
    """What one model can start from that another has learnt."""

    settings: dict[str, Any]
    """`embedding`, `encoder` and `vocabulary_size`, as the `Backbone` has them; the `task`, empty for a classifier; and
    a classifier's `pooling`."""
    weights: dict[str, torch.Tensor]
    """As they are stored, by the names of the backbone's parameters."""
    tokenizer: Tokenizer
    training_texts: np.ndarray
    """int64 [N], sorted fingerprints of the texts that it has read."""
    run: str
    """Id of the run that made it."""
    digest: str
    """SHA-256 of its weights and its vocabulary."""


def fingerprints(documents: Iterable[np.ndarray]) -> np.ndarray:
    """int64 [N]: a digest of the token ids of each text."""
    return np.array([fingerprint(ids.astype("<i4").tobytes()) for ids in documents], dtype=np.int64)


def fingerprint(content: bytes) -> int:
    """A digest of 64 bits, signed."""
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little", signed=True)


def write_package(package: Package, folder: Path) -> None:
    """Write the four files; `folder` is made."""
    folder.mkdir(parents=True)
    save_vocabulary(package.tokenizer.vocabulary, folder / VOCABULARY)
    weights = {name: _stored(value).cpu().contiguous() for name, value in package.model.state_dict().items()}
    # Not by safetensors' `save_file`, whose files can be read by their owner alone.
    (folder / WEIGHTS).write_bytes(save(weights))
    (folder / TRAINING).write_bytes(save({"fingerprints": torch.from_numpy(np.sort(package.training_texts))}))
    about = {
        "format": FORMAT,
        "version": __version__,
        "tokenizer": package.tokenizer.name,
        "reading": asdict(package.reading),
        "model": package.model.description,
        "sha256": {name: digest_of(folder / name) for name in HASHED},
    }
    (folder / ABOUT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def digest_of(path: Path) -> str:
    """SHA-256 digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _stored(value: torch.Tensor) -> torch.Tensor:
    """What a file has of a weight or a buffer: float32, a complex one as pairs; whole numbers as they are."""
    if value.is_complex():
        return torch.view_as_real(value.to(torch.complex64))
    return value.float() if value.is_floating_point() else value


def restored(stored: Mapping[str, torch.Tensor], module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The state of a module from what a file has of it."""
    pairs = {name for name, value in module.state_dict().items() if value.is_complex()}
    return {name: torch.view_as_complex(value) if name in pairs else value for name, value in stored.items()}


def read_package(folder: Path) -> Package:
    """Read a folder that `write_package` wrote, on the CPU and ready to predict.

    Raises:
        UserError: a file is missing, damaged, or does not fit the others.
    """
    with _damage_in(folder):
        about, reading, tokenizer = _checked_files(folder)
        if about["model"].get("task"):
            raise UserError(
                f"run {reading.run}: a language model, which judges no text; a classifier starts from it with "
                f"sentiment-rnn train pretrained={reading.run}"
            )
        return Package(_load_model(about["model"], folder / WEIGHTS), tokenizer, reading, _training_texts(folder))


def read_backbone(folder: Path) -> TrainedBackbone:
    """Read what another model can start from; the folder is that of a classifier or a language model.

    Raises:
        UserError: as `read_package`.
    """
    with _damage_in(folder):
        about, reading, tokenizer = _checked_files(folder)
        settings = {"task": "", **about["model"]}
        for part in ("embedding", "encoder"):
            settings[part] = dict(settings[part])
        stored = _finite_weights(folder / WEIGHTS)
        weights = {name.removeprefix(BACKBONE): value for name, value in stored.items() if name.startswith(BACKBONE)}
        files = "".join(about["sha256"][name] for name in (VOCABULARY, WEIGHTS))
        digest = hashlib.sha256(f"{tokenizer.name} {files}".encode()).hexdigest()
        return TrainedBackbone(settings, weights, tokenizer, _training_texts(folder), reading.run, digest)


def _training_texts(folder: Path) -> np.ndarray:
    fingerprints = load_file(folder / TRAINING)["fingerprints"].numpy()
    if fingerprints.dtype != np.int64 or fingerprints.ndim != 1:
        raise ValueError(f"fingerprints of type {fingerprints.dtype}, {fingerprints.ndim} axes")
    return fingerprints


@contextmanager
def _damage_in(folder: Path) -> Iterator[None]:
    """Say of a file that is missing or damaged what it is."""
    try:
        yield
    except FileNotFoundError as error:
        raise UserError(f"{error.filename}: missing; a packaged model has {ABOUT}, {', '.join(HASHED)}") from error
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise UserError(
            f"{folder / ABOUT}: reading.{'.'.join(map(str, first['loc']))}: {first['msg']}; it {ALTERED}"
        ) from error
    except DAMAGE as error:
        reason = str(error).partition("\n")[0][:LONGEST_REASON]
        raise UserError(f"{folder}: not a packaged model, or damaged ({type(error).__name__}: {reason})") from error


def _checked_files(folder: Path) -> tuple[dict[str, Any], Reading, Tokenizer]:
    """What the first file says, how texts are read, and the vocabulary; the other files are those that it speaks of."""
    about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    if about["format"] != FORMAT:
        raise UserError(
            f"{folder}: a model of format {about['format']}, made by version {about['version']}; "
            f"this version reads format {FORMAT}; train again, or use that version"
        )
    check_splitter(about["tokenizer"])
    for name in HASHED:
        if digest_of(folder / name) != about["sha256"][name]:
            raise UserError(f"{folder / name}: not the file that {ABOUT} speaks of; it {ALTERED}")
    reading = Reading(**about["reading"])
    vocabulary = load_vocabulary(folder / VOCABULARY)
    if vocabulary.itos[:2] != SPECIALS:
        raise ValueError(f"{VOCABULARY} does not begin with {' and '.join(SPECIALS)}")
    expected = about["model"]["vocabulary_size"]
    if len(vocabulary) != expected:
        raise UserError(
            f"{folder / VOCABULARY}: {len(vocabulary):,} tokens, and the model has {expected:,}; it {ALTERED}"
        )
    return about, reading, Tokenizer(about["tokenizer"], vocabulary)


def _load_model(settings: dict[str, Any], path: Path) -> SentimentNetwork:
    for part in ("encoder", "pooling"):
        check_target(part, settings[part]["_target_"])
    weights = _finite_weights(path)
    # Each layer has weights of its own: a description can ask for any number, and making one takes time.
    name = settings["encoder"]["name"]
    if not (name and name.isprintable()) or settings["encoder"].get("layers", 1) > len(weights):
        raise ValueError(f"{ABOUT}: {settings['encoder']}")
    with torch.random.fork_rng(devices=[]):  # the draw of weights that are replaced at once
        model = SentimentNetwork(**settings, padding_id=PADDING_ID, unknown_id=UNKNOWN_ID)
    try:
        model.load_state_dict(restored(weights, model))
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:LONGEST_REASON]
        raise UserError(f"{path}: {reason}; it {ALTERED}") from error
    return model.eval()


def _finite_weights(path: Path) -> dict[str, torch.Tensor]:
    weights = load_file(path)
    if not all(value.isfinite().all() for value in weights.values()):
        raise ValueError(f"{path.name}: a weight is no number")
    return weights
