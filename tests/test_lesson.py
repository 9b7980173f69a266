"""The lesson promises a class a notebook that runs from first cell to last, a version for students and a page."""

import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import nbformat
import pytest
import torch
from nbclient import NotebookClient
from torch import nn

from tools.lesson import ANSWER, SOLUTION, YOURS, as_page

REPOSITORY = Path(__file__).resolve().parents[1]
LESSON = REPOSITORY / "notebooks" / "lesson.ipynb"
TEACHING = REPOSITORY / "docs" / "teaching.md"
TINY = 'LAGS = {"short": 2, "long": 6}\nREVIEWS, EPOCHS, SEEDS = 200, 1, (0,)'
"""In place of the cell that is tagged `parameters`: every line runs, and nothing is learnt."""


@pytest.fixture
def lesson() -> nbformat.NotebookNode:
    return nbformat.read(LESSON, as_version=nbformat.NO_CONVERT)


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_the_lesson_is_a_valid_notebook_without_outputs(lesson: nbformat.NotebookNode) -> None:
    nbformat.validate(lesson)
    assert [cell.id for cell in code_cells(lesson) if cell.outputs or cell.execution_count is not None] == []


def test_students_get_the_lesson_with_its_solutions_taken_out(lesson: nbformat.NotebookNode, tmp_path: Path) -> None:
    written = tmp_path / "students.ipynb"
    command = [sys.executable, "tools/lesson.py", str(LESSON), str(written)]
    subprocess.run(command, cwd=REPOSITORY, check=True, timeout=60)
    students = nbformat.read(written, as_version=nbformat.NO_CONVERT)
    nbformat.validate(students)
    (figure,) = [cell for cell in students.cells if "attachments" in cell]
    assert figure.source.endswith("](attachment:cells.png)")
    for whole, cell in zip(lesson.cells, students.cells, strict=True):
        if SOLUTION in whole.metadata.get("tags", ()):
            kept = cell.source.removesuffix(YOURS).removesuffix(ANSWER).rstrip()
            assert cell.source != kept != whole.source
            assert whole.source.startswith(kept)
        else:
            assert cell is figure or cell == whole


@pytest.mark.slow
def test_the_lesson_runs_from_its_first_cell_to_its_last(lesson: nbformat.NotebookNode, tmp_path: Path) -> None:
    (parameters,) = (cell for cell in code_cells(lesson) if "parameters" in cell.metadata.get("tags", ()))
    parameters.source = TINY
    folder = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(lesson, timeout=280, kernel_name="python3", resources=folder).execute()  # raises what a cell raises
    page = as_page(json.loads(nbformat.writes(lesson)))
    assert page.count("data:image/png") == 4  # gradients, accuracy, two texts word by word
    assert page.count('<table class="docutils"') == 3  # gradients, and accuracies at first and with orthogonal weights
    assert "</math>" in page
    assert "```python" in page
    assert "the same states" in page
    assert list(tmp_path.iterdir()) == []  # it leaves nothing behind in the folder that it runs in


def test_the_answer_to_the_gru_is_one() -> None:
    (step,) = re.findall(r"```python\n(.*?)```", TEACHING.read_text(encoding="utf-8"), re.DOTALL)
    theirs, x, states = nn.GRU(5, 7), torch.randn(9, 5), []
    by_gate = [dict(zip("rzn", rows.detach().chunk(3), strict=True)) for rows in theirs.parameters()]
    names = dict(zip("WUbc", by_gate, strict=True))
    with torch.no_grad():
        exec(textwrap.dedent(step), {"torch": torch, "x": x, "h": torch.zeros(7), "states": states, **names})
        assert torch.allclose(torch.stack(states), theirs(x)[0], atol=1e-6)
