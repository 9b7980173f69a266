"""The device that is measured: the GPU where there is one, else the processor. Its clock, memory and products."""

import platform
import statistics
import time
from collections.abc import Sequence

import psutil
import torch

from sentiment_rnn import runtime


def place() -> torch.device:
    """Where the tensors are put."""
    return torch.device("cuda" if runtime.on_gpu("auto") else "cpu")


def now() -> float:
    """Seconds of a clock, read when the device has done all that it was given: a GPU runs behind its host."""
    if runtime.on_gpu("auto"):
        torch.cuda.synchronize()
    return time.perf_counter()


def held_memory() -> int:
    """Bytes that are held now, of the kind whose highest `runtime.peak_memory` gives."""
    return torch.cuda.memory_allocated() if runtime.on_gpu("auto") else psutil.Process().memory_info().rss


def precisions() -> tuple[torch.dtype, ...]:
    """float32, and bfloat16 where the device computes it fast. Emulated, it is hundreds of times slower."""
    fast = runtime.resolve_precision("auto", "auto") == "bfloat16"
    return (torch.float32, torch.bfloat16) if fast else (torch.float32,)


def name() -> str:
    """The GPU's, or the processor's."""
    return torch.cuda.get_device_name() if runtime.on_gpu("auto") else processor()


def processor() -> str:
    """The processor's name, with its cores and its unit for bfloat16."""
    names = {"amx_bf16": "AMX", "avx512_bf16": "AVX-512 BF16"}
    unit = next((names[unit] for unit in runtime.bfloat16_units()), "no unit for bfloat16")
    return f"{runtime.cpuinfo('model name') or platform.machine()}, {runtime.cores()} cores, {unit}"


def in_words(precision: torch.dtype) -> str:
    """`float32`, `bfloat16`."""
    return str(precision).removeprefix("torch.")


def peak(dtype: torch.dtype, sizes: Sequence[int]) -> float:
    """Operations a second of the fastest square matrix product of these sizes here."""
    best = 0.0
    for n in sizes:
        left, right = torch.randn(2, n, n, device=place()).to(dtype)
        times = []
        for _ in range(12):
            started = now()
            left @ right
            times.append(now() - started)
        best = max(best, 2 * n**3 / statistics.median(times[2:]))
    return best
