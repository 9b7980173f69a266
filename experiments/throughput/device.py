"""The device that is measured: the GPU where there is one, else the processor."""

import platform
import time

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
