"""Tasks that part recurrent nets: adding and copying (long memory) and parity (state tracking). Sequences are drawn as
they are needed, from a seed."""

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
    """What is asked of a sequence."""

    length: int
    """T."""
    input_size: int
    """E."""
    outputs: int
    """Number of classes at each step; 0 where the answer is one number, at the last step."""
    baseline: float
    """The loss of who remembers nothing: mean squared error of a number, cross-entropy [nats per asked step] of
    classes."""
    draw: Callable[[int, torch.Generator], Sequences]
    """So many sequences."""


def adding(steps: int) -> Task:
    """Numbers from [0, 1), two of them marked, one in each half; the target is the sum of those two (Hochreiter &
    Schmidhuber 1997, section 5.4, in the form of Le et al. 2015, section 4.1).

    An input is the number, and 1 where it is marked, else 0. The baseline is the variance of the sum.
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
    """`symbols` symbols, `steps - 1` blanks, a signal, as many blanks as symbols; behind the signal the symbols are to
    be said again, before it blanks (Hochreiter & Schmidhuber 1997; Arjovsky et al. 2016, section 4.1).

    Inputs and classes, one-hot: blank 0, the `alphabet` symbols from 1 on, each as likely, and the signal. The baseline
    says blanks and then symbols at random.
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
    """Bits, one-hot, and at each step whether an odd number of them was 1 so far: 0 1 1 0 1 → 0 1 0 0 1.

    A state that flips, which a net whose state is linear in the one before, with positive factors, cannot have at every
    length (Merrill et al. 2024, arXiv:2404.08819; Grazzi et al. 2024, arXiv:2411.12537).
    """

    def draw(batch_size: int, generator: torch.Generator) -> Sequences:
        bits = torch.randint(0, 2, (batch_size, steps), generator=generator)
        return Sequences(one_hot(bits, 2).float(), bits.cumsum(1) % 2)

    return Task(steps, input_size=2, outputs=2, baseline=math.log(2), draw=draw)


TASKS: dict[str, Callable[..., Task]] = {"adding": adding, "copying": copying, "parity": parity}
"""By name of the configuration."""


def task_of(config: SequenceTaskConfig, steps: int | None = None) -> Task:
    """The task that a configuration asks for, over `steps` steps in place of its own if they are given."""
    sizes = [size for size in (config.symbols, config.alphabet) if size is not None]  # adding and parity have none
    return TASKS[config.name](steps or config.steps, *sizes)


class GeneratedSequences(IterableDataset[Sequences]):
    """Batches of a task: new ones in every epoch to train on, the same each time to validate and test on.

    Args:
        seed: of the run, so that every encoder of a seed reads the same sequences.
        split: `train`, `validation` or `test`.
        epoch: tells the epoch.
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
        # A seed has a thousand epochs to itself, and those beyond lie far away; the generator takes 32 bits.
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
