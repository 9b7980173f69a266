"""The scripts under experiments/, each run by the small command that its docstring gives, on generated reviews."""

import ast
import csv
import hashlib
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from device import in_words, precisions, processor
from processes import environment
from sentiment_rnn import runtime
from sentiment_rnn.config.tracking import TrackingConfig
from sentiment_rnn.inference.package import Package, write_package
from sentiment_rnn.studies.kit.correctness import read_correct
from sentiment_rnn.tracking.models import PACKAGE, log_model, register
from sentiment_rnn.tracking.store import open_store

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
SCRIPTS = {
    "throughput/measure.py": {
        "throughput/benchmark.py", "throughput/cases.py", "throughput/device.py", "throughput/floor.py",
        "throughput/measure_results.py", "throughput/models.py", "throughput/sample.py", "throughput/step.py",
    },
    "throughput/wide.py": {"throughput/pair.py"},
    "throughput/language.py": set(),
    "throughput/quick.py": set(),
    "throughput/small_runs.py": {"throughput/small_recurrence.py"},
    "throughput/growth.py": {"throughput/point.py", "throughput/growth_results.py"},
    "throughput/startup.py": {"throughput/first_step.py"},
    "throughput/neighbor.py": set(),
    "throughput/sweep.py": set(),
    "throughput/keras_case.py": set(),
    "overhead/measure.py": set(),
    "prediction/measure.py": set(),
    "word_pairs/word_pairs.py": {"word_pairs/films.py", "word_pairs/nbsvm.py"},
}  # fmt: skip
"""Each script that has a test here, and the files that it imports or starts."""


def test_every_script_has_a_test() -> None:
    there = {path.relative_to(EXPERIMENTS).as_posix() for path in EXPERIMENTS.rglob("*.py")}
    assert there == set(SCRIPTS).union(*SCRIPTS.values())


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
def test_the_benchmark_writes_its_tables_and_its_figure_without_keras(tmp_path: Path) -> None:
    done = run_script("throughput/measure.py", tmp_path, "--keras", str(tmp_path / "none"))
    assert "no Keras in" in done.stderr
    floors = ["floor float32"] + ["floor bfloat16"] * (runtime.resolve_precision("auto", "auto") == "bfloat16")
    cases = ["packed", "rows", "rows", *floors]
    results = read_csv(tmp_path / "results.csv")
    assert [row["case"] for row in results] == cases
    assert [row["batch_size"] for row in results] == ["16", "16", "32"] + [""] * len(floors)
    assert all(float(row[name]) > 0 for row in results for name in ("epoch_seconds", "tokens_per_second"))
    heading, *rows = block(tmp_path, "throughput")
    assert len(rows) == len(cases)
    assert {row[heading.index("× Keras")] for row in rows} == {"–"}
    assert rows[0][heading.index("× packed")] == "1.0"
    parts = read_csv(tmp_path / "profile.csv")
    assert all(float(part["milliseconds"]) >= 0 for part in parts if part["part"] != "other")
    heading, *rows = block(tmp_path, "profile")
    assert heading[1:] == ["lstm, B 16", "lstm, B 32"]
    assert rows[-1][0] == "all"
    assert all(float(cell) > 0 for cell in rows[-1][1:])
    assert is_a_figure(tmp_path / "throughput.png")


@pytest.mark.slow
def test_wide_and_deep_nets_are_timed_beside_pytorchs_modules_and_the_floor(tmp_path: Path) -> None:
    run_script("throughput/wide.py", tmp_path)
    _, *rows = block(tmp_path, "wide")
    nets = [["8", "1", "1"], ["8", "2", "2"]]
    assert [row[:4] for row in rows] == [[encoder, *net] for encoder in ("lstm", "gru") for net in nets]
    assert all(float(cell) > 0 for row in rows for cell in row[7:])
    assert all(float(row[8]) > 1 for row in rows), "a step is faster than its matrix products"
    assert processor() in (tmp_path / "README.md").read_text()


@pytest.mark.slow
def test_the_output_over_all_words_is_timed_beside_its_step(tmp_path: Path) -> None:
    run_script("throughput/language.py", tmp_path)
    _, row = block(tmp_path, "language")
    assert row[0] == "rnn"
    assert all(float(cell.removesuffix(" ms")) > 0 for cell in row[1:5])
    assert float(row[2].removesuffix(" ms")) > float(row[4].removesuffix(" ms")), "a part has more products"
    assert float(row[-1].removesuffix("%")) > 0


