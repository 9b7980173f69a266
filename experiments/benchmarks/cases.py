"""One case of a benchmark, in a process of its own, so that no case inherits another's threads, flags or memory.

    python cases.py '{"name": "rows", "encoder": "lstm", "batches": "64.npz", "repeats": 3}'

prints one line of JSON, a `Timing`. From `padded` on, each case is the one before it and one thing more.
"""

import json
import math
import os
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch

import device
from benchmark import HERE, answer_of
from sentiment_rnn import runtime
from steps import Batch, Plain, Size, Step, classifier_step, project_model, threads_of_run

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
POLICIES = ("float32", "mixed_bfloat16")
"""Precision policies of Keras; each is one case."""
KERAS = HERE.parents[1] / ".venv-keras"
"""The virtual environment that make bench makes for Keras."""


@dataclass(frozen=True)
class Case:
    """What is timed."""

    name: str
    """Of `CASES` or `POLICIES`."""
    encoder: str
    batches: str
    """File of the batches, as `save` writes it."""
    repeats: int
    """Steps on each batch."""
    threads: int | None = None
    """Those of a run, if not given."""
    H: int = 256
    most_seconds: float = math.inf
    """After which a batch is repeated no more."""


@dataclass(frozen=True)
class Timing:
    """What a case prints."""

    seconds: list[float]
    """Of a step on each batch: the median of the repeats."""
    means: list[float] = field(default_factory=list)
    """The same, the mean of the repeats; empty for Keras."""
    peak_bytes: int = 0
    """Highest memory of a step on the first batch, above what the process held with its model."""
    profile: dict[str, float] = field(default_factory=dict)
    """Seconds a step by what they are spent on; empty where it was not looked at."""


def measured_here(cases: Sequence[str]) -> list[str]:
    """Those of the cases that mean something on this device."""
    left_out = OF_A_PROCESSOR if runtime.on_gpu("auto") else ()
    fast = torch.bfloat16 in device.precisions()
    return [case for case in cases if case not in left_out and (fast or case != "bfloat16")]


def timed(case: Case, keras: Path = KERAS, environment: dict[str, str] | None = None) -> Timing:
    """Time a case in its own process, with these environment variables or those of this process."""
    python, script = (keras / "bin/python", "keras_case.py") if case.name in POLICIES else (sys.executable, "cases.py")
    return Timing(**answer_of(script, json.dumps(asdict(case)), python=python, environment=environment))


def save(batches: Sequence[Batch], path: Path) -> Path:
    """Write batches for a case, and return the path."""
    np.savez(path, *(part.numpy() for batch in batches for part in batch))
    return path


def measured(case: Case) -> Timing:
    """Time a case in this process."""
    parts = [torch.from_numpy(part) for part in np.load(case.batches).values()]
    batches: list[Batch] = list(zip(parts[::3], parts[1::3], parts[2::3], strict=True))
    step = prepared(case)
    # Warm: every shape once; of what is not repeated, since a step takes seconds, the shortest one.
    for batch in sorted(batches, key=lambda batch: batch[0].shape[1])[: 1 if case.repeats == 1 else None]:
        step(batch)
    started = device.now()
    times = [[step(batch) for batch in batches]]
    while len(times) < case.repeats and device.now() - started < case.most_seconds:
        times.append([step(batch) for batch in batches])
    runtime.reset_peak_memory()
    resting = device.held_memory()
    step(batches[0])
    peak_bytes = runtime.peak_memory() - resting
    by_batch = list(zip(*times, strict=True))
    seconds, means = ([of(steps) for steps in by_batch] for of in (statistics.median, statistics.fmean))
    profiled = case.name == "rows" and not runtime.on_gpu("auto")
    return Timing(seconds, means, peak_bytes, profile(step, batches) if profiled else {})


def prepared(case: Case) -> Step:
    """The steps of a case, once this process is set up for it."""
    has = CASES[case.name]
    if "compiled" not in has:
        os.environ["SENTIMENT_RNN_COMPILED"] = "0"
    if "flushed" in has:
        torch.set_flush_denormal(True)
    torch.set_num_threads(case.threads or threads_of_run(case.encoder))
    if "kept" in has:
        runtime.keep_freed_memory()
    torch.manual_seed(0)
    size = Size(H=case.H)
    model = project_model(case.encoder, size) if "padded" in has else Plain(case.encoder, size, packed=True)
    return classifier_step(model, "bfloat16" in has and torch.bfloat16 in device.precisions(), rows="rows" in has)


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


if __name__ == "__main__":
    print(json.dumps(asdict(measured(Case(**json.loads(sys.argv[1]))))))
