"""The check of plain English promises to find what it is for, and nothing in code, tables and generated blocks."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROSE = Path(__file__).resolve().parents[2] / "tools" / "prose.py"
PRIVATE = "A sweep that is taken up."
FOUND = "'taken up'; the field says 'resumed'"


def check(path: Path, text: str) -> list[str]:
    """Violations that it prints for a text."""
    path.write_text(text)
    done = subprocess.run([sys.executable, str(PROSE), path.name], cwd=path.parent, capture_output=True, text=True)
    assert done.returncode == (1 if done.stdout else 0), done.stderr
    return done.stdout.splitlines()


def test_a_private_term_is_found_with_its_line_and_the_fields(tmp_path: Path) -> None:
    assert check(tmp_path / "a.md", f"# Title\n\nShort.\n\n{PRIVATE}\n") == [f"a.md:5: {FOUND}"]


def test_of_a_notebook_the_markdown_is_read(tmp_path: Path) -> None:
    cells = [{"cell_type": kind, "source": ["Short.\n", "\n", PRIVATE]} for kind in ("code", "markdown")]
    assert check(tmp_path / "a.ipynb", json.dumps({"cells": cells})) == [f"a.ipynb:cell 2:3: {FOUND}"]


def test_of_python_the_docstrings_are_read_without_formulas_and_columns(tmp_path: Path) -> None:
    code = f'''"""Short.

folder/file.txt      {PRIVATE}
    h_t = {PRIVATE}

{PRIVATE}
"""

TEXT = "{PRIVATE}"
x = 1
"""{PRIVATE}"""
'''
    assert check(tmp_path / "a.py", code) == [f"a.py:1:6: {FOUND}", f"a.py:11:1: {FOUND}"]


@pytest.mark.parametrize(
    "text",
    [
        f"```sh\n{PRIVATE}\n```\n",
        f"| cell |\n| --- |\n| {PRIVATE} |\n",
        f"<!-- a:start -->\n{PRIVATE}\n<!-- a:end -->\n",
        f"# {PRIVATE}\n",
        f"Run `{PRIVATE}` now.\n",
        f"It is ${PRIVATE}$, and\n\n$${PRIVATE}$$\n",
    ],
)
def test_code_tables_and_formulas_pass(tmp_path: Path, text: str) -> None:
    assert check(tmp_path / "a.md", text) == []
