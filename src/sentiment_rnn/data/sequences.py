"""Textbook tasks that tell recurrent nets apart: adding and copying (long memory) and parity (state tracking).
Sequences are drawn when they are needed, from a seed."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import one_hot
from torch.utils.data import DataLoader, IterableDataset

from sentiment_rnn.config.sections import SequenceTaskConfig
from sentiment_rnn.data.datamodule import ResumableLoader, TaskData
from sentiment_rnn.data.review import SPLITS


class Sequences(NamedTuple):
    """B sequences of one length T."""

    inputs: Tensor
    """float32 [B, T, E]."""
    targets: Tensor
    """float32 [B], the sum (adding); int64 [B, T], the symbol at each step."""

    @property
    def lengths(self) -> Tensor:
        """int64 [B], all T."""
        return torch.full((len(self.inputs),), self.inputs.shape[1], device=self.inputs.device)


@dataclass(frozen=True)
class Task:
    """A task: its sizes, its baseline, and how its sequences are drawn."""

    length: int
    """T."""
    input_size: int
    """E."""
    outputs: int
    """Number of classes at each step; 0 where the answer is one number, at the last step."""
    baseline: float
    """The loss without any memory: mean squared error of a number, or cross-entropy of classes [nats per step with a
    target]."""
    draw: Callable[[int, torch.Generator], Sequences]
    """Function from a number and a generator to so many sequences."""


def adding(steps: int) -> Task:
    """Add the two marked numbers of a sequence (Hochreiter & Schmidhuber 1997, section 5.4, in the form of Le et al.
    2015, section 4.1). Numbers are from [0, 1); each half has one marked number.

    An input is a number and its mark, 1 or 0. The baseline is the variance of the sum.
    """

    def draw(batch_size: int, generator: torch.Generator) -> Sequences:
        numbers = torch.rand(batch_size, steps, generator=generator)
        half = steps // 2
        first = torch.randint(0, half, (batch_size, 1), generator=generator)
        second = torch.randint(half, steps, (batch_size, 1), generator=generator)
        marked = torch.cat([first, second], 1)
        marks = torch.zeros(batch_size, steps).scatter_(1, marked, 1.0)
        return Sequences(torch.stack([numbers, marks], 2), numbers.gather(1, marked).sum(1))

    return Task(steps, input_size=2, outputs=0, baseline=1 / 6, draw=draw)


def copying(steps: int, symbols: int, alphabet: int) -> Task:
    """Repeat symbols after a delay (Hochreiter & Schmidhuber 1997; Arjovsky et al. 2016, section 4.1). A sequence is
    `symbols` symbols, `steps - 1` blanks, a signal, and as many blanks as symbols. The targets are blanks up to the
    signal, and the symbols after it.

    Inputs and classes are one-hot: blank 0, the `alphabet` symbols from 1 on, all equally likely, and the signal. The
    baseline answers with blanks and then with random symbols.
    """
    length, size = steps + 2 * symbols, alphabet + 2

    def draw(batch_size: int, generator: torch.Generator) -> Sequences:
        said = torch.randint(1, alphabet + 1, (batch_size, symbols), generator=generator)
        tokens = torch.zeros(batch_size, length, dtype=torch.int64)
        targets = torch.zeros_like(tokens)
        tokens[:, :symbols] = said
        tokens[:, -symbols - 1] = alphabet + 1
        targets[:, -symbols:] = said
        return Sequences(one_hot(tokens, size).float(), targets)

    return Task(length, size, size, symbols * math.log(alphabet) / length, draw)


def parity(steps: int) -> Task:
    """At each step, tell whether an odd number of the bits so far was 1: 0 1 1 0 1 → 0 1 0 0 1. Bits are one-hot.

    The state has to flip. If a net's state is linear in the previous one, with positive factors, it cannot do this at
    every length (Merrill et al. 2024, arXiv:2404.08819; Grazzi et al. 2024, arXiv:2411.12537).
    """

    def draw(batch_size: int, generator: torch.Generator) -> Sequences:
        bits = torch.randint(0, 2, (batch_size, steps), generator=generator)
        return Sequences(one_hot(bits, 2).float(), bits.cumsum(1) % 2)

    return Task(steps, input_size=2, outputs=2, baseline=math.log(2), draw=draw)


TASKS: dict[str, Callable[..., Task]] = {"adding": adding, "copying": copying, "parity": parity}
"""Functions that make a task, by its name in the configuration."""


def task_of(config: SequenceTaskConfig, steps: int | None = None) -> Task:
    """The task of a configuration, over `steps` steps if given, else over the configured number."""
    sizes = [size for size in (config.symbols, config.alphabet) if size is not None]  # adding and parity have none
    return TASKS[config.name](steps or config.steps, *sizes)


class GeneratedSequences(IterableDataset[Sequences]):
    """Batches of a task: new ones in every epoch to train on, the same each time to validate and test on.

    Args:
        seed: seed of the run; every encoder with this seed reads the same sequences.
        split: `train`, `validation` or `test`.
        epoch: returns the number of the epoch.
    """

    def __init__(self, config: SequenceTaskConfig, seed: int, split: str, epoch: Callable[[], int] = lambda: 0) -> None:
        self.config = config
        self.task = task_of(config, config.test_steps if split == "test" else None)
        self.seed = seed
        self.split = split
        self.epoch = epoch

    def __len__(self) -> int:
        config = self.config
        return config.batches if self.split == "train" else -(-config.test_sequences // config.batch_size)

    def __iter__(self) -> Iterator[Sequences]:
        epoch = self.epoch()
        # Each seed has a thousand epochs of its own; later ones are far from other seeds. The generator takes 32 bits.
        place = self.seed * 1000 + epoch % 1000 + epoch // 1000 * 0x9E3779
        generator = torch.Generator().manual_seed(place * 3 + SPLITS.index(self.split))
        for _ in range(len(self)):
            yield self.task.draw(self.config.batch_size, generator)

    @property
    def tokens(self) -> int:
        """Steps of all sequences together."""
        return len(self) * self.config.batch_size * self.task.length


class SequenceData(TaskData):
    """The three splits of a task.

    Args:
        seed: of the run.
    """

    def __init__(self, config: SequenceTaskConfig, seed: int) -> None:
        super().__init__()
        self.train = GeneratedSequences(config, seed, "train", self._epoch)
        self.validation = GeneratedSequences(config, seed, "validation")
        self.test = GeneratedSequences(config, seed, "test")

    def _epoch(self) -> int:
        return self.trainer.current_epoch if self.trainer else 0

    def train_dataloader(self) -> ResumableLoader:
        """New sequences in every epoch."""
        return ResumableLoader(self.train, self._epoch)

    def val_dataloader(self) -> DataLoader[Sequences]:
        """The same sequences each time."""
        return DataLoader(self.validation, batch_size=None)

    def test_dataloader(self) -> DataLoader[Sequences]:
        """The same sequences each time."""
        return DataLoader(self.test, batch_size=None)