@pytest.mark.slow
def test_the_quick_benchmark_prints_a_ratio_a_row_and_writes_nothing(tmp_path: Path) -> None:
    shown = run_script("throughput/quick.py", tmp_path).stdout
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in shown.splitlines() if line.startswith("│")]
    names = [in_words(precision) for precision in precisions()]
    assert [(row[0], row[2]) for row in rows] == [(encoder, name) for encoder in ("rnn", "bag") for name in names]
    assert all(float(row[-1]) > 0 for row in rows)
    readme = (EXPERIMENTS / "throughput" / "README.md").read_text()
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
def test_small_runs_are_timed_by_two_versions_in_turn(tmp_path: Path) -> None:
    other = tmp_path / "other"
    for folder in ("src", "conf"):
        shutil.copytree(EXPERIMENTS.parent / folder, other / folder)
    run_script("throughput/small_runs.py", tmp_path, "--source", str(other / "src"))
    _, alone, *rows = block(tmp_path, "small")
    # Of 200 reviews a tenth is for validation; batches of 64.
    assert alone[1] == "the recurrence alone: 3 steps"
    assert [row[1] for row in rows[::2]] == [
        "a sweep of one run", "a sweep of 3 such runs, one after the other", "of these, each after the first",
        "a sweep of 1 runs of rnn",
    ]  # fmt: skip
    assert [row[1] for row in rows[::2]] == [row[1] for row in rows[1::2]]
    assert len({row[0] for row in rows[::2]}) == 1
    assert {row[0] for row in rows[1::2]} == {"other"}
    assert all(float(row[3]) > 1 for row in rows[:2]), "a run is faster than its arithmetic"
    one, three, further = (float(row[2].removesuffix(" s")) for row in rows[:6:2])
    assert further == pytest.approx((three - one) / 2, abs=0.11)  # all three are rounded
    assert all(int(row[4]) > 0 for row in rows[:4])


@pytest.mark.slow
def test_the_growth_of_a_step_is_measured_along_each_axis(tmp_path: Path) -> None:
    run_script("throughput/growth.py", tmp_path)
    points = read_csv(tmp_path / "growth.csv")
    assert [(p["axis"], p["value"]) for p in points] == [
        ("T", "16"), ("T", "32"), ("B", "8"), ("B", "16"), ("H", "32"), ("H", "64"),
    ]  # fmt: skip
    assert all(float(point["seconds"]) > 0 and int(point["peak_bytes"]) >= 0 for point in points)
    heading, row = block(tmp_path, "growth")
    assert heading[2:] == ["time by T", "time by B", "time by H", "memory by T", "memory by B", "stops at"]
    assert row[:2] == ["lstm", "this project"]
    assert row[-1] == "–"
    assert all(np.isfinite(float(cell)) for cell in row[2:5])
    assert is_a_figure(tmp_path / "growth.png")


@pytest.mark.slow
def test_the_start_of_commands_is_timed(tmp_path: Path) -> None:
    run_script("throughput/startup.py", tmp_path)
    _, *rows = block(tmp_path, "startup")
    assert [row[0].split(":")[0] for row in rows] == ["train, cold", "train, warm", "predict, one text", "train --help"]
    took = [float(row[2].removesuffix(" s")) for row in rows]
    assert min(took[:3]) > took[3] > 0  # help loads no library that the others need


@pytest.mark.slow
def test_an_epoch_is_timed_alone_and_beside_a_busy_neighbor(tmp_path: Path) -> None:
    run_script("throughput/neighbor.py", tmp_path)
    _, *rows = block(tmp_path, "neighbor")
    assert [row[0] for row in rows] == ["rnn"] * 3 + ["bag"] * 2
    assert [re.search(r"\w+=\w+|one thread|\d threads", row[1]).group() for row in rows] == [  # type: ignore[union-attr]
        "GOMP_SPINCOUNT=300000", "GOMP_SPINCOUNT=1000", "OMP_WAIT_POLICY=passive", "one thread",
        f"{runtime.cores()} threads",
    ]  # fmt: skip
    assert all(float(cell.removesuffix(" s")) > 0 for row in rows for cell in row[2:])


@pytest.mark.slow
def test_a_sweep_is_timed_in_turn_and_side_by_side(tmp_path: Path) -> None:
    run_script("throughput/sweep.py", tmp_path)
    _, *rows = block(tmp_path, "sweep")
    assert [row[:2] for row in rows] == [
        ["bag", "one after the other"], ["bag", "2 side by side, a core each"],
    ]  # fmt: skip
    assert all(float(cell.removesuffix(" s")) > 0 for row in rows for cell in row[2:])


