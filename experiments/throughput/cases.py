"""One case of the benchmark, in a process of its own, so that no case inherits another's threads, flags or memory.

    python cases.py CASE ENCODER BATCHES REPEATS [THREADS]

prints one line of JSON: seconds of a training step on each batch (median and mean of the repeats) and where they went.
From `padded` on, each case is the one before it and one thing more. THREADS are those of a run, if not given.
"""

import json
import os
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import nn

import device
from models import USUAL, Batch, Size, plain_model, project_model, threads_of_run
from sentiment_rnn import runtime
from step import Step, classifier_step

CASES: dict[str, tuple[str, ...]] = {
    "packed": (),
    "packed_kept": ("flushed", "kept"),
    "padded": ("padded",),
    "flushed": ("padded", "flushed"),
    "kept": ("padded", "flushed", "kept"),
    "bfloat16": ("padded", "flushed", "kept", "bfloat16"),
    "compiled": ("padded", "flushed", "kept", "bfloat16", "compiled"),
    "rows": ("padded", "flushed", "kept", "bfloat16", "compiled", "rows"),
}
"""What each case has; the last one is this project."""
OF_A_PROCESSOR = ("packed_kept", "flushed", "kept", "compiled")
"""Cases whose one thing more says nothing of a GPU."""


@dataclass(frozen=True)
class Timing:
    """What a case prints."""

    seconds: list[float]
    """Of a step on each batch: the median of the repeats."""
    means: list[float] = field(default_factory=list)
    """The same, the mean of the repeats; empty for Keras."""
    profile: dict[str, float] = field(default_factory=dict)
    """Seconds a step by what they are spent on; empty where it was not looked at."""


def measured_here(cases: Sequence[str]) -> list[str]:
    """Those of the cases that mean something on this device."""
    left_out = OF_A_PROCESSOR if runtime.on_gpu("auto") else ()
    fast = torch.bfloat16 in device.precisions()
    return [case for case in cases if case not in left_out and (fast or case != "bfloat16")]


def prepare(case: str, encoder: str, threads: int | None = None) -> bool:
    """Set this process up for a case, with so many threads, or those of a run; whether it computes in bfloat16."""
    if "compiled" not in CASES[case]:
        os.environ["SENTIMENT_RNN_COMPILED"] = "0"
    if "flushed" in CASES[case]:
        torch.set_flush_denormal(True)
    torch.set_num_threads(threads or threads_of_run(encoder))
    if "kept" in CASES[case]:
        runtime.keep_freed_memory()
    return "bfloat16" in CASES[case] and torch.bfloat16 in device.precisions()


def build(case: str, encoder: str, size: Size = USUAL) -> nn.Module:
    """The model of a case, on the device, without dropout."""
    return project_model(encoder, size) if "padded" in CASES[case] else plain_model(encoder, size, packed=True)


def load(path: Path) -> list[Batch]:
    """The batches that measure.py chose."""
    arrays = np.load(path)
    count = len(arrays) // 3
    return [
        tuple(torch.from_numpy(arrays[f"{part}{i}"]) for part in ("tokens", "lengths", "labels"))  # type: ignore[misc]
        for i in range(count)
    ]


def profile(step: Step, batches: list[Batch]) -> dict[str, float]:
    """Seconds a step by what they are spent on."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        total = sum(step(batch) for batch in batches)
    spent = dict.fromkeys(("matrix products", "cells", "optimizer", "embedding", "clipping"), 0.0)
    for event in profiler.key_averages():
        alone, whole = event.self_cpu_time_total * 1e-6, event.cpu_time_total * 1e-6
        if event.key in ("aten::mm", "aten::addmm") or event.key.startswith(("mkldnn::", "sentiment_rnn::product")):
            spent["matrix products"] += alone
        elif event.key.startswith("sentiment_rnn::"):
            spent["cells"] += alone
        elif event.key.startswith("Optimizer.step"):
            spent["optimizer"] += whole
        elif event.key in ("aten::embedding", "aten::embedding_backward", "_RowsBackward"):
            spent["embedding"] += whole
        elif event.key == "clip":
            spent["clipping"] += whole
    spent["other"] = total - sum(spent.values())
    return {name: seconds / len(batches) for name, seconds in spent.items()}


def main() -> None:
    """Time one case."""
    case, encoder, path, repeats = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
    bfloat16 = prepare(case, encoder, *map(int, sys.argv[5:]))
    torch.manual_seed(0)
    step = classifier_step(build(case, encoder), bfloat16, rows="rows" in CASES[case])
    batches = load(path)
    # Warm: every shape once; of what is not repeated, since a step takes seconds, the shortest one.
    for batch in sorted(batches, key=lambda batch: batch[0].shape[1])[: 1 if repeats == 1 else None]:
        step(batch)
    times = [[step(batch) for batch in batches] for _ in range(repeats)]
    by_batch = list(zip(*times, strict=True))
    seconds, means = ([of(steps) for steps in by_batch] for of in (statistics.median, statistics.fmean))
    profiled = case == "rows" and not runtime.on_gpu("auto")
    print(json.dumps(asdict(Timing(seconds, means, profile(step, batches) if profiled else {}))))


if __name__ == "__main__":
    main()
