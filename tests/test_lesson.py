"""The lesson's notebook is a valid file without outputs, in plain English, and runs from its first cell to its last."""

import ast
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from nbclient import NotebookClient

REPOSITORY = Path(__file__).resolve().parents[1]
LESSON = REPOSITORY / "notebooks" / "lesson.ipynb"
TINY = 'LAGS = {"short": 2, "long": 6}\nREVIEWS, EPOCHS, SEEDS = 200, 1, (0,)'
"""In place of the cell that is tagged `parameters`: every line runs, and nothing is learnt."""
LONGEST_CELL = 30
"""Lines of code."""


@pytest.fixture
def lesson() -> nbformat.NotebookNode:
    return nbformat.read(LESSON, as_version=nbformat.NO_CONVERT)


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_the_lesson_is_a_valid_notebook_without_outputs(lesson: nbformat.NotebookNode) -> None:
    nbformat.validate(lesson)
    assert [cell.id for cell in code_cells(lesson) if cell.outputs or cell.execution_count is not None] == []
    assert LESSON.stat().st_size < 300_000


def test_every_code_cell_is_short_and_compiles(lesson: nbformat.NotebookNode) -> None:
    for cell in code_cells(lesson):
        assert len(cell.source.splitlines()) <= LONGEST_CELL, cell.id
        ast.parse(TransformerManager().transform_cell(cell.source), cell.id)  # magics become Python first


def test_the_lesson_is_plain_english() -> None:
    checked = [sys.executable, "tools/prose.py", LESSON.relative_to(REPOSITORY).as_posix()]
    done = subprocess.run(checked, cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.slow
def test_the_lesson_runs_from_its_first_cell_to_its_last(lesson: nbformat.NotebookNode, tmp_path: Path) -> None:
    (parameters,) = (cell for cell in code_cells(lesson) if "parameters" in cell.metadata.get("tags", ()))
    assert {name.split(" =")[0] for name in parameters.source.splitlines()} == {
        name.split(" =")[0] for name in TINY.splitlines()
    }
    parameters.source = TINY
    folder = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(lesson, timeout=280, kernel_name="python3", resources=folder).execute()  # raises what a cell raises
    shown = [output.get("data", {}) for cell in code_cells(lesson) for output in cell.outputs]
    pages = [data["text/html"] for data in shown if "iframe" in data.get("text/html", "")]
    assert len(pages) == 2
    assert all(word in pages[0] for word in ("disappointed", "cinema", "forget gate"))
    assert sum("image/png" in data for data in shown) == 3  # gradients, accuracy, a text word by word
    assert list(tmp_path.iterdir()) == []  # it leaves nothing behind in the folder that it runs in
