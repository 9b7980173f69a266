"""Which torch `make setup` asks for, seen by a Python that records what it is told to install."""

import os
import subprocess
from pathlib import Path

import pytest

from sentiment_rnn.command import CONFIGURATION

STUB = """#!/bin/sh
case "$*" in
  "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
  "-m pip show --quiet torch") exit "$TORCH_MISSING" ;;
  "-m pip config list") echo "$PIP_SETTINGS" ;;
  "-m pip install "*) while [ "$1" != --constraint ]; do shift; done; cp "$2" "$RECORD" ;;
esac
"""
"""Answers as an interpreter that fits does, and keeps the constraints that pip would take."""


def constraints_of_setup(folder: Path, torch_is_there: bool = False, pip_settings: str = "") -> list[str]:
    """The lines of constraints that `make setup` gives pip."""
    python = folder / "python"
    python.write_text(STUB)
    python.chmod(0o755)
    record = folder / "constraints.txt"
    said = {"TORCH_MISSING": str(int(not torch_is_there)), "PIP_SETTINGS": pip_settings, "RECORD": str(record)}
    subprocess.run(
        ["make", "setup", f"PYTHON={python}", f"VENV={folder}/venv"],
        cwd=Path(CONFIGURATION).parent, check=True, capture_output=True, timeout=60, env=os.environ | said,
    )  # fmt: skip
    return record.read_text().splitlines()


def pins(lines: list[str]) -> list[str]:
    """Those of torch itself."""
    return [line for line in lines if line.startswith("torch==")]


def test_an_empty_environment_gets_the_torch_that_was_tested(tmp_path: Path) -> None:
    lines = constraints_of_setup(tmp_path)
    assert lines == (Path(CONFIGURATION).parent / "constraints.txt").read_text().splitlines()
    assert len(pins(lines)) == 2


def test_a_torch_that_is_there_stays(tmp_path: Path) -> None:
    lines = constraints_of_setup(tmp_path, torch_is_there=True)
    assert not pins(lines)
    assert any(line.startswith("torchtext==") for line in lines)


@pytest.mark.parametrize(("constraint", "kept"), [("torch<=2.13.0", True), ("numpy<3", False)])
def test_a_constraint_of_the_users_pip_on_torch_comes_first(constraint: str, kept: bool, tmp_path: Path) -> None:
    (tmp_path / "pip.txt").write_text(f"# mine\n{constraint}\n")
    lines = constraints_of_setup(tmp_path, pip_settings=f"global.constraint='{tmp_path}/pip.txt'")
    assert (not pins(lines)) == kept


def test_no_pin_is_of_a_local_version() -> None:
    root = Path(CONFIGURATION).parent
    pinned = [line for line in (root / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert all("+" not in line and "==" in line for line in pinned)
    assert "+cpu" not in (root / "pyproject.toml").read_text()
    assert "+cu" not in (root / "pyproject.toml").read_text()
