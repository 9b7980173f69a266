"""`make setup` promises the torch that was tested, unless one is there or asked for that fits."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sentiment_rnn.config import CONFIGURATION

ROOT = Path(CONFIGURATION).parent
STUB = """#!/bin/sh
case "$*" in
  "-m venv "*) mkdir -p "$3/bin" && [ -z "$NO_PIP" ] && touch "$3/pip"; cp "$0" "$3/bin/python"; [ -z "$NO_PIP" ] ;;
  "-m pip --version") [ -e "$(dirname "$0")/../pip" ] ;;
  -c*importlib.metadata*) PYTHONPATH="$INSTALLED" exec "$REAL_PYTHON" -S "$@" ;;
  "-m pip config list") printf '%s\\n' "$PIP_SETTINGS" ;;
  "-m pip install "*) while [ "$1" != --constraint ]; do shift; done; cp "$2" "$RECORD" ;;
esac
"""
"""Answers as an interpreter that fits does, and keeps the constraints that pip would take."""


def constraints_of_setup(folder: Path, torch: str = "", pip_settings: str = "") -> list[str]:
    """The lines of constraints that `make setup` gives pip, where this version of torch is in the environment."""
    python = folder / "python"
    python.write_text(STUB)
    python.chmod(0o755)
    installed = folder / "installed"
    installed.mkdir()
    if torch:
        described = installed / f"torch-{torch}.dist-info"
        described.mkdir()
        (described / "METADATA").write_text(f"Metadata-Version: 2.1\nName: torch\nVersion: {torch}\n")
    record = folder / "constraints.txt"
    said = {"REAL_PYTHON": sys.executable, "INSTALLED": str(installed), "PIP_SETTINGS": pip_settings,
            "RECORD": str(record)}  # fmt: skip
    subprocess.run(
        ["make", "setup", f"PYTHON={python}", f"VENV={folder}/venv"],
        cwd=ROOT, check=True, capture_output=True, timeout=60, env=os.environ | said,
    )  # fmt: skip
    return record.read_text().splitlines()


@pytest.mark.parametrize(
    ("torch", "pins"),
    [("", 2), ("2.3.1", 2), ("2.9.1+cpu", 2), ("2.10.0", 0), ("2.14.1+cpu", 0), ("2.16.0.dev20261101+cu132", 0)],
)
def test_a_torch_that_is_there_and_fits_stays_and_else_there_is_the_one_that_was_tested(
    torch: str, pins: int, tmp_path: Path
) -> None:
    lines = constraints_of_setup(tmp_path, torch)
    assert len([line for line in lines if line.startswith("torch==")]) == pins
    assert any(line.startswith("torchtext==") for line in lines)


@pytest.mark.parametrize(
    ("constraint", "first"),
    [("torch<=2.13.0", True), ("torchvision<1\ntorchtext==0.6.0", False)],
)
@pytest.mark.parametrize(
    "setting", ["global.constraint='{0}'", ":env:.constraint='{0}'", "global.constraint='{1}\\n{0}'"]
)
def test_a_constraint_of_the_users_pip_on_torch_comes_first(
    setting: str, constraint: str, first: bool, tmp_path: Path
) -> None:
    mine, other = tmp_path / "mine.txt", tmp_path / "other.txt"
    mine.write_text(f"# mine\n{constraint}\n")
    other.write_text("pandas<4\n")
    lines = constraints_of_setup(tmp_path, pip_settings=setting.format(mine, other))
    assert any(line.startswith("torch==") for line in lines) != first


def test_make_names_the_versions_that_fit_when_given_another_python(tmp_path: Path) -> None:
    unfit = tmp_path / "python3.9"
    unfit.write_text("#!/bin/sh\nexit 1\n")  # as any interpreter outside 3.10 to 3.14 answers
    unfit.chmod(0o755)
    made = subprocess.run(
        ["make", "setup", f"PYTHON={unfit}", f"VENV={tmp_path}/venv"],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert made.returncode != 0
    assert "Python 3.10 to 3.14" in made.stderr.splitlines()[0]
    assert not (tmp_path / "venv").exists()
