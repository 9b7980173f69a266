"""The files of a packaged model: a run writes them, and whoever uses the model reads them.

<folder>/
    model.json                      what the model is: sizes, which part of a text it reads, precision, temperature, and
                                    the SHA-256 of the other files
    vocabulary.txt                  a token a line, the line number being the id
    weights.safetensors             float32, by the names of the classifier's parameters; complex ones as pairs
    training_texts.safetensors      int64 [N], fingerprints of the texts that it was trained and chosen on

A language model has the same files. It cannot judge texts, so `read_package` refuses it. `read_backbone` reads the
weights that another model can start from, from either kind.

The files contain no code, and nothing is unpickled. The classes of encoder and pooling come from this package; a class
from elsewhere must be imported first by whoever loads the model.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import torch
from pydantic import ConfigDict, Field, NonNegativeInt, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass as validated
from safetensors.torch import load_file, save

from sentiment_rnn import __version__
from sentiment_rnn.data.tokenizer import (
    PADDING_ID,
    UNKNOWN_ID,
    Tokenizer,
    check_splitter,
    load_vocabulary,
    save_vocabulary,
)
from sentiment_rnn.errors import UserError, printable
from sentiment_rnn.model.network import SentimentNetwork, check_target

if TYPE_CHECKING:  # not at run time: it loads Lightning, which predictions do not need
    from sentiment_rnn.data.datamodule import ReviewData

FORMAT = 2
ABOUT, VOCABULARY, WEIGHTS, TRAINING = (
    "model.json", "vocabulary.txt", "weights.safetensors", "training_texts.safetensors",
)  # fmt: skip
HASHED = (VOCABULARY, WEIGHTS, TRAINING)
"""Files of a package; the first holds the SHA-256 of the others."""
BACKBONE = "backbone."
"""Prefix of the names of weights that belong to the backbone, not to a head."""


@validated(frozen=True, config=ConfigDict(strict=True, extra="forbid", allow_inf_nan=False))
class Reading:
    """Settings that, beside the weights, decide how a text becomes a probability; raises `pydantic.ValidationError` for
    invalid values."""

    max_tokens: PositiveInt
    """Most tokens of a text that are read."""
    keep: Literal["head", "tail", "both"]
    """Which part."""
    batch_size: PositiveInt
    """Texts in a batch."""
    precision: Annotated[str, Field(pattern="^(float32|bfloat16)$")]
    """`float32` or `bfloat16`, as in training."""
    temperature: PositiveFloat
    """Divisor of the logits (`report.evaluation.fit_temperature`)."""
    run: str
    """Id of the MLflow run that made it; empty where there was none."""
    data: str = ""
    """Name of the source of its training texts; empty where that is not known."""
    shortest: NonNegativeInt = 0
    """Tokens of its shortest training text."""
    longest: NonNegativeInt = 0
    """Tokens of its longest training text; 0 where that is not known."""
    shuffle_span: NonNegativeInt = 0
    """Length in tokens of the stretches that are shuffled, as in training; 0 for none."""
    label: str = ""
    """The encoder's name for people; empty in a model of an earlier version."""


@dataclass(frozen=True)
class Package:
    """A model, and everything that is needed to use it."""

    model: SentimentNetwork
    tokenizer: Tokenizer
    reading: Reading
    training_texts: np.ndarray
    """int64 [N], sorted fingerprints of the texts that it was trained and chosen on."""

    @property
    def name(self) -> str:
        """Name of its encoder."""
        return printable(str(self.model.description["encoder"]["name"]))

    @property
    def label(self) -> str:
        """The same for people."""
        return printable(self.reading.label) or self.name


@dataclass(frozen=True)
class TrainedBackbone:
    """The trained weights of a model from which another model can start."""

    settings: dict[str, Any]
    """`embedding`, `encoder` and others, as the model's description has them."""
    weights: dict[str, torch.Tensor]
    """Weights as the file stores them, by the names of the backbone's parameters."""
    tokenizer: Tokenizer
    training_texts: np.ndarray
    """int64 [N], sorted fingerprints of the texts that it has read."""
    run: str
    """Id of the run that made it."""
    digest: str
    """SHA-256 of its weights and its vocabulary."""


def pack(
    model: SentimentNetwork,
    data: "ReviewData",
    precision: str,
    run_id: str = "",
    label: str = "",
    start: TrainedBackbone | None = None,
) -> Package:
    """The package of a trained model; its temperature is not fitted yet.

    Args:
        data: data that it was trained and chosen on.
        precision: precision in which it was trained.
        run_id: id of the run that made it; empty if there is none.
        label: name of its encoder in tables and figures.
        start: the model from which it started, whose texts it has also read.
    """
    read, corpus = data.config, data.corpus
    lengths = corpus.splits["train"].lengths
    reading = Reading(
        read.max_tokens, read.keep, read.eval_batch_size, precision, 1.0, run_id, read.name, int(lengths.min()),
        int(lengths.max()), read.shuffle_span, label,
    )  # fmt: skip
    texts = [fingerprints(corpus.splits[name].documents()) for name in ("train", "validation")]
    texts += [start.training_texts] if start else []
    return Package(model, corpus.tokenizer, reading, np.unique(np.concatenate(texts)))


