"""A run promises itself the cores it may use, the precision that is fast, denormals flushed, and an end with its
launcher."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch

from processes import run_python, wait_for
from sentiment_rnn import runtime

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.mark.parametrize(
    ("gpu_is_fast", "units", "asked", "accelerator", "precision"),
    [
        (None, [], "auto", "cpu", "float32"),
        (None, ["amx_bf16"], "auto", "cpu", "bfloat16"),
        (True, [], "auto", "gpu", "bfloat16"),
        (False, ["amx_bf16"], "auto", "gpu", "float32"),
        (True, [], "cpu", "cpu", "float32"),
    ],
)
def test_the_accelerator_is_what_there_is_and_the_precision_what_it_computes_fast(
    gpu_is_fast: bool | None, units: list[str], asked: str, accelerator: str, precision: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu_is_fast is not None)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: including_emulation or gpu_is_fast)
    monkeypatch.setattr(runtime, "bfloat16_units", lambda: units)
    assert (runtime.resolve_accelerator(asked), runtime.on_gpu(asked)) == (accelerator, accelerator == "gpu")
    given = ("auto", "float32", "bfloat16")
    assert [runtime.resolve_precision(name, asked) for name in given] == [precision, *given[1:]]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not pin processes")
def test_cores_are_those_that_this_process_may_use() -> None:
    one = min(os.sched_getaffinity(0))
    pin = f"import os; os.sched_setaffinity(0, [{one}]); "
    assert run_python(f"{pin}from sentiment_rnn import runtime; print(runtime.cores())").stdout == "1\n"


# 1e-40 as a product, since a flushed literal would be zero before a thread sees it; its bits, since a flushing
# comparison would call it zero.
MULTIPLY = """
product = torch.full((8_000_000,), 1e-30) * 1e-10
print(torch.get_num_threads(), product.view(torch.int32).ne(0).sum().item())
"""


def test_prepare_flushes_denormals_in_every_thread_and_sets_their_number() -> None:
    assert (
        run_python(f"import torch; from sentiment_rnn import runtime; runtime.prepare(4){MULTIPLY}").stdout == "4 0\n"
    )


ALLOCATE = """
import torch
from sentiment_rnn import runtime
runtime.prepare(1)
block = torch.ones(300 << 18)  # 300 MiB
held = runtime.peak_memory()
del block
freed = runtime.peak_memory()
runtime.reset_peak_memory()
print(held, freed, runtime.peak_memory())
"""


@linux_only
def test_the_peak_of_an_earlier_job_is_forgotten() -> None:
    held, freed, after = map(int, run_python(ALLOCATE).stdout.split())
    assert held >= 300 << 20
    assert freed >= held - (1 << 20)  # a peak does not fall by itself; the kernel counts in batches of pages
    assert after <= held - (250 << 20)


@pytest.mark.skipif(sys.platform != "linux" or os.confstr("CS_GNU_LIBC_VERSION") is None, reason="needs glibc")
def test_freed_memory_is_kept_and_not_faulted_in_again() -> None:
    code = """
import resource, torch
from sentiment_rnn import runtime
assert {keep}
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
torch.ones(32 << 18)
before = faults()
for _ in range(20):
    torch.ones(32 << 18)  # 32 MiB, 8,192 pages
print(faults() - before)
"""
    returned = int(run_python(code.format(keep="True")).stdout)
    kept = int(run_python(code.format(keep="runtime.keep_freed_memory()")).stdout)
    assert kept < returned / 4


def test_the_units_for_bfloat16_are_those_among_the_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    for flags, units in (("avx512_bf16 amx_bf16 fpu", ["amx_bf16", "avx512_bf16"]), ("avx512_bf16_not fpu", [])):
        monkeypatch.setattr(runtime, "cpuinfo", lambda _, said=flags: said)
        assert runtime.bfloat16_units() == units


LAUNCHER = """
import os, sys, time
from joblib import Parallel, delayed
from sentiment_rnn import runtime

def work(seconds):
    with open("worker", "w") as file:
        print(os.getpid(), file=file)
    time.sleep(seconds)
    runtime.end_with_launcher()
    time.sleep(200)

if __name__ == "__main__":
    runtime.end_with_launcher()  # which is no worker: it goes on
    Parallel(n_jobs=2)(delayed(work)(float(sys.argv[1])) for _ in range(2))
"""


@linux_only
@pytest.mark.parametrize("seconds", [0.0, 2.0], ids=["ready", "still loading"])
def test_a_worker_of_a_killed_launcher_ends_with_it(seconds: float, tmp_path: Path) -> None:
    (tmp_path / "launcher.py").write_text(LAUNCHER)
    command = [sys.executable, "launcher.py", str(seconds)]
    with subprocess.Popen(command, cwd=tmp_path, start_new_session=True) as launcher:
        worker = tmp_path / "worker"
        wait_for(lambda: (worker.exists() and worker.read_text().strip()) or launcher.poll() is not None)
        process = psutil.Process(int(worker.read_text()))
        assert launcher.pid in [parent.pid for parent in process.parents()]
        time.sleep(0 if seconds else 1)
        launcher.kill()
    wait_for(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, seconds=10)
