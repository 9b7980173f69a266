"""A corpus as token arrays on disk, made once and memory-mapped by every run.

<directory>/tokens/<key>/                 key: fingerprint of the source, tokenizer, vocabulary settings
    about.json  vocabulary.txt            (the tokenizer's name and the notes are in about.json)
    train.tokens.npy                      int32 [all tokens], one review after another
    train.offsets.npy                     int64 [N + 1], where each review starts
    train.labels.npy  train.ratings.npy   int8 [N]
    train.lags.npy                        int32 [N], -1 where unknown
    train.names.txt                       a line a review
    validation.* test.*

Texts without labels are a corpus of their own, with a single part, `unlabelled`.
"""

import functools
import hashlib
import itertools
import json
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from tqdm import tqdm

from sentiment_rnn.config.code import target_digest
from sentiment_rnn.config.sections import DataConfig
from sentiment_rnn.data.review import SPLITS, Review, Source, TextSource
from sentiment_rnn.data.tokenizer import (
    MANY_UNKNOWN,
    UNKNOWN_ID,
    Tokenizer,
    build_vocabulary,
    load_vocabulary,
    save_vocabulary,
    splitter,
    splitter_version,
    whole,
)
from sentiment_rnn.errors import UserError
from sentiment_rnn.files import FileLock

_FORMAT = 7
_ABOUT = "about.json"
_ARRAYS = ("tokens", "offsets", "labels", "ratings", "lags")
UNREADABLE = (OSError, EOFError, ValueError, KeyError, TypeError)
"""Errors from reading a corpus that is missing or damaged."""


@dataclass(frozen=True)
class Split:
    """The reviews of one split, as memory-mapped arrays."""

    tokens: np.ndarray
    """int32 [all tokens]."""
    offsets: np.ndarray
    """int64 [N + 1]."""
    labels: np.ndarray
    """int8 [N], 1 positive."""
    ratings: np.ndarray
    """int8 [N], 0 where unknown."""
    lags: np.ndarray
    """int32 [N], -1 where unknown."""
    names: list[str]
    """N places in the source."""

    @classmethod
    def of(cls, documents: Sequence[Sequence[int] | np.ndarray], reviews: Sequence[Review] = ()) -> "Split":
        """A split in memory, from token ids; without `reviews` if the texts have no labels."""
        reviews = reviews or [Review("", label=0, rating=0, group="", name="")] * len(documents)
        return cls(
            tokens=np.concatenate([np.asarray(ids, dtype=np.int32) for ids in documents]),
            offsets=np.concatenate([[0], np.cumsum([len(ids) for ids in documents])]).astype(np.int64),
            labels=np.array([review.label for review in reviews], dtype=np.int8),
            ratings=np.array([review.rating for review in reviews], dtype=np.int8),
            lags=np.array([review.lag for review in reviews], dtype=np.int32),
            names=[review.name for review in reviews],
        )

    def joined(self, other: "Split") -> "Split":
        """These reviews, followed by others, in memory."""
        arrays = {name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in _ARRAYS}
        arrays["offsets"] = np.concatenate([self.offsets, self.offsets[-1] + other.offsets[1:]])
        return Split(**arrays, names=self.names + other.names)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def lengths(self) -> np.ndarray:
        """int64 [N], tokens of each whole review."""
        return np.diff(self.offsets)

    def documents(self) -> list[np.ndarray]:
        """The token ids of each of the N reviews, int32 [T], in memory."""
        # The whole file is copied first: slicing a mapped file takes ten times as long as slicing an array.
        return np.split(np.array(self.tokens), self.offsets[1:-1])


@dataclass(frozen=True)
class Corpus:
    """A tokenized corpus."""

    digest: str
    """SHA-256 of all its reviews, with their labels, ratings and places."""
    tokenizer: Tokenizer
    splits: dict[str, Split]
    notes: tuple[str, ...]
    """Remarks on its source and its vocabulary, for the person who starts a run."""


def load_corpus(
    source: Source, config: DataConfig, tokenizer: Tokenizer | None = None, unlabelled: bool = False
) -> Corpus:
    """The tokenized corpus of `source`, read from the cache, or made and cached now.

    Jobs that start together make it once: the first holds a lock, the others wait for it. The corpus is written under a
    temporary name and renamed when complete, so a killed job leaves no incomplete corpus. A damaged corpus is made
    anew.

    Args:
        tokenizer: the tokenizer of another model or part; None builds a vocabulary from the training part.
        unlabelled: read the texts without labels of a `TextSource`, instead of the splits.

    Raises:
        UserError: the source is not what it should be, or the cache cannot be written.
    """
    try:
        fingerprint = source.fingerprint()
        cache = Path(config.directory) / "tokens"
        folder = cache / _key(fingerprint, config, tokenizer, unlabelled)
        with suppress(*UNREADABLE):  # without a lock, since the folder may be read-only for this user
            return _open(folder)
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / ".lock"):
            with suppress(*UNREADABLE):
                return _open(folder)  # another job made it while this one waited
            reviews, notes = _read(source, fingerprint, config, unlabelled)
            making = folder.with_name(".making")  # not from `tempfile`, whose folders only their owner can read
            shutil.rmtree(making, ignore_errors=True)  # left by a run that was killed or refused a review
            making.mkdir()
            _write(making, reviews, notes, config, tokenizer)
            shutil.rmtree(folder, ignore_errors=True)
            making.rename(folder)
            return _open(folder)
    except OSError as error:
        raise UserError(
            f"data={config.name}: {error}; its files must be readable, and data.directory={config.directory} writable"
        ) from error


