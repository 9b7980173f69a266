"""The lesson promises a class a notebook that runs from first cell to last, a version for students and a page."""

import base64
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
from torch import Tensor, nn

from tools.lesson import ANSWER, SOLUTION, YOURS, Notebook, as_page

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


def solutions(notebook: Notebook) -> list[int]:
    """Numbers of the cells that students fill."""
    return [at for at, cell in enumerate(notebook["cells"]) if SOLUTION in cell["metadata"].get("tags", ())]


def test_the_lesson_is_a_valid_notebook_without_outputs(lesson: nbformat.NotebookNode) -> None:
    nbformat.validate(lesson)
    assert [cell.id for cell in code_cells(lesson) if cell.outputs or cell.execution_count is not None] == []
    assert LESSON.stat().st_size < 300_000


def test_students_get_the_lesson_with_its_solutions_taken_out(lesson: nbformat.NotebookNode, tmp_path: Path) -> None:
    written = tmp_path / "students.ipynb"
    command = [sys.executable, "tools/lesson.py", str(LESSON), str(written)]
    subprocess.run(command, cwd=REPOSITORY, check=True, timeout=60)
    students = nbformat.read(written, as_version=nbformat.NO_CONVERT)
    nbformat.validate(students)
    (figure,) = [cell for cell in students.cells if "attachments" in cell]
    assert figure.source.endswith("](attachment:cells.png)")
    image = base64.b64decode(figure.attachments["cells.png"]["image/png"])
    assert image == (REPOSITORY / "docs" / "images" / "cells.png").read_bytes()
    pairs = enumerate(zip(lesson.cells, students.cells, strict=True))
    differ = [at for at, pair in pairs if pair[0] != pair[1] and pair[1] is not figure]
    assert differ == solutions(lesson)
    emptied = {at: students.cells[at].source for at in differ}
    assert [source.split("(")[0] for source in emptied.values() if YOURS in source] == ["def vanilla_rnn", "def lstm"]
    for at, source in emptied.items():
        whole, kept = lesson.cells[at].source, source.removesuffix(YOURS).removesuffix(ANSWER).rstrip()
        assert source != kept
        assert whole.startswith(kept)
        assert len(kept) < len(whole)


def test_the_page_has_texts_formulas_code_and_outputs() -> None:
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": ["seen\n"]},
        {"output_type": "stream", "name": "stdout", "text": ["twice\n"]},
        {"output_type": "stream", "name": "stderr", "text": ["a warning\n"]},
        {"output_type": "display_data", "data": {"image/png": "AAAA\n", "text/plain": ["<Figure>"]}},
        {"output_type": "execute_result", "data": {"text/html": ["<table id=1>\n\n", "</table>"], "text/plain": "t"}},
    ]
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["# Title\n", "\n", "It is $s_t$.\n\n$$s = 1$$"]},
        {"cell_type": "code", "metadata": {}, "source": ["print('$1')"], "outputs": outputs},
    ]
    page = as_page({"cells": cells})
    assert page.startswith("# Title\n\nIt is <math")
    assert page.count("</math>") == 2
    assert page.count('display="block"') == 1
    assert "```python\nprint('$1')\n```\n\n```text\nseen\ntwice\n```\n\n<div" in page
    assert "a warning" not in page
    assert 'src="data:image/png;base64,AAAA"' in page
    assert '<div class="output">\n<table class="docutils" id=1>\n</table>\n</div>' in page


@pytest.mark.slow
def test_the_lesson_runs_from_its_first_cell_to_its_last(lesson: nbformat.NotebookNode, tmp_path: Path) -> None:
    (parameters,) = (cell for cell in code_cells(lesson) if "parameters" in cell.metadata.get("tags", ()))
    assert {name.split(" =")[0] for name in parameters.source.splitlines()} == {
        name.split(" =")[0] for name in TINY.splitlines()
    }
    parameters.source = TINY
    folder = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(lesson, timeout=280, kernel_name="python3", resources=folder).execute()  # raises what a cell raises
    page = as_page(json.loads(nbformat.writes(lesson)))
    assert page.count("data:image/png") == 4  # gradients, accuracy, two texts word by word
    assert page.count('<table class="docutils"') == 3  # gradients, and accuracies at first and with orthogonal weights
    assert "the same states" in page
    assert list(tmp_path.iterdir()) == []  # it leaves nothing behind in the folder that it runs in


def test_teaching_answers_every_question_of_the_lesson(lesson: nbformat.NotebookNode) -> None:
    numbered = re.compile(r"^(\d+)\. \*\*", re.MULTILINE)
    (questions,) = (cell.source for cell in lesson.cells if "## 6. Questions" in cell.source)
    text = TEACHING.read_text(encoding="utf-8")
    key = text.split("## Answer key")[1].split("\n## ")[0]
    assert numbered.findall(key) == numbered.findall(questions) != []


def test_the_answer_to_the_gru_is_one() -> None:
    (step,) = re.findall(r"```python\n(.*?)```", TEACHING.read_text(encoding="utf-8"), re.DOTALL)
    theirs, x, states = nn.GRU(5, 7), torch.randn(9, 5), []
    names = dict(zip("WUbc", map(by_gate, theirs.parameters()), strict=True))
    with torch.no_grad():
        exec(textwrap.dedent(step), {"torch": torch, "x": x, "h": torch.zeros(7), "states": states, **names})
        assert torch.allclose(torch.stack(states), theirs(x)[0], atol=1e-6)


def by_gate(rows: Tensor) -> dict[str, Tensor]:
    return dict(zip("rzn", rows.detach().chunk(3), strict=True))