@pytest.mark.slow
def test_the_keras_case_prints_the_seconds_of_each_batch(tmp_path: Path) -> None:
    python = EXPERIMENTS.parent / ".venv-keras/bin/python"
    if not python.exists():
        pytest.skip("Keras is not here: make bench installs it")
    batch = {"tokens0": np.ones((2, 5), int), "lengths0": np.array([5, 5]), "labels0": np.array([0.0, 1.0])}
    np.savez(tmp_path / "batches.npz", **batch)
    done = subprocess.run(
        [python, EXPERIMENTS / "throughput/keras_case.py", "float32", "rnn", tmp_path / "batches.npz", "1"],
        capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (seconds,) = json.loads(done.stdout.splitlines()[-1])["seconds"]
    assert seconds > 0


@pytest.mark.slow
def test_the_overhead_is_the_ratio_of_a_whole_epoch_to_a_bare_one(tmp_path: Path) -> None:
    done = run_script("overhead/measure.py", tmp_path)
    said = re.search(r"lstm medians: (\S+) s, (\S+) s, ratio (\S+)$", done.stdout, re.MULTILINE)
    assert said is not None, done.stdout
    assert all(float(number) > 0 for number in said.groups())


def test_order_is_worth_much_to_a_linear_classifier_where_it_decides(tmp_path: Path) -> None:
    """In generated reviews a bag of words is at chance: a pair, and still more a triple, says more."""
    run_script("word_pairs/word_pairs.py", tmp_path)
    results = {row["classifier"]: float(row["test/accuracy"]) for row in read_csv(tmp_path / "results.csv")}
    words, pairs, triples, shuffled = list(results.values())[:4]
    assert abs(words - 0.5) < 0.05
    assert abs(shuffled - 0.5) < 0.05
    assert words + 0.05 < pairs < triples - 0.05
    text = (tmp_path / "README.md").read_text()
    assert "| Pairs of words say more than words. | **holds** |" in text
    assert all(f"| {name} |" in text for name in results)


def test_the_tables_of_word_pairs_are_those_of_the_committed_files(tmp_path: Path) -> None:
    folder = EXPERIMENTS / "word_pairs"
    for name in ("README.md", "results.csv", "correct.npz", "films.npy"):
        shutil.copy(folder / name, tmp_path)
    script = [sys.executable, str(folder / "word_pairs.py"), "--report", "--folder", str(tmp_path)]
    subprocess.run(script, check=True, capture_output=True, timeout=280, env=environment())
    assert (tmp_path / "README.md").read_text() == (folder / "README.md").read_text(), "run word_pairs.py --report"
    (gain,) = re.findall(r"^\| Pairs of words .*: \+([\d.]+) \(", (tmp_path / "README.md").read_text(), re.MULTILINE)
    assert (tmp_path / "verdicts.json").read_text() == (folder / "verdicts.json").read_text()
    for document in (EXPERIMENTS.parent / "docs/findings.md", folder / "README.md"):
        assert f"{gain} points over words" in document.read_text()
    protocol = hashlib.sha256((folder / "protocol.md").read_bytes()).hexdigest()
    assert json.loads((folder / "provenance.json").read_text()) == {"protocol": protocol}
    _, runs = read_correct(folder)
    stated = {row["classifier"]: row["test/accuracy"] for row in read_csv(folder / "results.csv")}
    assert stated == {run.key[0]: f"{run.correct.mean():.6g}" for run in runs}


@pytest.mark.slow
def test_prediction_is_timed_as_a_command_in_batches_and_one_at_a_time(
    tmp_path: Path, build_package: Callable[..., Package]
) -> None:
    store = open_store(TrackingConfig(uri=None, directory=str(tmp_path / "runs"), experiment="sentiment_rnn"))
    run_id = store.client.create_run(store.experiment_id, tags={"encoder": "lstm"}).info.run_id
    write_package(build_package(run=run_id), tmp_path / PACKAGE)
    log_model(store, run_id, tmp_path / PACKAGE, {"encoder": "lstm"})
    register(store, "sentiment", {"champion": run_id})
    shown = run_script("prediction/measure.py", tmp_path).stdout
    assert "Test reviews of generated" in shown
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in shown.splitlines() if line.startswith("│")]
    assert [row[:2] for row in rows] == [
        ["predict --file, the command", "20"], ["predict, loaded", "20"], ["of which tokenizing", "20"],
        ["one review at a time", "5"], ["10", rows[-2][1]], ["100", rows[-1][1]],
    ]  # fmt: skip
    assert all(float(cell.replace(",", "")) > 0 for row in rows for cell in row[1:])
