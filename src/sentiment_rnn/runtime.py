"""Settings before the first tensor: threads, denormals, the allocator, precision."""

import contextlib
import ctypes
import multiprocessing
import os
import platform
import signal
import sys
from pathlib import Path

import torch

# glibc's mallopt parameters (malloc.h) and the values that keep freed blocks in the process.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_KEPT_BYTES = 1 << 30
_PR_SET_PDEATHSIG = 1


def prepare(threads: int) -> None:
    """Set this process up for training on a CPU; call it before the first parallel operation.

    Denormals are flushed because vanishing gradients become denormal, and an operation on a denormal number takes about
    a hundred times as long. Threads inherit the flag when they start, hence the order.

    Args:
        threads: threads of one operation. Jobs side by side divide the cores: two that each take every core
            wait for each other's threads.
    """
    torch.set_flush_denormal(True)
    torch.set_num_threads(threads)
    keep_freed_memory()


def keep_freed_memory() -> bool:
    """Have glibc keep large freed blocks instead of returning them to the system; False where there is no glibc.

    A padded step allocates the same large blocks again and again. A returned block is faulted in anew, page by page,
    which costs up to 40 % of a step's processor time.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES) and mallopt(_M_TOP_PAD, 64 << 20))


def end_with_launcher() -> None:
    """If this process is a worker of a sweep, have the system kill it when its launcher ends: joblib's workers can
    outlive a killed launcher by an hour, with 600 MB each. Linux only; see prctl(2), PR_SET_PDEATHSIG."""
    launcher = multiprocessing.parent_process()
    if launcher is None or sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        os.kill(launcher.pid or 0, 0)
    except ProcessLookupError:  # the launcher ended while this process was loading its libraries
        os.kill(os.getpid(), signal.SIGKILL)


def cores() -> int:
    """Processor cores that this process may use: those it is bound to, at most its container's quota and the cores that
    Slurm assigned to it."""
    import joblib  # here, since it takes a sixth of a second, and only commands that compute need it

    assigned = slurm_cores()
    return max(1, min(joblib.cpu_count(), round(assigned) if assigned is not None else sys.maxsize))


def slurm_cores() -> float | None:
    """Cores of this task of a Slurm job; None outside of a job. A cluster may not bind tasks to their cores."""
    if "SLURM_CPUS_PER_TASK" in os.environ:
        return int(os.environ["SLURM_CPUS_PER_TASK"])
    if "SLURM_CPUS_ON_NODE" in os.environ:
        return int(os.environ["SLURM_CPUS_ON_NODE"]) / slurm_tasks()
    return None


def slurm_tasks() -> int:
    """Tasks of this Slurm job on each node; 1 outside of one."""
    return int(os.environ.get("SLURM_NTASKS_PER_NODE", 1))


def on_gpu(accelerator: str) -> bool:
    """Whether `accelerator` (`auto`, `cpu`, `gpu`) means a CUDA device here."""
    return accelerator != "cpu" and torch.cuda.is_available()


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, as `CUDA_VISIBLE_DEVICES` has them."""
    count, given = torch.cuda.device_count(), os.environ.get("CUDA_VISIBLE_DEVICES")
    return given.split(",")[:count] if given else [str(number) for number in range(count)]


def resolve_accelerator(accelerator: str) -> str:
    """`auto`, `cpu` or `gpu` → `cpu` or `gpu`, by what there is."""
    return accelerator if accelerator != "auto" else "gpu" if on_gpu("auto") else "cpu"


def resolve_precision(precision: str, accelerator: str) -> str:
    """`auto`, `float32` or `bfloat16` → `float32` or `bfloat16`, by what the device computes fast."""
    if precision != "auto":
        return precision
    fast = torch.cuda.is_bf16_supported(including_emulation=False) if on_gpu(accelerator) else bool(bfloat16_units())
    return "bfloat16" if fast else "float32"


def bfloat16_units() -> list[str]:
    """Units of this processor that compute bfloat16, the fastest first. Empty if bfloat16 is emulated, which is slower
    than float32."""
    flags = cpuinfo("flags").split()
    return [unit for unit in ("amx_bf16", "avx512_bf16") if unit in flags]


def cpuinfo(key: str, file: Path = Path("/proc/cpuinfo")) -> str:
    """Entry of /proc/cpuinfo for the first processor, such as `model name` or `flags`; empty if there is none."""
    lines = file.read_text().splitlines() if file.exists() else []
    facts = (line.partition(":") for line in lines)
    return next((value.strip() for name, _, value in facts if name.strip() == key), "")


def reset_peak_memory() -> None:
    """Start a new measurement of peak memory, without earlier jobs of this process."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)  # blocks kept by keep_freed_memory would count for the next job
    clear = Path("/proc/self/clear_refs")
    with contextlib.suppress(OSError):  # without the statistic, the run can still go on
        clear.write_text("5")


def peak_memory() -> int:
    """Peak memory in bytes since `reset_peak_memory`: of the GPU if it was used, else of the process."""
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return torch.cuda.max_memory_allocated()
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)
