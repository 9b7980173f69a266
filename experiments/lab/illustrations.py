"""The tables of the illustrations in the documents that show them, from the results that `compare` wrote."""

from collections.abc import Iterator
from pathlib import Path

from sentiment_rnn.report.comparison import LAG_TITLE, read_results, tables_of
from sentiment_rnn.report.tables import Table, find_block, markdown

SUMMARY = Path("docs/findings.md")
"""It holds the tables of those illustrations for which it has a block."""


def illustration_blocks(root: Path) -> Iterator[tuple[Path, str, str]]:
    """Document, name and text of each block: of each folder of `experiments/illustrations` that has results."""
    summary = root / SUMMARY
    for results in sorted(root.glob("experiments/illustrations/*/results.csv")):
        name = results.parent.name
        text = markdown(tables_of(read_results(results.read_text()), accuracy_by_lag(results.parent)))
        yield results.with_name("README.md"), name, text
        if f"<!-- {name}:start -->" in summary.read_text():
            yield summary, name, text


def accuracy_by_lag(folder: Path) -> Table | None:
    """The one table that takes the predictions of the runs: from the `table.md` that `compare` left in the folder, else
    as the README has it; None where there is none."""
    fresh, page = folder / "table.md", folder / "README.md"
    before, after = find_block(page, folder.name)
    text = fresh.read_text() if fresh.is_file() else page.read_text().removeprefix(before).removesuffix(after)
    return next((table for table in read_markdown(text) if table.title == LAG_TITLE), None)


def read_markdown(text: str) -> list[Table]:
    """The tables that `markdown` wrote."""
    parts = text.strip().split("\n\n")
    tables = []
    for title, lines in zip(parts[::2], parts[1::2], strict=False):
        columns, _, *rows = [line.removeprefix("| ").removesuffix(" |").split(" | ") for line in lines.splitlines()]
        tables.append(Table(title, columns, rows))
    return tables
