"""The lesson's notebook in two more forms: for students, with cells to fill, and as a page of the site.

    python tools/lesson.py notebooks/lesson.ipynb runs/lesson_students.ipynb

writes the version for students; docs/conf.py makes the page.
"""

import ast
import base64
import copy
import json
import re
import sys
from pathlib import Path
from typing import Any

from docutils.utils.math.latex2mathml import tex2mathml

Notebook = dict[str, Any]
"""A notebook's JSON."""
SOLUTION = "solution"
"""The tag of a cell that students fill themselves."""
YOURS = 'raise NotImplementedError("yours to write")'
"""Text in place of a function's body."""
ANSWER = "*Your answer:*"
"""Text in place of an answer."""


def write_for_students(lesson: Path, students: Path) -> None:
    """Write a notebook's version for students. Its figures are within it, so that it can be sent around."""
    notebook = for_students(json.loads(lesson.read_text(encoding="utf-8")))
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        for place in re.findall(r"!\[.*?\]\((.+?\.png)\)", source) if cell["cell_type"] == "markdown" else ():
            image = base64.b64encode((lesson.parent / place).read_bytes()).decode()
            cell.setdefault("attachments", {})[Path(place).name] = {"image/png": image}
            cell["source"] = source = source.replace(place, f"attachment:{Path(place).name}")
    students.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def for_students(notebook: Notebook) -> Notebook:
    """A copy without solutions and outputs.

    Of a cell with the tag `solution`, a function keeps its signature and docstring, and a text its first paragraph.
    """
    students = copy.deepcopy(notebook)
    for cell in students["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
        if SOLUTION not in cell["metadata"].get("tags", ()):
            continue
        if cell["cell_type"] == "code":
            (function,) = ast.parse(source).body
            assert isinstance(function, ast.FunctionDef)
            cell["source"] = "\n".join([*source.splitlines()[: function.body[0].end_lineno], f"    {YOURS}"])
        else:
            cell["source"] = "\n\n".join([source.split("\n\n")[0], ANSWER])
    return students


def as_page(notebook: Notebook) -> str:
    """The notebook as Markdown: text, code, and where it was executed its outputs."""
    parts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(re.sub(r"\$(\$?)(.+?)\1\$", mathml, source))
        else:
            outputs = "\n\n".join(filter(None, map(shown, cell["outputs"])))
            parts += [f"```python\n{source}\n```", outputs.replace("\n```\n\n```text\n", "\n")]  # one block of text
    return "\n\n".join(filter(None, parts)) + "\n"


def mathml(formula: re.Match[str]) -> str:
    """A formula as browsers show it without a script; `$$` sets it on a line of its own."""
    math = re.sub(r"\s*\n\s*", "", tex2mathml(formula[2], as_block=bool(formula[1])))
    return scrolled(math) if formula[1] else math


def shown(output: dict[str, Any]) -> str:
    """An output as Markdown: a figure, a table or text; empty for what is shown in no other way, as warnings are."""
    data = output.get("data", {})
    if "image/png" in data:
        image = "".join(data["image/png"]).replace("\n", "")
        return scrolled(f'<img alt="Figure of the cell above" src="data:image/png;base64,{image}">')
    if "text/html" in data:
        return scrolled("".join(data["text/html"]).replace("<table ", '<table class="docutils" '))
    text = "".join(output.get("text", data.get("text/plain", ()))).rstrip()
    return f"```text\n{text}\n```" if text and output.get("name") != "stderr" else ""


def scrolled(html: str) -> str:
    """A block of HTML that is scrolled where it is too wide. An empty line would end it."""
    return '<div class="output">\n' + re.sub(r"\n\s*\n", "\n", html.strip()) + "\n</div>"


if __name__ == "__main__":
    write_for_students(*map(Path, sys.argv[1:]))