def _key(fingerprint: str, config: DataConfig, tokenizer: Tokenizer | None, unlabelled: bool) -> str:
    """Name of a corpus in the cache, a digest of all that its files depend on."""
    limits = [config.vocabulary_size, config.minimum_frequency]
    parts = [
        *(_FORMAT, config._target_, target_digest(config._target_), fingerprint, splitter_version(config.tokenizer)),
        *(tokenizer.vocabulary.itos if tokenizer else limits),
        unlabelled,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _read(
    source: Source, fingerprint: str, config: DataConfig, unlabelled: bool
) -> tuple[dict[str, list[Review]], list[str]]:
    """Reviews by the part of the corpus, and notes on them. Raises `UserError` if the source has changed since its
    fingerprint was taken, or has reviews that no corpus can hold."""
    reviews = source.read()
    if unlabelled:
        texts, notes = cast(TextSource, source).unlabelled(reviews)
        parts = {"unlabelled": texts}
    else:
        parts = {split: reviews.get(split, []) for split in SPLITS}
        notes = source.notes(reviews) if hasattr(source, "notes") else []
    if source.fingerprint() != fingerprint:
        raise UserError(f"data={config.name}: its files changed while they were read; start again")
    return {part: _checked(part, texts) for part, texts in parts.items()}, notes


def _checked(part: str, reviews: list[Review]) -> list[Review]:
    """The reviews, without lone surrogates. Refuses a review that the arrays of a corpus cannot hold."""
    if not reviews:
        raise UserError(f"{part}: no reviews; expected one at least")
    for review in reviews:
        if review.label not in (0, 1) or review.rating not in range(11) or {"\n", "\r"} & {*review.name}:
            raise UserError(
                f"{part}: label {review.label}, rating {review.rating}, name {review.name!r}; expected label 0 or 1, a "
                "whole rating from 0 to 10, and a name of one line"
            )
    return [review._replace(text=whole(review.text), name=whole(review.name)) for review in reviews]


def _write(
    folder: Path, reviews: dict[str, list[Review]], notes: list[str], config: DataConfig, tokenizer: Tokenizer | None
) -> None:
    total = sum(map(len, reviews.values()))
    # One process: 50,000 reviews take 4 s, and a second process would spend as long importing torch.
    tokens_of = splitter(config.tokenizer)
    every = itertools.chain.from_iterable(reviews.values())
    with tqdm(every, "Tokenizing", total, unit=" reviews", disable=None, leave=False) as progress:
        interned: dict[str, str] = {}  # one object for each distinct token
        documents = ([interned.setdefault(word, word) for word in tokens_of(review.text)] for review in progress)
        tokens = {split: [*itertools.islice(documents, len(texts))] for split, texts in reviews.items()}
    made = tokenizer is None
    if tokenizer is None:
        vocabulary = build_vocabulary(tokens["train"], config.vocabulary_size, config.minimum_frequency)
        tokenizer = Tokenizer(config.tokenizer, vocabulary)
    save_vocabulary(tokenizer.vocabulary, folder / "vocabulary.txt")
    for split in reviews:
        ids = [tokenizer.ids(words) for words in tokens[split]]
        for review, words in zip(reviews[split], ids, strict=True):
            if not len(words):
                raise UserError(
                    f"{review.name}: no token in {review.text[:40]!r}; every review needs a word or a mark; remove it"
                )
        arrays = Split.of(ids, reviews[split])
        for name in _ARRAYS:
            np.save(folder / f"{split}.{name}.npy", getattr(arrays, name))
        (folder / f"{split}.names.txt").write_text("\n".join(arrays.names), encoding="utf-8")
        unknown = float((arrays.tokens == UNKNOWN_ID).mean())
        if made and split == "train" and unknown >= MANY_UNKNOWN:
            notes = [
                *notes,
                f"data={config.name}: {unknown:.0%} of train's tokens are too rare for its vocabulary; give another "
                "data.tokenizer, data.minimum_frequency=1 or a larger data.vocabulary_size",
            ]
    about = {
        "digest": _digest(reviews),
        "notes": notes,
        "tokenizer": config.tokenizer,
        "reviews": {split: len(texts) for split, texts in reviews.items()},
    }
    (folder / _ABOUT).write_text(json.dumps(about, indent=1))


@functools.lru_cache(maxsize=2)  # a run asks three times: before it starts, for its identity, and when it trains
def _open(folder: Path) -> Corpus:
    about = json.loads((folder / _ABOUT).read_text())

    def array(split: str, name: str) -> np.ndarray:
        # A view of the mapped file as a plain array: slicing it takes a third of the time.
        return np.asarray(np.load(folder / f"{split}.{name}.npy", mmap_mode="r"))

    splits = {
        split: Split(
            **{name: array(split, name) for name in _ARRAYS},
            names=(folder / f"{split}.names.txt").read_text(encoding="utf-8").split("\n"),
        )
        for split in about["reviews"]
    }
    tokenizer = Tokenizer(about["tokenizer"], load_vocabulary(folder / "vocabulary.txt"))
    return Corpus(about["digest"], tokenizer, splits, tuple(about["notes"]))


def _digest(reviews: dict[str, list[Review]]) -> str:
    digest = hashlib.sha256()
    for split, texts in reviews.items():
        for review in texts:
            facts = (split, review.name, review.label, review.rating, review.lag, review.text)
            digest.update("\0".join(map(str, facts)).encode() + b"\0")
    return digest.hexdigest()
