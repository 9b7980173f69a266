"""One case of a benchmark, in a process of its own, so that no case inherits another's threads, flags or memory.

And an epoch beside a busy neighbor, a process per core that does nothing but compute. Does it matter how waiting
threads wait? A bag of words has one thread, which waits for none: it is timed with as many as there are cores too.

    python cases.py '{"name": "rows", "encoder": "lstm", "batches": "64.npz", "repeats": 3}'

prints one line of JSON, a `Timing`. From `padded` on, each case is the one before it and one thing more.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

import device
from benchmark import HERE, answer_of
from sentiment_rnn import runtime
from sentiment_rnn.environment import OTHERS, SPINS
from sentiment_rnn.report.tables import Table
from steps import USUAL, Batch, Plain, Step, classifier_step, project_model, threads_of_run

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
"""Improvements that each case has; the last case is this project."""
POLICIES = ("float32", "mixed_bfloat16")
"""Precision policies of Keras; each is one case."""
KERAS = HERE.parents[1] / ".venv-keras"
"""The virtual environment that make bench makes for Keras."""
WAYS = {
    "spin as GNU OpenMP's do: GOMP_SPINCOUNT=300000": {"GOMP_SPINCOUNT": "300000"},
    "spin briefly: GOMP_SPINCOUNT=1000, set by this project": SPINS,
    "sleep: OMP_WAIT_POLICY=passive": {"OMP_WAIT_POLICY": "passive"},
}
"""Settings of OpenMP; 300,000 is the count of GNU OpenMP where nothing is set (libgomp's manual)."""
REPEATS = 15
"""Steps on each batch. Their mean counts, as in an epoch: beside other processes a step may wait for its core."""


@dataclass(frozen=True)
class Case:
    """A case that is timed."""

    name: str
    """A name in `CASES` or `POLICIES`."""
    encoder: str
    batches: str
    """File of the batches, as `save` writes it."""
    repeats: int
    """Steps on each batch."""
    threads: int | None = None
    """The default is a run's number of threads."""


@dataclass(frozen=True)
class Timing:
    """Times that a case prints."""

    seconds: list[float]
    """Time of a step on each batch: the median of the repeats."""
    means: list[float] = field(default_factory=list)
    """Time of a step on each batch: the mean of the repeats; empty for Keras."""


def measured_here(cases: Sequence[str]) -> list[str]:
    """The cases that mean something on this processor."""
    fast = torch.bfloat16 in device.precisions()
    return [case for case in cases if fast or case != "bfloat16"]


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
    by_batch = list(zip(*([step(batch) for batch in batches] for _ in range(case.repeats)), strict=True))
    seconds, means = ([of(steps) for steps in by_batch] for of in (statistics.median, statistics.fmean))
    return Timing(seconds, means)


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
    model = project_model(case.encoder) if "padded" in has else Plain(case.encoder, USUAL, packed=True)
    return classifier_step(model, "bfloat16" in has and torch.bfloat16 in device.precisions(), rows="rows" in has)


def neighbor_table(encoders: Sequence[str], batches: str, size: float) -> Table:
    """An epoch alone and beside the neighbor.

    Args:
        batches: file of those that are timed.
        size: tokens of the whole epoch beside theirs.
    """
    rows = []
    cases = [(encoder, *way) for encoder in encoders for way in ways_of(encoder)]
    for encoder, name, variables, threads in tqdm(cases, desc="Beside a neighbor", disable=None):
        case = Case("rows", encoder, batches, REPEATS, threads)
        alone = size * step_seconds(case, variables)
        with busy_neighbor(runtime.cores()):
            beside = size * step_seconds(case, variables)
        rows.append((encoder, name, f"{alone:.3g}", f"{beside:.3g}", f"{beside / alone:.2f}"))
    columns = ("encoder", "waiting threads", "alone [s]", "beside a busy process per core [s]", "ratio")
    return Table(f"An epoch on {device.processor()}.", columns, rows)


def ways_of(encoder: str) -> list[tuple[str, dict[str, str], int | None]]:
    """How threads wait in what is timed of an encoder: a name, variables of the environment, and threads if they are
    not those of a run."""
    if encoder != "bag":
        return [(name, variables, None) for name, variables in WAYS.items()]
    threads = runtime.cores()
    both = f"{threads} threads, GOMP_SPINCOUNT=1000"
    return [("none: one thread, as a run has", SPINS, None), (both, SPINS, threads)]


def step_seconds(case: Case, variables: dict[str, str]) -> float:
    """Seconds of a step on each batch of a case."""
    kept = {name: value for name, value in os.environ.items() if name not in {*SPINS, *OTHERS}}
    return sum(timed(case, environment=kept | variables).means)


@contextmanager
def busy_neighbor(processes: int) -> Iterator[None]:
    """Run so many processes that compute until the block ends."""
    busy = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: sum(range(100_000))"  # ends with its parent
    started = [subprocess.Popen([sys.executable, "-c", busy]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


if __name__ == "__main__":
    print(json.dumps(asdict(measured(Case(**json.loads(sys.argv[1]))))))
