"""The floor: what the matrix products of a model alone take, at the peak of this machine."""

import platform
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from sentiment_rnn import runtime


def operations(encoder: str, E: int = 100, H: int = 256) -> int:
    """Floating-point operations of a token's matrix products: forward, and twice that backward."""
    gates = {"lstm": 4, "rnn": 1}[encoder]
    return 3 * 2 * gates * H * (E + H)


def peak(dtype: torch.dtype, sizes: Sequence[int]) -> float:
    """Operations a second of the fastest square matrix product of these sizes here."""
    device = "cuda" if runtime.on_gpu("auto") else "cpu"
    best = 0.0
    for n in sizes:
        left, right = torch.randn(2, n, n, device=device).to(dtype)
        times = []
        for _ in range(12):
            started = time.perf_counter()
            left @ right
            if device == "cuda":
                torch.cuda.synchronize()
            times.append(time.perf_counter() - started)
        best = max(best, 2 * n**3 / statistics.median(times[2:]))
    return best


def processor() -> str:
    """The GPU's name, or the processor's with its cores and its unit for bfloat16."""
    if runtime.on_gpu("auto"):
        return torch.cuda.get_device_name()
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    facts = {key.strip(): value.strip() for key, colon, value in (line.partition(":") for line in lines) if colon}
    units = {"amx_bf16": "AMX", "avx512_bf16": "AVX-512 BF16"}
    unit = next((name for flag, name in units.items() if flag in facts.get("flags", "")), "no unit for bfloat16")
    return f"{facts.get('model name', platform.machine())}, {runtime.cores()} cores, {unit}"
