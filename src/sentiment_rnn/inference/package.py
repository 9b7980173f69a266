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
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save
from torch.overrides import TorchFunctionMode

from sentiment_rnn import __version__
from sentiment_rnn.config.data import PARTS
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
from sentiment_rnn.inference import package_files
from sentiment_rnn.inference.package_files import content_of, digest_of
from sentiment_rnn.model.components import check_target
from sentiment_rnn.model.network import SentimentNetwork

FORMAT = 2
ABOUT, VOCABULARY, WEIGHTS, TRAINING = (
    "model.json", "vocabulary.txt", "weights.safetensors", "training_texts.safetensors",
)  # fmt: skip
HASHED = {VOCABULARY: package_files.VOCABULARY, WEIGHTS: package_files.WEIGHTS, TRAINING: package_files.TEXTS}
"""Files of which the first one holds the SHA-256, and how many bytes they have at most."""
DAMAGE = (
    LookupError, TypeError, ValueError, ArithmeticError, AttributeError, ImportError, OSError, RuntimeError,
    SafetensorError,
)  # fmt: skip
"""Exceptions that reading damaged files may raise."""
BACKBONE = "backbone."
"""Beginning of the names of the weights that no head has."""
HIGHEST_TEMPERATURE = 1e6
LONGEST_REASON = 300
"""Characters of what a message repeats of a file."""
ALTERED = "was altered, or is of another model"