def fingerprints(documents: Iterable[np.ndarray]) -> np.ndarray:
    """int64 [N]: a digest of the token ids of each text."""
    digests = (hashlib.blake2b(ids.astype("<i4").tobytes(), digest_size=8).digest() for ids in documents)
    return np.frombuffer(b"".join(digests), dtype="<i8").astype(np.int64)


def write_package(package: Package, folder: Path) -> None:
    """Write the four files into `folder`, which is created."""
    folder.mkdir(parents=True)
    save_vocabulary(package.tokenizer.vocabulary, folder / VOCABULARY)
    weights = {name: _stored(value).cpu().contiguous() for name, value in package.model.state_dict().items()}
    # Not by safetensors' `save_file`: only their owner could read its files.
    (folder / WEIGHTS).write_bytes(save(weights))
    (folder / TRAINING).write_bytes(save({"fingerprints": torch.from_numpy(np.sort(package.training_texts))}))
    about = {
        "format": FORMAT,
        "version": __version__,
        "tokenizer": package.tokenizer.name,
        "reading": asdict(package.reading),
        "model": package.model.description,
        "sha256": {name: _sha256(folder / name) for name in HASHED},
    }
    (folder / ABOUT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _stored(value: torch.Tensor) -> torch.Tensor:
    """A weight or buffer as a file stores it: float32, complex numbers as pairs, whole numbers unchanged."""
    if value.is_complex():
        return torch.view_as_real(value.to(torch.complex64))
    return value.float() if value.is_floating_point() else value


def restored(stored: Mapping[str, torch.Tensor], module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The state of a module, from its tensors as a file stores them."""
    pairs = {name for name, value in module.state_dict().items() if value.is_complex()}
    return {name: torch.view_as_complex(value) if name in pairs else value for name, value in stored.items()}


def read_package(folder: Path) -> Package:
    """Read a folder that `write_package` wrote, on the CPU and ready to predict.

    Raises:
        UserError: a file is missing, damaged, or does not fit the others.
    """
    with _damage_in(folder):
        about, tokenizer = _description(folder)
        settings, reading = about["model"], Reading(**about["reading"])
        if settings.get("task"):
            raise UserError(
                f"run {reading.run}: a language model, which judges no text; a classifier starts from it with "
                f"sentiment-rnn train pretrained={reading.run}"
            )
        for part in ("encoder", "pooling"):
            check_target(part, settings[part]["_target_"])
        with torch.random.fork_rng(devices=[]):  # drawing weights that are replaced at once leaves no trace
            model = SentimentNetwork(**settings, padding_id=PADDING_ID, unknown_id=UNKNOWN_ID)
        model.load_state_dict(restored(load_file(folder / WEIGHTS), model))
        return Package(model.eval(), tokenizer, reading, _training_texts(folder))


def read_backbone(folder: Path) -> TrainedBackbone:
    """Read the weights that another model can start from; the folder has a classifier or a language model.

    Raises:
        UserError: as `read_package`.
    """
    with _damage_in(folder):
        about, tokenizer = _description(folder)
        stored = load_file(folder / WEIGHTS)
        weights = {name.removeprefix(BACKBONE): value for name, value in stored.items() if name.startswith(BACKBONE)}
        files = "".join(about["sha256"][name] for name in (VOCABULARY, WEIGHTS))
        digest = hashlib.sha256(f"{tokenizer.name} {files}".encode()).hexdigest()
        texts, run = _training_texts(folder), Reading(**about["reading"]).run
        return TrainedBackbone(about["model"], weights, tokenizer, texts, run, digest)


def _description(folder: Path) -> tuple[dict[str, Any], Tokenizer]:
    """The content of `model.json`, and the tokenizer. Checks that the other files are those that it names."""
    about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    if about["format"] != FORMAT:
        raise UserError(
            f"{folder}: a model of format {about['format']}, made by version {about['version']}; "
            f"this version reads format {FORMAT}; train again, or use that version"
        )
    for name in HASHED:
        if _sha256(folder / name) != about["sha256"][name]:
            raise UserError(f"{folder / name}: not that of {ABOUT}; it was altered, or is of another model")
    check_splitter(about["tokenizer"])
    return about, Tokenizer(about["tokenizer"], load_vocabulary(folder / VOCABULARY))


def _training_texts(folder: Path) -> np.ndarray:
    return np.asarray(load_file(folder / TRAINING)["fingerprints"].numpy())


@contextmanager
def _damage_in(folder: Path) -> Iterator[None]:
    """Turn errors from a file that is missing, damaged or does not fit the others into a `UserError`."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # ten kinds, depending on what is damaged
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"{folder}: not a packaged model, or damaged ({type(error).__name__}: {reason})") from error
