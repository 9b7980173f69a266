"""Each script of the benchmarks runs by the small command that its docstring gives, and a step is not slower than
PyTorch's."""

import ast
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from processes import environment
from sentiment_rnn import runtime

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
BENCHMARKS = EXPERIMENTS / "benchmarks"


def run_script(script: str, folder: Path) -> str:
    """What a script prints that runs by the last command of its docstring in `folder`, where it leaves nothing."""
    docstring = ast.get_docstring(ast.parse((BENCHMARKS / script).read_text())) or ""
    python, path, *arguments = shlex.split(re.findall(r"^ +(python .*)$", docstring, re.MULTILINE)[-1])
    assert (python, path) == ("python", f"experiments/benchmarks/{script}")
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / script), *arguments],
        cwd=folder, capture_output=True, text=True, timeout=280, env=environment(),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert [*folder.iterdir()] == []
    return done.stdout


def precisions() -> list[str]:
    return ["float32", "bfloat16"][: 1 + (runtime.resolve_precision("auto", "cpu") == "bfloat16")]


@pytest.mark.slow
def test_the_benchmark_prints_a_row_for_each_encoder_size_and_precision(tmp_path: Path) -> None:
    shown = run_script("speed.py", tmp_path)
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in shown.splitlines() if line.startswith("│")]
    assert [(row[0], row[2], row[3]) for row in rows] == [
        (encoder, words, name) for encoder in ("rnn", "bag") for words in ("70", "250") for name in precisions()
    ]
    for *_, padded, packed, _, products in rows:
        assert float(padded) > 0
        assert (packed == "–") == (products == "–"), "a bag has no sequence and no products"


@pytest.mark.slow
def test_a_step_is_not_slower_than_one_of_pytorchs_modules() -> None:
    """At the sizes of `make bench-quick`, in a minute.

    The limit is wide since other tests run beside this one: steps that are PyTorch's own work, such as the LSTM's in
    float32, have a ratio of 1 and some noise. What it finds is a step that is clearly slower.
    """
    done = subprocess.run(
        ["make", "-o", f"{sys.prefix}/.ready", f"VENV={sys.prefix}", "bench-quick", "ARGS=--seconds 0.7 --limit 1.3"],
        cwd=EXPERIMENTS.parent, capture_output=True, text=True, timeout=290, env=environment(),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("│")]
    assert len(rows) == 4 * 2 * len(precisions())


@pytest.mark.slow
def test_keras_prints_the_seconds_of_a_step() -> None:
    python = EXPERIMENTS.parent / ".venv-keras/bin/python"
    if not python.exists():
        pytest.skip("Keras is not here: make bench installs it")
    case = json.dumps({"encoder": "rnn", "policy": "float32", "B": 2, "T": 5, "H": 4, "E": 3})
    done = subprocess.run([python, BENCHMARKS / "keras_case.py", case], capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.splitlines()[-1]) > 0
