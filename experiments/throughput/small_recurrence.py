"""The arithmetic of a run for small_runs.py: the recurrence alone, in a process of its own, on one thread.

    python small_recurrence.py override …

prints the training steps of the run, and the seconds of as many forward and backward passes of its recurrence. Inputs
are random, of the sizes of its batches.
"""

import sys
import time

import torch

from sentiment_rnn import runtime
from sentiment_rnn.config.run import ReviewConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.data.datamodule import ReviewData
from sentiment_rnn.model.components import build_module


def main() -> None:
    """Time the recurrence of a run with these overrides."""
    config: ReviewConfig = run_config(*sys.argv[1:])
    runtime.prepare(1)
    data = ReviewData(config.data, config.seed)
    data.setup()
    epoch = [batch.tokens.shape for batch in data.train_dataloader()]
    sizes = epoch * (config.settle_epochs(len(epoch)) // len(epoch))
    print(len(sizes), seconds(config, sizes))


def seconds(config: ReviewConfig, sizes: list[torch.Size]) -> float:
    """Of a forward and a backward pass for each of the sizes [B, T]."""
    encoder = build_module(config.encoder.settings, config.embedding.size)
    half = runtime.resolve_precision(config.precision, "cpu") == "bfloat16"

    def passes(B: int, T: int) -> float:
        inputs, lengths = torch.randn(B, T, config.embedding.size, requires_grad=True), torch.full((B,), T)
        started = time.perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            states = encoder(inputs, lengths)
        states.backward(torch.ones_like(states))
        return time.perf_counter() - started

    passes(*sizes[0])  # the library, the threads
    return sum(passes(B, T) for B, T in sizes)


if __name__ == "__main__":
    main()
