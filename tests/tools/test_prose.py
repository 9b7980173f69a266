"""The check of plain English finds what it is for, and nothing in code, tables and generated blocks."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROSE = Path(__file__).resolve().parents[2] / "tools" / "prose.py"
LONG = " ".join(["word"] * 36) + "."


def check(path: Path, text: str) -> list[str]:
    """Violations that it prints for a text."""
    path.write_text(text)
    done = subprocess.run([sys.executable, str(PROSE), path.name], cwd=path.parent, capture_output=True, text=True)
    assert done.returncode == (1 if done.stdout else 0), done.stderr
    return done.stdout.splitlines()


def test_a_long_sentence_is_found_with_its_line(tmp_path: Path) -> None:
    assert check(tmp_path / "a.md", f"# Title\n\nShort.\n\nOne line,\n{LONG}\n") == [
        "a.md:5: 38 words, 35 at most: One line, word word word word word word word word word word …"
    ]


def test_a_private_term_is_found_with_the_fields(tmp_path: Path) -> None:
    assert check(tmp_path / "a.md", "A sweep that is taken up.\n") == ["a.md:1: 'taken up'; the field says 'resumed'"]


def test_of_a_notebook_the_markdown_is_read(tmp_path: Path) -> None:
    cells = [{"cell_type": kind, "source": ["Short.\n", "\n", LONG]} for kind in ("code", "markdown")]
    assert check(tmp_path / "a.ipynb", json.dumps({"cells": cells})) == [
        "a.ipynb:cell 2:3: 36 words, 35 at most: word word word word word word word word word word word word …"
    ]


def test_of_python_the_docstrings_are_read_without_formulas_and_columns(tmp_path: Path) -> None:
    code = f'''"""Short.

folder/file.txt      {LONG}
    h_t = {LONG}

{LONG}
"""

LONG = "{LONG}"
x = 1
"""{LONG}"""
'''
    found = check(tmp_path / "a.py", code)
    assert [line.split(" words")[0] for line in found] == ["a.py:1:6: 36", "a.py:11:1: 36"]


@pytest.mark.parametrize(
    "text",
    [
        f"```sh\n{LONG}\n```\n",
        f"| cell |\n| --- |\n| {LONG} |\n",
        f"<!-- a:start -->\n{LONG}\n<!-- a:end -->\n",
        f"# {LONG}\n",
        f"Run `{LONG}` now.\n",
        f"It is ${LONG}$, and\n\n$${LONG}$$\n",
        "- " + " ".join(["word"] * 20) + ".\n- " + " ".join(["word"] * 20) + ".\n",
        "One two three. " * 12 + "\n",
    ],
)
def test_code_tables_and_short_sentences_pass(tmp_path: Path, text: str) -> None:
    assert check(tmp_path / "a.md", text) == []
