"""The benchmark where there is a GPU: the code for one, run on the processor, with CUDA's functions replaced."""

import runpy
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
import torch

import benchmark
import cases
import device
import epoch
import growth
import neighbor
import pairs
from cases import Case, save
from sentiment_rnn import runtime
from sentiment_rnn.model import recurrence
from steps import Size, classifier_step, project_model, random_batch

pytestmark = pytest.mark.filterwarnings("ignore:'pin_memory' argument")  # of torch, which finds no GPU
NAME = "Fake GPU 9000"
HELD, HIGHEST = 1 << 20, 5 << 20
"""Bytes that the GPU says it holds, and held at the highest."""


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A GPU that computes on the processor; the synchronizations and readings of the clock, in their order."""
    events: list[str] = []
    clock = time.perf_counter

    def read_clock() -> float:
        events.append("clock")
        return clock()

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: NAME)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: events.append("synchronize"))
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda: HELD)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: HIGHEST)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: events.append("reset memory"))
    monkeypatch.setattr(device, "place", lambda: torch.device("cpu"))
    monkeypatch.setattr(device.time, "perf_counter", read_clock)
    # What a case sets for its whole process is not for that of the tests.
    monkeypatch.setenv("SENTIMENT_RNN_COMPILED", "1")
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    monkeypatch.setattr(runtime, "keep_freed_memory", lambda: True)
    yield events
    recurrence.library.cache_clear()


def in_this_process(command: list[str], environment: dict[str, str] | None = None) -> str:
    """`benchmark.finished` without a process of its own, in which the GPU would be gone."""
    shown, arguments = StringIO(), sys.argv
    sys.argv = command[1:]
    try:
        with redirect_stdout(shown):
            runpy.run_path(command[1], run_name="__main__")
    finally:
        sys.argv = arguments
    return shown.getvalue()


@pytest.fixture
def run_main(gpu: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., str]:
    """Run a script's `main` with options, on a copy of the README; what the README then holds."""
    shutil.copy(benchmark.HERE / "README.md", tmp_path)
    monkeypatch.setattr(benchmark, "finished", in_this_process)

    def run(main: Callable[[], None], *options: str) -> str:
        monkeypatch.setattr(sys, "argv", ["script.py", *options])
        main()
        return (tmp_path / "README.md").read_text()

    return run


def reviews(folder: Path) -> list[str]:
    """Overrides for a few reviews."""
    few = ["data=generated", "data.train_reviews=40", "data.test_reviews=10", "data.batch_size=4"]
    return [*few, f"data.directory={folder}"]


def table(readme: str, block: str) -> str:
    """What stands in a block."""
    return readme.split(f"<!-- {block}:start -->")[1].split(f"<!-- {block}:end -->")[0]


def test_every_clock_is_read_when_the_gpu_is_idle(gpu: list[str]) -> None:
    step = classifier_step(project_model("rnn", Size(H=4, E=4)), bfloat16=True, rows=True)
    step(random_batch(2, 5))
    assert gpu == ["synchronize", "clock"] * 2


def test_the_peak_of_products_waits_for_each_product(gpu: list[str]) -> None:
    assert device.peak(torch.bfloat16, (8,)) > 0
    assert gpu == ["synchronize", "clock"] * 24


def test_a_gpu_computes_in_bfloat16_and_is_named(gpu: list[str]) -> None:
    assert device.precisions() == (torch.float32, torch.bfloat16)
    assert device.name() == NAME
    assert NAME not in device.processor()


def test_memory_is_that_of_the_gpu(gpu: list[str], tmp_path: Path) -> None:
    batches = save([random_batch(2, 4)], tmp_path / "batch.npz")
    timing = cases.measured(Case("rows", "rnn", str(batches), repeats=2, H=4))
    assert timing.seconds[0] > 0
    assert timing.peak_bytes == HIGHEST - HELD
    assert gpu.count("reset memory") == 1


def test_the_benchmark_writes_a_table_without_what_says_nothing_of_a_gpu(
    run_main: Callable[..., str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = run_main(
        epoch.main, "--output", str(tmp_path), "--encoders", "rnn", "--batches", "1", "--large", "8",
        "--repeats", "1", "--products", "8", *reviews(tmp_path),
    )  # fmt: skip
    rows = [line.split(" | ")[0].strip("| ") for line in table(readme, "throughput").splitlines() if "|" in line]
    assert rows[2:] == [
        "PyTorch, packed sequences", "padded", "+ bfloat16", *["+ embedding updated by rows: this project"] * 2,
        "matrix products alone, float32", "matrix products alone, bfloat16",
    ]  # fmt: skip
    assert NAME in table(readme, "throughput")
    assert "not looked at on a GPU" in table(readme, "profile")
    assert "Keras is left out" in capsys.readouterr().err


def test_wide_nets_are_timed_on_a_gpu(run_main: Callable[..., str], tmp_path: Path) -> None:
    small = ("--output", str(tmp_path), "--batch-size", "2", "--length", "5", "--seconds", "0.01", "--products", "8")
    readme = run_main(pairs.main, *small, "--encoders", "rnn", "--nets", "4x2x2")
    assert f"A step of 2 reviews on {NAME}; products at" in table(readme, "wide")
    assert "| rnn | 4 | 2 | 2 | 5 | bfloat16 |" in table(readme, "wide")


def test_growth_is_measured_on_a_gpu(run_main: Callable[..., str], tmp_path: Path) -> None:
    sizes = ("--lengths", "2,4", "--batch-sizes", "2,4", "--widths", "2,4", "--base", "2,2,2", "--fitted-from", "2,2,2")
    readme = run_main(growth.main, "--output", str(tmp_path), "--encoders", "rnn", "--cases", "rows", *sizes)
    assert NAME in table(readme, "growth")


@pytest.mark.slow
def test_the_cost_of_a_neighbor_is_measured_on_a_gpu(run_main: Callable[..., str], tmp_path: Path) -> None:
    output = ("--output", str(tmp_path))
    readme = run_main(neighbor.main, *output, "--encoders", "bag", "--batches", "1", *reviews(tmp_path))
    assert NAME in table(readme, "neighbor")


def test_the_quick_benchmark_names_the_gpu(run_main: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> None:
    small = ("--batch-size", "2", "--seconds", "0.01", "--products", "8")
    run_main(pairs.main, "--quick", "--encoders", "bag", *small)
    assert NAME in capsys.readouterr().out
