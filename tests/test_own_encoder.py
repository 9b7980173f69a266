"""The encoder of docs/own_cell.md: its files, its test and its sweep, as they stand on that page."""

import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from documented import REPOSITORY
from processes import run_command

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
    (tmp_path / "min_gru.py").write_text(block("python", "class MinGru"), encoding="utf-8")
    (tmp_path / "my_conf" / "encoder").mkdir(parents=True)
    (tmp_path / "my_conf" / "encoder" / "min_gru.yaml").write_text(block("yaml", "MinGru"), encoding="utf-8")
    return tmp_path


@pytest.mark.slow
def test_the_documented_encoder_trains_beside_one_of_the_project(mine: Path) -> None:
    _, _, _, command, *overrides = shlex.split(block("sh", "my_conf").replace("\\\n", ""))
    said = run_command(command, mine, *overrides, *TINY, status=0).stdout
    assert re.findall(r"(\w+), pooling last, seed 0: validation", said) == ["min_gru", "gru"]


def test_the_documented_encoder_passes_its_documented_test(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(mine)
    monkeypatch.delitem(sys.modules, "min_gru", raising=False)
    names: dict[str, Any] = {}
    exec(block("python", "def test_"), names)
    names["test_padding_changes_no_state"]()
