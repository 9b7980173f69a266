"""Tables as Markdown and CSV, on a terminal, and in the documents that hold them."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table as TerminalTable

from sentiment_rnn.errors import UserError, printable
from sentiment_rnn.files import write_whole


class Table(NamedTuple):
    """A title, the names of the columns, and the rows."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def markdown(tables: Sequence[Table]) -> str:
    """The tables under their titles, in Markdown."""
    return "\n".join(f"{table.title}\n\n{_lines(table)}" for table in tables)


def _lines(table: Table) -> str:
    lines = [table.columns, ["---"] * len(table.columns), *table.rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A CSV file, its numbers with six digits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([f"{value:.6g}" if isinstance(value, float) else value for value in row])
    return text.getvalue()


def show(console: Console, table: Table) -> None:
    """Print one table. A column is aligned to the right if every entry starts with a digit or a sign."""
    shown = TerminalTable(title=printable(table.title), title_justify="left", title_style="bold")
    for position, column in enumerate(table.columns):
        entries = [row[position] for row in table.rows if row[position]]
        numbers = all(entry[0].isdigit() or entry[0] in "+-<>≥" for entry in entries)
        shown.add_column(column, justify="right" if numbers else "left", overflow="fold")
    for row in table.rows:
        shown.add_row(*(printable(cell) for cell in row))
    console.print(shown)


def new_console() -> Console:
    """A console on the terminal; without one, its lines are wide enough for a table. It prints text unchanged:
    `[label]` is not markup."""
    return Console(width=None if Console().is_terminal else 160, markup=False, emoji=False, highlight=False)


def replace_block(path: Path, name: str, text: str) -> None:
    """Replace the text between `<!-- name:start -->` and `<!-- name:end -->`, so that no table is pasted by hand."""
    before, after = find_block(path, name)
    write_whole(path, f"{before}\n{text}{after}".encode())


def find_block(path: Path, name: str) -> tuple[str, str]:
    """The text before and after a block, including its two marks; raises `UserError` if there is no such block."""
    start, end = f"<!-- {name}:start -->", f"<!-- {name}:end -->"
    if not path.is_file():
        raise UserError(f"{path}: no such file; expected a document with the lines {start} and {end}")
    text = path.read_bytes().decode()
    if start not in text or end not in text:
        raise UserError(f"{path} has no block {start} … {end}; put the two lines where the tables belong")
    return text[: text.index(start) + len(start)], text[text.index(end) :]
