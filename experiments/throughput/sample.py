"""Some batches of an epoch on which cases are timed, each case in a process of its own."""

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmark import HERE, last_line
from cases import Timing
from sentiment_rnn.config.run import ReviewConfig
from sentiment_rnn.data.datamodule import ReviewData

POLICIES = ("float32", "mixed_bfloat16")
"""Precision policies of Keras; each is one case."""
KERAS = HERE.parents[1] / ".venv-keras"
"""The virtual environment that make bench makes for Keras."""


@dataclass(frozen=True)
class Sample:
    """Some batches of an epoch, on disk, and what the whole epoch is."""

    path: Path
    batch_size: int
    size: float
    """Tokens of the whole epoch beside those of these batches, padding counted."""
    tokens: int
    """Tokens of the whole epoch."""


def save_sample(config: ReviewConfig, batch_size: int, count: int, folder: Path) -> Sample:
    """Batches of the first epoch, as the trainer gets them: the middle one of each of `count` equal groups by size."""
    data = ReviewData(replace(config.data, batch_size=batch_size), config.seed)
    data.setup()
    batches = sorted(data.train_dataloader(), key=lambda batch: batch.tokens.numel())
    chosen = [batches[int((k + 0.5) * len(batches) / count)] for k in range(count)]
    arrays = {
        f"{name}{i}": getattr(batch, name).numpy()
        for i, batch in enumerate(chosen)
        for name in ("tokens", "lengths", "labels")
    }
    path = folder / f"{batch_size}.npz"
    np.savez(path, **arrays)
    size = sum(batch.tokens.numel() for batch in batches) / sum(batch.tokens.numel() for batch in chosen)
    return Sample(path, batch_size, size, int(data.reviews("train").lengths.sum()))


def timed(
    case: str,
    encoder: str,
    sample: Sample,
    repeats: int,
    keras: Path = KERAS,
    environment: dict[str, str] | None = None,
    threads: int | None = None,
) -> Timing:
    """Time one case in its own process, with these environment variables or those of this process.

    Args:
        threads: those of a run, if not given.
    """
    python, script = (keras / "bin/python", "keras_case.py") if case in POLICIES else (sys.executable, "cases.py")
    command = [str(python), str(HERE / script), case, encoder, str(sample.path), str(repeats)]
    command += [] if threads is None else [str(threads)]
    return Timing(**json.loads(last_line(command, environment)))
