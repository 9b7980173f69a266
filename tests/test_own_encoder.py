"""docs/own_cell.md promises that its encoder trains, passes its test and comes into the figure as written there."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from documented import REPOSITORY
from processes import environment, run_command

TINY = (
    "data.train_reviews=120", "data.test_reviews=40", "data.max_lag=20", "trainer.epochs=1", "trainer.threads=1",
    "encoder.hidden_size=4", "embedding.size=4", "tracking.system_metrics=false", "seed=0",
)  # fmt: skip


def block(language: str, containing: str) -> str:
    """The one code block of the page with these words."""
    text = (REPOSITORY / "docs" / "own_cell.md").read_text(encoding="utf-8")
    (found,) = [code for code in re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL) if containing in code]
    return found


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A folder with the files of the page."""
    (tmp_path / "update_gate.py").write_text(block("python", "class UpdateGateRnn"), encoding="utf-8")
    (tmp_path / "my_conf" / "encoder").mkdir(parents=True)
    (tmp_path / "encoder").mkdir()
    for file, line in (
        ("my_conf/encoder/update_gate", "hidden_size: 256"),
        ("encoder/update_gate_slow", "chrono_steps"),
    ):
        (tmp_path / f"{file}.yaml").write_text(block("yaml", line), encoding="utf-8")
    return tmp_path


@pytest.mark.slow
def test_the_documented_encoder_trains_beside_one_of_the_project(mine: Path) -> None:
    start, line, then = block("sh", "my_conf").replace("\\\n", "").strip().splitlines()
    assert start == "source .venv/bin/activate"
    _, _, _, command, *overrides = shlex.split(line)
    assert command == "train"
    said = run_command(command, mine, *overrides, *TINY, status=0).stdout
    assert re.findall(r"(\w+), pooling last, seed 0: validation", said) == ["update_gate", "gru"]
    assert then == "sentiment-rnn compare cells --output runs/cells"
    said = run_command("compare", mine, "cells", "--output", "runs/cells", status=0).stdout
    assert "Figure: runs/cells/comparison" in said


def test_the_documented_encoder_passes_its_documented_test(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(mine)
    monkeypatch.delitem(sys.modules, "update_gate", raising=False)
    names: dict[str, Any] = {}
    exec(block("python", "def test_"), names)
    names["test_padding_changes_no_state"]()


@pytest.mark.slow
def test_the_documented_cell_is_drawn_into_the_picture_also_with_slow_gates(mine: Path) -> None:
    tiny = " ".join(TINY[:2]) + " trainer.epochs=2 embedding.size=4 hydra/launcher=basic"
    there = environment()
    there["PYTHONPATH"] = os.pathsep.join(filter(None, [str(mine), there.get("PYTHONPATH")]))
    for encoder in ("update_gate.UpdateGateRnn", "encoder/update_gate_slow.yaml"):
        line = block("sh", f"make lag ENCODER={encoder} LAGS=100 DRAWS=8")
        line = line.replace("LAGS=100 DRAWS=8", "LAGS=20 DRAWS=4").replace("=encoder/", f"={mine}/encoder/")
        command = [*shlex.split(line), "-o", f"{sys.prefix}/.ready", f"VENV={sys.prefix}", f"STORE={mine / 'runs'}",
                   f"ARGS={tiny}"]  # fmt: skip
        done = subprocess.run(command, cwd=REPOSITORY, env=there, capture_output=True, text=True, timeout=280)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.startswith("8 runs: about ")
        assert "lag 20, 4 draws: S(4) " in done.stdout
        assert "Exploratory: no protocol, no verdict." in done.stdout
    for folder, label in (("update_gate_rnn", "UpdateGateRnn"), ("update_gate_slow", "update gate RNN, slow")):
        table = (mine / "runs" / "lag" / folder / "table.md").read_text(encoding="utf-8")
        assert re.search(rf"^\| {label} \(new\) \| \d+ \(\d+–\d+\) \| \d/4 \|", table, re.MULTILINE)
        assert (mine / "runs" / "lag" / folder / "reach.png").stat().st_size > 10_000
