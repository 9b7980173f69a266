"""Plain English in what users read: the field's terms in place of our own.

    python tools/prose.py README.md docs/*.md notebooks/*.ipynb

Prints each violation with its file and line, and exits with status 1 where there is one. Code, formulas, tables, links'
addresses and generated blocks are passed over. Of a notebook, the markdown cells are read, of Python its docstrings.
"""

import ast
import json
import re
import sys
from pathlib import Path

PRIVATE = {
    r"taken up|takes up|take up": "resumed",
    r"read[- ]out": "pooling",
    r"hangs by": "depends on",
    r"to the bit": "bit for bit",
    r"of equals the smaller": "ties go to the smaller",
    r"an? (row|dot|line|number|text|answer) an? (run|seed|encoder|line)": "one row per run",
    r"what (a run|it) is found by": "tags that identify a run",
    r"(is|are) recorded by": "is recorded with",
    r"every command does around its work": "how a command is run",
    r"initialis": "initializ…",
}
"""Terms of our own, as patterns, and the field's."""
GENERATED = re.compile(r"<!-- (\w+):start -->.*?<!-- \1:end -->", re.DOTALL)
COLUMNS = re.compile(r"\S {2,}\S|^ +[\w{}-]+ = |^ {8,}[a-z]+[.*]|^ {30,}")
"""Lines of a docstring that are no prose: columns, formulas, and what goes on in the last column."""
FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)


def blank(match: re.Match[str]) -> str:
    """As many line breaks as the match has, so that lines keep their numbers."""
    return "\n" * match[0].count("\n")


def paragraphs(text: str) -> list[tuple[int, str]]:
    """Line and text of each paragraph and each item of a list; no code, no table, no heading."""
    text = FENCED.sub(blank, GENERATED.sub(blank, text))
    found: list[tuple[int, str]] = []
    open_paragraph = False
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith(("|", "#", "![", "<!--")):
            open_paragraph = False
        elif re.match(r"\s*([-*]|\d+\.) ", line) or not open_paragraph:
            found.append((number, re.sub(r"^\s*([-*]|\d+\.) ", "", line)))
            open_paragraph = True
        else:
            found[-1] = found[-1][0], f"{found[-1][1]} {line.strip()}"
    return found


def prose(paragraph: str) -> str:
    """Its words: links as their text, without code and formulas."""
    plain = re.sub(r"`[^`]*`", "CODE", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", paragraph))
    return re.sub(r"(\$\$?)[^$]+\1", "FORMULA", plain)


def texts(path: Path, name: str) -> list[tuple[str, str]]:
    """Texts of a file, each with the name of its place: the file, or a cell of a notebook."""
    content = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return [(f"{name}:{line}", text) for line, text in docstrings(content)]
    if path.suffix != ".ipynb":
        return [(name, content)]
    cells = enumerate(json.loads(content)["cells"], 1)
    markdown = [(number, "".join(cell["source"])) for number, cell in cells if cell["cell_type"] == "markdown"]
    return [(f"{name}:cell {number}", text) for number, text in markdown]


def docstrings(code: str) -> list[tuple[int, str]]:
    """Line and text of each string that is a statement: docstrings, and what stands below an attribute. Formulas and
    columns are blank."""
    statements = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Expr)]
    strings = [(node.lineno, node.value.value) for node in statements if isinstance(node.value, ast.Constant)]
    prose = [(line, text.splitlines()) for line, text in strings if isinstance(text, str)]
    return [(line, "\n".join("" if COLUMNS.search(row) else row for row in rows)) for line, rows in prose]


def violations(path: Path, name: str) -> list[str]:
    """One line each."""
    return [
        f"{place}:{number}: {match[0]!r}; the field says {instead!r}"
        for place, text in texts(path, name)
        for number, paragraph in paragraphs(text)
        for pattern, instead in PRIVATE.items()
        for match in re.finditer(pattern, prose(paragraph), re.IGNORECASE)
    ]


def main() -> int:
    """Check the files that are named."""
    lines = [line for name in sys.argv[1:] for line in violations(Path(name), name)]
    print("\n".join(lines), end="\n" * bool(lines))
    return int(bool(lines))


if __name__ == "__main__":
    sys.exit(main())
