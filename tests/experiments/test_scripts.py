"""The scripts of the benchmarks, each run by the small command that its docstring gives, on generated reviews."""

import ast
import csv
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from PIL import Image

from cases import Case, save
from device import in_words, precisions, unit
from processes import environment
from sentiment_rnn import runtime
from sentiment_rnn.config.sections import TrackingConfig
from sentiment_rnn.inference.package import Package, write_package
from sentiment_rnn.tracking.models import PACKAGE, log_model, register
from sentiment_rnn.tracking.store import open_store

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
BENCHMARKS = EXPERIMENTS / "benchmarks"
SCRIPTS = {
    "benchmarks/epoch.py": {
        "benchmarks/benchmark.py", "benchmarks/cases.py", "benchmarks/device.py", "benchmarks/ratios.py",
        "benchmarks/steps.py",
    },
    "benchmarks/pairs.py": set(),
    "benchmarks/commands.py": {"benchmarks/first_step.py"},
    "benchmarks/keras_case.py": set(),
    "benchmarks/language_model.py": set(),
    "benchmarks/overhead.py": set(),
    "benchmarks/prediction.py": set(),
}  # fmt: skip
"""Each script that has a test here, and the files that it imports or starts."""


def test_every_script_of_the_benchmarks_has_a_test() -> None:
    there = {path.relative_to(EXPERIMENTS).as_posix() for path in BENCHMARKS.glob("*.py")}
    assert there == set(SCRIPTS).union(*SCRIPTS.values())


