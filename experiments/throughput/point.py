"""One point of growth.py, in a process of its own, so that no point inherits another's memory.

    python point.py CASE ENCODER T B H

prints one line of JSON: seconds of a training step on random tokens (the median) and its peak memory in bytes.
"""

import json
import statistics
import sys

import torch

import device
from cases import CASES, build, prepare
from models import Size, random_batch
from sentiment_rnn import runtime
from step import classifier_step


def main() -> None:
    """Time one point."""
    case, encoder = sys.argv[1:3]
    print(json.dumps(measure(case, encoder, *map(int, sys.argv[3:]))))


def measure(case: str, encoder: str, T: int, B: int, H: int) -> tuple[float, int]:
    """Seconds of a step (the median), and bytes at its highest above what the process held with its model."""
    bfloat16 = prepare(case, encoder)
    torch.manual_seed(0)
    step = classifier_step(build(case, encoder, Size(H=H)), bfloat16, rows="rows" in CASES[case])
    batch = random_batch(B, T)
    step(batch)  # the optimizer's state, the library, the threads
    runtime.reset_peak_memory()
    resting = device.held_memory()
    times = [step(batch)]
    while len(times) < 15 and sum(times) < 8:
        times.append(step(batch))
    return statistics.median(times), runtime.peak_memory() - resting


if __name__ == "__main__":
    main()