@dataclass(frozen=True)
class Reading:
    """Settings, beside the weights, that turn a text into a probability."""

    max_tokens: int
    """Longest part of a text that is read."""
    keep: str
    """Which part: `head`, `tail` or `both`."""
    batch_size: int
    """Texts in a batch."""
    precision: str
    """`float32` or `bfloat16`, as in training."""
    temperature: float
    """Divisor of the logits (`inference.calibration`)."""
    run: str
    """Id of the MLflow run that made it; empty where there was none."""
    data: str = ""
    """Name of the source of its training texts; empty where that is not known."""
    shortest: int = 0
    """Tokens of its shortest training text."""
    longest: int = 0
    """Tokens of its longest training text; 0 where that is not known."""
    shuffle_span: int = 0
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
    weights = {name: _stored(value).cpu().contiguous().numpy() for name, value in package.model.state_dict().items()}
    # Not by safetensors' `save_file`, whose files can be read by their owner alone.
    (folder / WEIGHTS).write_bytes(save(weights))
    (folder / TRAINING).write_bytes(save({"fingerprints": np.sort(package.training_texts)}))
    about = {
        "format": FORMAT,
        "version": __version__,
        "tokenizer": package.tokenizer.name,
        "reading": asdict(package.reading),
        "model": package.model.description,
        "sha256": {name: digest_of(folder / name, most) for name, most in HASHED.items()},
    }
    (folder / ABOUT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


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
        with safe_open(folder / WEIGHTS, framework="pt") as stored:
            names = [name for name in list(stored.keys()) if name.startswith(BACKBONE)]
            weights = {name.removeprefix(BACKBONE): stored.get_tensor(name) for name in names}
        if not all(value.isfinite().all() for value in weights.values()):
            raise ValueError(f"{WEIGHTS}: a weight is no number")
        files = "".join(about["sha256"][name] for name in (VOCABULARY, WEIGHTS))
        digest = hashlib.sha256(f"{tokenizer.name} {files}".encode()).hexdigest()
        return TrainedBackbone(settings, weights, tokenizer, _training_texts(folder), reading.run, digest)


def _training_texts(folder: Path) -> np.ndarray:
    found = load_file(folder / TRAINING)["fingerprints"]
    if found.dtype != np.int64 or found.ndim != 1:
        raise ValueError(f"fingerprints of type {found.dtype}, {found.ndim} axes")
    return found


@contextmanager
def _damage_in(folder: Path) -> Iterator[None]:
    """Say of a file that is missing or damaged what it is."""
    try:
        yield
    except FileNotFoundError as error:
        raise UserError(f"{error.filename}: missing; a packaged model has {ABOUT}, {', '.join(HASHED)}") from error
    except DAMAGE as error:
        reason = str(error).partition("\n")[0][:LONGEST_REASON]
        raise UserError(f"{folder}: not a packaged model, or damaged ({type(error).__name__}: {reason})") from error


def _checked_files(folder: Path) -> tuple[dict[str, Any], Reading, Tokenizer]:
    """What the first file says, how texts are read, and the vocabulary; the other files are those that it speaks of."""
    about = json.loads(content_of(folder / ABOUT, package_files.DESCRIBED))
    if about["format"] != FORMAT:
        raise UserError(
            f"{folder}: a model of format {about['format']}, made by version {about['version']}; "
            f"this version reads format {FORMAT}; train again, or use that version"
        )
    check_splitter(about["tokenizer"])
    for name, most in HASHED.items():
        if digest_of(folder / name, most) != about["sha256"][name]:
            raise UserError(f"{folder / name}: not the file that {ABOUT} speaks of; it {ALTERED}")
    reading = _checked_reading(Reading(**about["reading"]))
    vocabulary = load_vocabulary(folder / VOCABULARY)
    if vocabulary.itos[:2] != SPECIALS:
        raise ValueError(f"{VOCABULARY} does not begin with {' and '.join(SPECIALS)}")
    expected = about["model"]["vocabulary_size"]
    if len(vocabulary) != expected:
        raise UserError(
            f"{folder / VOCABULARY}: {len(vocabulary):,} tokens, and the model has {expected:,}; it {ALTERED}"
        )
    return about, reading, Tokenizer(about["tokenizer"], vocabulary)


def _checked_reading(reading: Reading) -> Reading:
    fits = (
        all(type(number) is int and 0 < number < 2**31 for number in (reading.max_tokens, reading.batch_size))
        and type(reading.temperature) in (int, float)
        and 0 < reading.temperature < HIGHEST_TEMPERATURE
        and reading.keep in PARTS
        and reading.precision in ("float32", "bfloat16")
        and all(isinstance(name, str) and name.isprintable() for name in (reading.run, reading.data))
        and isinstance(reading.label, str)
        and all(
            type(number) is int and 0 <= number < 2**31
            for number in (reading.shortest, reading.longest, reading.shuffle_span)
        )
    )
    if not fits:
        raise ValueError(f"{ABOUT}: {reading}")
    return reading


def _load_model(settings: dict[str, Any], path: Path) -> SentimentNetwork:
    for part in ("encoder", "pooling"):
        check_target(part, settings[part]["_target_"])
    with safe_open(path, framework="pt") as weights:
        names = list(weights.keys())
        # Each layer has weights of its own: a description can ask for any number, and making one takes time.
        name = settings["encoder"]["name"]
        if not (name and name.isprintable()) or settings["encoder"].get("layers", 1) > len(names):
            raise ValueError(f"{ABOUT}: {settings['encoder']}")
        shapes = {name: tuple(weights.get_slice(name).get_shape()) for name in names}
        # Shapes alone first, on a device without memory: a description can ask for any size.
        with torch.device("meta"), _NothingDrawn():
            expected = {name: tuple(_stored(value).shape) for name, value in _build(settings).state_dict().items()}
        for name in sorted(set(expected) | set(shapes)):
            if expected.get(name) != shapes.get(name):
                found, wanted = shapes.get(name, "none"), expected.get(name, "none")
                raise UserError(f"{path}: {name} has shape {found}, and the model {wanted}; it {ALTERED}")
        state = {name: weights.get_tensor(name) for name in names}
    if not all(value.isfinite().all() for value in state.values()):
        raise ValueError(f"{path.name}: a weight is no number")
    with torch.random.fork_rng(devices=[]):  # the draw of weights that are replaced at once
        model = _build(settings)
    model.load_state_dict(restored(state, model))
    return model.eval()


class _NothingDrawn(TorchFunctionMode):
    """Leaves weights undrawn: on the device without memory, drawing from a normal distribution has torch load its
    compiler, which takes longer than torch itself."""

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        if function in (torch.Tensor.normal_, torch.nn.init.normal_):
            return args[0] if args else given["tensor"]
        return function(*args, **given)


def _build(settings: dict[str, Any]) -> SentimentNetwork:
    return SentimentNetwork(**settings, padding_id=PADDING_ID, unknown_id=UNKNOWN_ID)
