"""Batches of reviews of similar length, padded.

Why not packed sequences: on a CPU each step of a packed backward pass writes a zero tensor of the size of the input.
That makes it quadratic in the length (pytorch issue 149194).
"""

import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from sentiment_rnn.data.corpus import Split
from sentiment_rnn.data.tokenizer import PADDING_ID

NOISE = 0.1
"""Largest relative change of a length before training batches are sorted."""


class Batch(NamedTuple):
    """B reviews, padded at the end to the longest, T tokens."""

    tokens: Tensor
    """int64 [B, T]."""
    lengths: Tensor
    """int64 [B], tokens that are not padding."""
    labels: Tensor
    """float32 [B], 1 positive."""
    indices: Tensor
    """int64 [B], where each review stands in its split."""


class Reviews(Dataset[Batch]):
    """A split as a dataset that returns a whole batch for a list of indices, each review cut to `max_tokens`.

    Args:
        keep: `head` reads the first tokens, `tail` the last, `both` the first half and the last half.
        shuffle_span: length in tokens of the stretches that are shuffled, 0 for none: see `shuffled`.
    """

    def __init__(self, split: Split, max_tokens: int, keep: str, shuffle_span: int = 0) -> None:
        self.split = split
        self.max_tokens = max_tokens
        self.keep = keep
        self.shuffle_span = shuffle_span
        self.lengths = np.minimum(split.lengths, max_tokens)

    def __len__(self) -> int:
        return len(self.split)

    def tokens_of(self, index: int) -> np.ndarray:
        """int32 [length], the tokens of one review that are read, in reading order."""
        tokens = self.split.tokens[self.split.offsets[index] : self.split.offsets[index + 1]]
        read = cut(tokens, self.max_tokens, self.keep)
        return shuffled(read, self.shuffle_span) if self.shuffle_span else read

    def __getitem__(self, indices: list[int]) -> Batch:
        lengths = self.lengths[indices]
        tokens = np.full((len(indices), lengths.max()), PADDING_ID, dtype=np.int64)
        for row, index in enumerate(indices):
            tokens[row, : lengths[row]] = self.tokens_of(index)
        return Batch(
            tokens=torch.from_numpy(tokens),
            lengths=torch.from_numpy(lengths),
            labels=torch.from_numpy(self.split.labels[indices].astype(np.float32)),
            indices=torch.tensor(indices),
        )


def cut(tokens: np.ndarray, max_tokens: int, keep: str) -> np.ndarray:
    """The part of an array that is read, at most `max_tokens`: its `head`, its `tail`, or half from `both` ends."""
    if len(tokens) <= max_tokens:
        return tokens
    if keep == "head":
        return tokens[:max_tokens]
    tail = max_tokens if keep == "tail" else max_tokens // 2
    return np.concatenate([tokens[: max_tokens - tail], tokens[len(tokens) - tail :]])


def shuffled(tokens: np.ndarray, span: int) -> np.ndarray:
    """The same tokens, int32 [T], with each stretch of `span` tokens in random order; stretches count from the end.

    The order depends only on the tokens, so every run reads a text in the same order in every epoch.
    """
    random = np.random.RandomState(zlib.crc32(tokens.astype("<i4").tobytes()))  # its stream is the same in every NumPy
    stretch = (len(tokens) - 1 - np.arange(len(tokens))) // span
    return tokens[np.lexsort((random.permutation(len(tokens)), -stretch))]


class LengthBuckets(Sampler[list[int]]):
    """Yields the indices of one batch after another; the reviews of a batch have similar lengths.

    For training, reviews are sorted by their lengths plus noise, and the batches come in random order. Noise and order
    are drawn anew in every epoch, from the seed and the epoch alone. So every process of a distributed run draws the
    same plan and takes its own batches from it.

    Args:
        lengths: int [N].
        shuffle: training order; otherwise from the longest to the shortest, for the least padding.
        rank, world_size: number of this process, and of all processes. In training each takes equally many batches (the
            plan wraps around, so that no review is left out); otherwise every review is in one batch of one process.
    """

    def __init__(
        self,
        lengths: np.ndarray,
        batch_size: int,
        *,
        shuffle: bool,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.lengths = lengths
        # Lightning refuses a process without a batch, so a small split has at least one batch for each process.
        self.batch_size = batch_size if shuffle else min(batch_size, max(1, len(lengths) // world_size))
        self.shuffle = shuffle
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Draw another order; Lightning calls this before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        batches = -(-len(self.lengths) // self.batch_size)
        if self.shuffle:
            return -(-batches // self.world_size)
        return len(range(self.rank, batches, self.world_size))

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self._plan():
            yield batch.tolist()

    def _plan(self) -> list[np.ndarray]:
        """All batches of this process in this epoch."""
        random = np.random.default_rng([self.seed, self.epoch])
        noise = random.uniform(-NOISE, NOISE, len(self.lengths)) if self.shuffle else 0.0
        order = np.argsort(-self.lengths * (1 + noise), kind="stable")
        batches = [order[start : start + self.batch_size] for start in range(0, len(order), self.batch_size)]
        if self.shuffle:
            batches = [batches[position] for position in random.permutation(len(batches))]
            missing = -len(batches) % self.world_size
            batches += [batches[position % len(batches)] for position in range(missing)]
        return batches[self.rank :: self.world_size]