def test_every_module_of_a_study_is_imported_by_a_test_or_by_another_module() -> None:
    modules = [path for path in EXPERIMENTS.glob("*/*.py") if path.parent not in (BENCHMARKS, EXPERIMENTS / "lab")]
    there = {".".join(path.relative_to(EXPERIMENTS.parent).with_suffix("").parts) for path in modules}
    assert "experiments.imdb.word_pairs" in there
    for path in [*modules, *(EXPERIMENTS.parent / "tests" / "lab").glob("test_*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                there -= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    assert there == set()


def documented(script: str, folder: Path) -> list[str]:
    """The last command of a script's docstring, its FOLDER being `folder`."""
    docstring = ast.get_docstring(ast.parse((EXPERIMENTS / script).read_text())) or ""
    python, path, *arguments = shlex.split(re.findall(r"^ +(python .*)$", docstring, re.MULTILINE)[-1])
    assert (python, path) == ("python", f"experiments/{script}")
    return [str(folder) if argument == "FOLDER" else argument for argument in arguments]


def run_script(script: str, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Run a script by its documented command in `folder`, with a copy of its README there."""
    shutil.copy((EXPERIMENTS / script).with_name("README.md"), folder)
    done = subprocess.run(
        [sys.executable, str(EXPERIMENTS / script), *documented(script, folder), *more],
        cwd=folder, capture_output=True, text=True, timeout=280, env=environment(),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def block(folder: Path, name: str) -> list[list[str]]:
    """The rows of a table in the README, its heading first."""
    text = (folder / "README.md").read_text()
    inside = text[text.index(f"<!-- {name}:start -->") : text.index(f"<!-- {name}:end -->")]
    rows = [line.strip("| ").split(" | ") for line in inside.splitlines() if line.startswith("|")]
    assert all(len(row) == len(rows[0]) for row in rows)
    return [row for row in rows if set(row) != {"---"}]


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def is_a_figure(path: Path) -> bool:
    """Whether a file is a PNG that opens."""
    with Image.open(path) as image:
        image.load()
        return image.format == "PNG" and min(image.size) > 100


@pytest.mark.slow
def test_the_benchmark_writes_its_tables_and_its_figure_without_keras_and_beside_a_busy_neighbor(
    tmp_path: Path,
) -> None:
    done = run_script("benchmarks/epoch.py", tmp_path, "--keras", str(tmp_path / "none"))
    assert "no Keras in" in done.stderr
    floors = ["floor float32"] + ["floor bfloat16"] * (runtime.resolve_precision("auto", "auto") == "bfloat16")
    cases = ["packed", "rows", "rows", *floors]
    results = read_csv(tmp_path / "results" / unit() / "epoch.csv")
    assert [row["case"] for row in results] == cases
    assert [row["batch_size"] for row in results] == ["16", "16", "32"] + [""] * len(floors)
    assert all(float(row[name]) > 0 for row in results for name in ("epoch_seconds", "tokens_per_second"))
    heading, row = block(tmp_path, "ratios")
    assert row[heading.index("encoder")] == "lstm"
    assert [row[heading.index(name)] for name in ("× Keras", "beside a neighbor", "side by side")] == ["–"] * 3
    assert all(float(row[heading.index(name)]) > 0 for name in ("× packed", "× floor"))
    assert is_a_figure(tmp_path / "throughput.png")
    beside = read_csv(tmp_path / "results" / unit() / "neighbor.csv")
    assert [row["encoder"] for row in beside] == ["bag"] * 2
    assert all(float(row[name]) > 0 for row in beside for name in row if name not in {"encoder", "waiting threads"})


@pytest.mark.slow
def test_the_quick_benchmark_prints_a_ratio_a_row_and_writes_nothing(tmp_path: Path) -> None:
    shown = run_script("benchmarks/pairs.py", tmp_path).stdout
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in shown.splitlines() if line.startswith("│")]
    names = [in_words(precision) for precision in precisions()]
    assert [(row[0], row[2], row[3]) for row in rows] == [
        (encoder, words, name) for encoder in ("rnn", "bag") for words in ("70", "250") for name in names
    ]
    assert all(float(row[7]) > 0 for row in rows)
    assert all((row[8] == "–") == (row[0] == "bag") for row in rows), "a bag has no products to compare with"
    readme = (BENCHMARKS / "README.md").read_text()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"README.md": readme}


@pytest.mark.slow
def test_a_step_is_not_slower_than_one_of_pytorchs_modules() -> None:
    """At the sizes of `make bench-quick`, in a minute.

    The limit is wide since other tests run beside this one: steps that are PyTorch's own work, such as the LSTM's in
    float32, have a ratio of 1 and some noise. What it finds is a step that is clearly slower.
    """
    done = subprocess.run(
        ["make", "-o", f"{sys.prefix}/.ready", f"VENV={sys.prefix}", "bench-quick", "ARGS=--seconds 1.5 --limit 1.3"],
        cwd=EXPERIMENTS.parent, capture_output=True, text=True, timeout=290, env=environment(),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("│")]
    assert len(rows) == 4 * 2 * len(precisions())


@pytest.mark.slow
def test_whole_commands_are_timed_their_start_and_sweeps_in_turn_and_side_by_side(tmp_path: Path) -> None:
    run_script("benchmarks/commands.py", tmp_path)
    starts, runs = (read_csv(tmp_path / "results" / unit() / f"{name}.csv") for name in ("startup", "sweep"))
    assert [row["command"].split(":")[0] for row in starts] == [
        "train, cold", "train, warm", "predict, one text", "train --help",
    ]  # fmt: skip
    took = [float(row["took [s]"]) for row in starts]
    assert min(took[:3]) > took[3] > 0  # help loads no library that the others need
    assert [(row["encoder"], row["runs"]) for row in runs] == [
        ("bag", "one after the other"), ("bag", "2 side by side, a core each"),
    ]  # fmt: skip
    assert all(float(row[name]) > 0 for row in runs for name in ("took [s]", "runs an hour", "ratio"))


@pytest.mark.slow
def test_the_keras_case_prints_the_seconds_of_each_batch(tmp_path: Path) -> None:
    python = EXPERIMENTS.parent / ".venv-keras/bin/python"
    if not python.exists():
        pytest.skip("Keras is not here: make bench installs it")
    batch = (torch.ones(2, 5, dtype=torch.int64), torch.tensor([5, 5]), torch.tensor([0.0, 1.0]))
    case = Case("float32", "rnn", str(save([batch], tmp_path / "batches.npz")), repeats=1)
    done = subprocess.run(
        [python, BENCHMARKS / "keras_case.py", json.dumps(asdict(case))], capture_output=True, text=True, timeout=280
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (seconds,) = json.loads(done.stdout.splitlines()[-1])["seconds"]
    assert seconds > 0


@pytest.mark.slow
def test_the_overhead_is_the_ratio_of_a_whole_run_to_a_bare_loop_and_where_its_seconds_go(tmp_path: Path) -> None:
    done = run_script("benchmarks/overhead.py", tmp_path)
    (parts,) = re.findall(r"whole (\S+) s \(start (\S+), steps (\S+), evaluation (\S+), records (\S+)\)$",
                          done.stdout, re.MULTILINE)  # fmt: skip
    whole, *of = map(float, parts)
    assert sum(of) == pytest.approx(whole, abs=0.03)
    assert min(of) >= 0
    said = re.search(r"lstm medians: (\S+) s, (\S+) s, ratio (\S+)$", done.stdout, re.MULTILINE)
    assert said is not None, done.stdout
    assert all(float(number) > 0 for number in said.groups())


@pytest.mark.slow
def test_a_step_of_a_language_model_is_timed_beside_plain_pytorch(tmp_path: Path) -> None:
    shown = run_script("benchmarks/language_model.py", tmp_path).stdout
    assert re.search(r"^peak memory so far \d+\.\d\d GiB$", shown, re.MULTILINE)
    took = dict(re.findall(r"^(.+): (\d\.\d{3}) s, [\d,]+ tokens a second$", shown, re.MULTILINE))
    assert list(took) == ["sampled step", "full step", "recurrence", "full output", "its products", "plain PyTorch"]
    ratios = dict(re.findall(r"^(.+ / .+): (\S+)$", shown, re.MULTILINE))
    assert list(ratios) == ["plain PyTorch / sampled step", "sampled step / recurrence", "full output / its products"]
    assert all(float(ratio) > 0 for ratio in ratios.values())


@pytest.mark.slow
def test_prediction_is_timed_as_a_command_in_batches_and_one_at_a_time(
    tmp_path: Path, build_package: Callable[..., Package]
) -> None:
    store = open_store(TrackingConfig(uri=None, directory=str(tmp_path / "runs"), experiment="sentiment_rnn"))
    run = store.client.create_run(store.experiment_id, tags={"encoder": "lstm"})
    run_id = run.info.run_id
    write_package(build_package(run=run_id), tmp_path / PACKAGE)
    log_model(store, run, tmp_path / PACKAGE, {"encoder": "lstm"})
    register(store, "sentiment", {"champion": run_id})
    shown = run_script("benchmarks/prediction.py", tmp_path).stdout
    assert "Test reviews of generated" in shown
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in shown.splitlines() if line.startswith("│")]
    assert [row[:2] for row in rows] == [
        ["predict --file, the command", "20"], ["predict, loaded", "20"], ["of which tokenizing", "20"],
        ["one review at a time", "5"], ["10", rows[-2][1]], ["100", rows[-1][1]],
    ]  # fmt: skip
    assert all(float(cell.replace(",", "")) > 0 for row in rows for cell in row[1:])
