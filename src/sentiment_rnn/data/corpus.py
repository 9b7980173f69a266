"""A corpus as token arrays on disk, made once and memory-mapped by every run.

<directory>/tokens/<key>/                 key: digest of the texts, tokenizer, vocabulary settings
    about.json  vocabulary.txt            (the tokenizer's name is in about.json)
    train.tokens.npy                      int32 [all tokens], one review after another
    train.offsets.npy                     int64 [N + 1], where each review starts
    train.labels.npy  train.ratings.npy   int8 [N]
    train.distances.npy                   int32 [N], -1 where unknown
    train.names.txt                       a line a review
    validation.* test.*
<directory>/tokens/<fingerprint>.source   the key of the corpus that this source gave, then its notes, a line each
"""

import functools
import hashlib
import json
import logging
import os
import shutil
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from sentiment_rnn.config.data import DataConfig
from sentiment_rnn.data.review import SPLITS, Review, Source
from sentiment_rnn.data.tokenizer import (
    Tokenizer,
    build_vocabulary,
    load_vocabulary,
    save_vocabulary,
    splitter,
    splitter_version,
)
from sentiment_rnn.errors import UserError
from sentiment_rnn.locks import FileLock

log = logging.getLogger("sentiment_rnn")

_FORMAT = 4
_ABOUT = "about.json"


@dataclass(frozen=True)
class Split:
    """The reviews of one split, as arrays that lie on disk."""

    tokens: np.ndarray
    """int32 [all tokens]."""
    offsets: np.ndarray
    """int64 [N + 1]."""
    labels: np.ndarray
    """int8 [N], 1 positive."""
    ratings: np.ndarray
    """int8 [N], 0 where unknown."""
    distances: np.ndarray
    """int32 [N], -1 where unknown."""
    names: list[str]
    """N places in the source."""

    @classmethod
    def of(cls, documents: Sequence[Sequence[int] | np.ndarray]) -> "Split":
        """Token ids of texts that nobody has labelled, in memory."""
        count = len(documents)
        nothing = np.zeros(count, dtype=np.int8)
        return cls(
            tokens=np.concatenate([np.asarray(ids, dtype=np.int32) for ids in documents]),
            offsets=np.concatenate([[0], np.cumsum([len(ids) for ids in documents])]).astype(np.int64),
            labels=nothing, ratings=nothing, distances=np.full(count, -1, dtype=np.int32), names=[""] * count,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def lengths(self) -> np.ndarray:
        """int64 [N], tokens of each whole review."""
        return np.diff(self.offsets)


@dataclass(frozen=True)
class Corpus:
    """A tokenized corpus."""

    digest: str
    """SHA-256 of all its reviews, with their labels, ratings and places."""
    tokenizer: Tokenizer
    splits: dict[str, Split]
    notes: tuple[str, ...] = ()
    """What its source says of it to whoever starts a run."""


def load_corpus(source: Source, config: DataConfig) -> Corpus:
    """The tokenized corpus of `source`, from the cache, or made and cached now.

    Jobs that start together make it once: the first holds a lock, the others wait for it. It is written under a
    temporary name and renamed when whole, so a kill leaves nothing that a later run would take for a corpus. A cache
    that is damaged is made anew, and a line says so.

    Raises:
        UserError: the source is not what it should be, or the cache cannot be written.
    """
    cache = Path(config.directory) / "tokens"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / ".lock"):
            folder, notes = _find(source, config, cache) or _make(source, config, cache)
            try:
                return replace(_open(folder), notes=notes)
            except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
                log.warning("%s: damaged (%s), so the texts are tokenized again", folder, error)
                (folder / _ABOUT).unlink(missing_ok=True)
                folder, notes = _make(source, config, cache)
                return replace(_open(folder), notes=notes)
    except OSError as error:
        raise UserError(
            f"data.directory={config.directory}: cannot be written ({error.strerror or error}); choose another folder"
        ) from error


def _find(source: Source, config: DataConfig, cache: Path) -> tuple[Path, tuple[str, ...]] | None:
    known = cache / f"{_source_key(source, config)}.source"
    if not known.exists():
        return None
    folder, *notes = known.read_text(encoding="utf-8").split("\n")
    return (cache / folder, tuple(notes)) if (cache / folder / _ABOUT).exists() else None


