"""Write every generated block of the documents, and the tables and verdicts beside them, from the committed results.

    python -m sentiment_rnn.cli.readme      # make readme

It needs no run and no store. The tables of `experiments/throughput` are written by `make bench`, those of
`experiments/word_pairs` by `make word-pairs`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from sentiment_rnn.cli.errors import one_line_errors
from sentiment_rnn.report.comparison import DISTANCE_TITLE, read_results, tables_of
from sentiment_rnn.report.tables import markdown, read_markdown, replace_block
from sentiment_rnn.studies import all_studies, find_study
from sentiment_rnn.studies.answer import answer, answer_table
from sentiment_rnn.studies.kit.evidence import checked_findings
from sentiment_rnn.studies.page import sections_of, verdict_table

README = Path("README.md")
"""The document that holds the answer."""
SUMMARY = Path("docs/findings.md")
"""The document that holds all verdicts, and the comparisons that have a block in it."""

NOT_RUN = "This study has not been run yet.\n"


class Block(NamedTuple):
    """A generated block of a document."""

    document: Path
    name: str
    text: str


def main(root: Path = Path()) -> None:
    """Write the files, then the blocks."""
    with one_line_errors():
        for path, text in generated_files(root):
            path.write_text(text)
        for block in generated_blocks(root):
            replace_block(*block)
            print(f"written: {block.document}, {block.name}")


def generated_files(root: Path) -> Iterator[tuple[Path, str]]:
    """Path and content of `table.md` of every comparison and study, and of `verdicts.json` of every study."""
    for folder in comparisons(root):
        yield folder / "table.md", comparison_document(folder)
    for folder in studies(root):
        for name, text in checked_findings(find_study(folder.name), folder).texts().items():
            yield folder / name, text


def generated_blocks(root: Path) -> Iterator[Block]:
    """Every block, from the files; a comparison's is in its README, and in `SUMMARY` where that has one."""
    for folder in (*comparisons(root), *studies(root)):
        yield Block(folder / "README.md", folder.name, (folder / "table.md").read_text())
    for folder in planned(root):
        yield Block(folder / "README.md", folder.name, NOT_RUN)
    summary = root / SUMMARY
    text = summary.read_text()
    for folder in comparisons(root):
        if f"<!-- {folder.name}:start -->" in text:
            yield Block(summary, folder.name, (folder / "table.md").read_text())
    yield Block(root / README, "answer", markdown([answer_table(answer(root / "experiments"), "experiments")]))
    yield Block(summary, "verdicts", markdown([verdict_table(sections_of(root / "experiments"), summary.parent)]))


def comparisons(root: Path) -> list[Path]:
    """The folders that `compare` wrote."""
    names = {study.name for study in all_studies()}
    return sorted(path.parent for path in root.glob("experiments/*/table.md") if path.parent.name not in names)


def studies(root: Path) -> list[Path]:
    """The folders of the studies that have run, in their order."""
    folders = [root / "experiments" / study.name for study in all_studies()]
    return [folder for folder in folders if (folder / "results.csv").is_file()]


def planned(root: Path) -> list[Path]:
    """The folders of the studies that have not run, but have a page."""
    run = {folder.name for folder in studies(root)}
    folders = [root / "experiments" / study.name for study in all_studies() if study.name not in run]
    return [folder for folder in folders if (folder / "README.md").is_file()]


def comparison_document(folder: Path) -> str:
    """The tables of a comparison: means and differences from `results.csv`.

    The accuracy by distance takes the predictions of the runs. It stays as `compare` wrote it.
    """
    by_distance = next((t for t in read_markdown(folder / "table.md") if t.title == DISTANCE_TITLE), None)
    return markdown(tables_of(read_results((folder / "results.csv").read_text()), by_distance))


if __name__ == "__main__":
    main()
