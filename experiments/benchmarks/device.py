"""The processor that is measured: its name, its precisions and its matrix products."""

import platform
import statistics
import time
from collections.abc import Sequence

import torch

from sentiment_rnn import runtime

NO_UNIT = "no_unit"
"""Unit of a processor that emulates bfloat16."""


def precisions() -> tuple[torch.dtype, ...]:
    """float32, and bfloat16 where the processor computes it fast. Emulated, it is hundreds of times slower."""
    fast = runtime.resolve_precision("auto", "cpu") == "bfloat16"
    return (torch.float32, torch.bfloat16) if fast else (torch.float32,)


def unit() -> str:
    """The fastest unit for bfloat16 of this processor, `NO_UNIT` for none."""
    return next(iter(runtime.bfloat16_units()), NO_UNIT)


def processor() -> str:
    """The processor's name, with its cores and its unit for bfloat16."""
    return f"{runtime.cpuinfo('model name') or platform.machine()}, {runtime.cores()} cores, {unit()}"


def in_words(precision: torch.dtype) -> str:
    """`float32`, `bfloat16`."""
    return str(precision).removeprefix("torch.")


def peak(dtype: torch.dtype, sizes: Sequence[int]) -> float:
    """Operations a second of the fastest square matrix product of these sizes here."""
    best = 0.0
    for n in sizes:
        left, right = torch.randn(2, n, n).to(dtype)
        times = []
        for _ in range(12):
            started = time.perf_counter()
            left @ right
            times.append(time.perf_counter() - started)
        best = max(best, 2 * n**3 / statistics.median(times[2:]))
    return best
