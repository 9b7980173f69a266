"""This project's step beside that of PyTorch's plain modules, taken in turn: what else the machine does meets both.

    python pair.py ENCODER PRECISION B T H LAYERS DIRECTIONS E SECONDS

prints one line of JSON: the seconds of each, and their ratio. Both have the same precision, threads and flags.
Denormals are flushed, freed memory is kept, and no sequence is packed.
"""

import json
import statistics
import sys
from dataclasses import asdict, dataclass

import torch

import device
from models import Size, plain_model, project_model, random_batch, threads_of_run
from sentiment_rnn import runtime
from step import classifier_step

LEAST_PAIRS = 5


@dataclass(frozen=True)
class Pair:
    """Medians over the pairs of steps."""

    project: float
    """Seconds of this project's step."""
    pytorch: float
    """Seconds of the plain modules' step."""
    ratio: float
    """The first by the second, pair by pair; below 1 this project is the faster one."""


def measured_pair(encoder: str, precision: torch.dtype, B: int, T: int, size: Size, seconds: float) -> Pair:
    """Take pairs of steps on random reviews for some seconds, and `LEAST_PAIRS` at least."""
    runtime.prepare(threads_of_run(encoder))
    torch.manual_seed(0)
    half = precision == torch.bfloat16
    project = classifier_step(project_model(encoder, size), half, rows=True)
    pytorch = classifier_step(plain_model(encoder, size), half)
    batch = random_batch(B, T)
    for step in (project, pytorch):
        step(batch)  # the optimizer's state, the library, the threads
    pairs: list[tuple[float, float]] = []
    started = device.now()
    while len(pairs) < LEAST_PAIRS or device.now() - started < seconds:
        pairs.append((project(batch), pytorch(batch)))
    ours, theirs = zip(*pairs, strict=True)
    ratios = [mine / other for mine, other in pairs]
    return Pair(statistics.median(ours), statistics.median(theirs), statistics.median(ratios))


def main() -> None:
    """Measure one pair."""
    encoder, precision, *numbers, seconds = sys.argv[1:]
    B, T, H, layers, directions, E = map(int, numbers)
    pair = measured_pair(encoder, getattr(torch, precision), B, T, Size(H, layers, directions, E), float(seconds))
    print(json.dumps(asdict(pair)))


if __name__ == "__main__":
    main()