def _make(source: Source, config: DataConfig, cache: Path) -> tuple[Path, tuple[str, ...]]:
    for leftover in cache.glob(".making-*"):  # of a killed run: whoever holds the lock is alone
        shutil.rmtree(leftover, ignore_errors=True)
    reviews = source.read()
    digest = _digest(reviews)
    folder = cache / _hash(digest, _settings(config))
    if not (folder / _ABOUT).exists():
        making = cache / f".making-{os.getpid()}"  # by `tempfile`, its owner alone could read it
        making.mkdir()
        try:
            _write(making, reviews, digest, config)
            shutil.rmtree(folder, ignore_errors=True)
            making.rename(folder)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    described = getattr(source, "notes", None)
    notes = tuple(described(reviews)) if described else ()
    _write_whole(cache / f"{_source_key(source, config)}.source", "\n".join([folder.name, *notes]))
    return folder, notes


def _write(folder: Path, reviews: dict[str, list[Review]], digest: str, config: DataConfig) -> None:
    total = sum(map(len, reviews.values()))
    # One process: 50,000 reviews take 4 s, and a second process would spend as long importing torch.
    tokens_of = splitter(config.tokenizer)
    with tqdm(total=total, desc="Tokenizing", unit=" reviews", disable=None, leave=False) as progress:
        documents = {
            split: [tokens_of(review.text) for review in reviews[split] if not progress.update()] for split in SPLITS
        }
    vocabulary = build_vocabulary(documents["train"], config.vocabulary_size, config.minimum_frequency)
    save_vocabulary(vocabulary, folder / "vocabulary.txt")
    tokenizer = Tokenizer(config.tokenizer, vocabulary)
    for split in SPLITS:
        ids = [tokenizer.ids(tokens) for tokens in documents[split]]
        for review, tokens in zip(reviews[split], ids, strict=True):
            if not len(tokens):
                raise UserError(f"{review.name}: no token in the text; every review needs a word or a mark")
        lengths = [len(tokens) for tokens in ids]
        arrays = {
            "tokens": np.concatenate(ids),
            "offsets": np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            "labels": np.array([review.label for review in reviews[split]], dtype=np.int8),
            "ratings": np.array([review.rating for review in reviews[split]], dtype=np.int8),
            "distances": np.array([review.distance for review in reviews[split]], dtype=np.int32),
        }
        for name, array in arrays.items():
            np.save(folder / f"{split}.{name}.npy", array)
        (folder / f"{split}.names.txt").write_text("\n".join(review.name for review in reviews[split]))
    about = {
        "digest": digest,
        "tokenizer": config.tokenizer,
        "settings": _settings(config),
        "reviews": {split: len(reviews[split]) for split in SPLITS},
        "checksums": {path.name: _checksum(path) for path in sorted(folder.iterdir())},
    }
    (folder / _ABOUT).write_text(json.dumps(about, indent=1))


@functools.lru_cache(maxsize=1)  # a run asks three times: before it starts, for its identity, and when it trains
def _open(folder: Path) -> Corpus:
    about = json.loads((folder / _ABOUT).read_text())
    for name, checksum in about["checksums"].items():
        if _checksum(folder / name) != checksum:
            raise ValueError(f"another checksum of {name}")

    def array(split: str, name: str) -> np.ndarray:
        # A view of the map as a plain array, of which a slice takes a third of the time.
        return np.asarray(np.load(folder / f"{split}.{name}.npy", mmap_mode="r"))

    splits = {
        split: Split(
            **{name: array(split, name) for name in ("tokens", "offsets", "labels", "ratings", "distances")},
            names=(folder / f"{split}.names.txt").read_text().split("\n"),
        )
        for split in SPLITS
    }
    tokenizer = Tokenizer(about["tokenizer"], load_vocabulary(folder / "vocabulary.txt"))
    return Corpus(about["digest"], tokenizer, splits)


def _checksum(path: Path) -> int:
    return zlib.crc32(path.read_bytes())  # 50,000 reviews: 50 MB


def _digest(reviews: dict[str, list[Review]]) -> str:
    digest = hashlib.sha256()
    for split in SPLITS:
        for review in reviews[split]:
            facts = (split, review.name, review.label, review.rating, review.distance, review.text)
            digest.update("\0".join(map(str, facts)).encode() + b"\0")
    return digest.hexdigest()


def _settings(config: DataConfig) -> list[object]:
    return [_FORMAT, splitter_version(config.tokenizer), config.vocabulary_size, config.minimum_frequency]


def _source_key(source: Source, config: DataConfig) -> str:
    return _hash(config._target_, source.fingerprint(), _settings(config))


def _hash(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _write_whole(path: Path, content: str) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(content, encoding="utf-8")
    partial.replace(path)
