"""One point of growth.py, in a process of its own, so that no point inherits another's memory.

    python point.py CASE ENCODER T B H

prints one line of JSON: seconds of a training step on random tokens (the median) and its peak memory in bytes.
"""

import json
import statistics
import sys

import psutil
import torch

from cases import VOCABULARY_SIZE, build, prepare, stepper
from sentiment_rnn import runtime


def main() -> None:
    """Time one point."""
    case, encoder = sys.argv[1:3]
    print(json.dumps(measure(case, encoder, *map(int, sys.argv[3:]))))


def measure(case: str, encoder: str, T: int, B: int, H: int) -> tuple[float, int]:
    """Seconds of a step (the median), and bytes at its highest above what the process held with its model."""
    bfloat16 = prepare(case)
    torch.manual_seed(0)
    step = stepper(case, build(case, encoder, H), bfloat16)
    tokens = torch.randint(2, VOCABULARY_SIZE, (B, T))
    batch = tokens, torch.full((B,), T), torch.randint(0, 2, (B,)).float()
    step(batch)  # the optimizer's state, the library, the threads
    runtime.reset_peak_memory()
    resting = torch.cuda.memory_allocated() if runtime.on_gpu("auto") else psutil.Process().memory_info().rss
    times = [step(batch)]
    while len(times) < 15 and sum(times) < 8:
        times.append(step(batch))
    return statistics.median(times), runtime.peak_memory() - resting


if __name__ == "__main__":
    main()
