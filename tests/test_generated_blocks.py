"""What is generated in the documents is what the committed results say."""

import re
import shutil
from pathlib import Path

from sentiment_rnn.cli.readme import comparisons, generated_blocks, generated_files, main, studies
from sentiment_rnn.report.tables import find_block

REPOSITORY = Path(__file__).resolve().parents[1]
BY_SCRIPTS = tuple(REPOSITORY / "experiments" / name / "README.md" for name in ("throughput", "word_pairs"))
"""Their blocks are written by the scripts beside them: `make bench`, `make word-pairs`."""


def name(path: Path) -> str:
    """A path in the repository."""
    return path.relative_to(REPOSITORY).as_posix()


def test_tables_and_verdicts_are_up_to_date() -> None:
    files = dict(generated_files(REPOSITORY))
    assert {path.parent for path in files} == {*comparisons(REPOSITORY), *studies(REPOSITORY)}
    assert [name(path) for path, text in files.items() if path.read_text() != text] == [], "run make readme"


def test_blocks_are_up_to_date() -> None:
    stale = []
    for block in generated_blocks(REPOSITORY):
        before, after = find_block(block.document, block.name)
        if block.document.read_text() != f"{before}\n{block.text}{after}":
            stale.append(f"{name(block.document)}, {block.name}")
    assert not stale, "run make readme"


def test_every_block_is_generated() -> None:
    documents = [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/*.md"), *REPOSITORY.glob("experiments/**/*.md")]
    there = {
        (path, block)
        for path in documents
        if path not in BY_SCRIPTS
        for block in re.findall(r"^<!-- (\w+):start -->$", path.read_text(), re.MULTILINE)
    }
    assert {(block.document, block.name) for block in generated_blocks(REPOSITORY)} == there


def test_the_command_writes_what_is_stale_and_nothing_else(tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "docs", tmp_path / "docs")
    shutil.copy(REPOSITORY / "README.md", tmp_path)
    for folder in [*comparisons(REPOSITORY), *studies(REPOSITORY)]:
        shutil.copytree(folder, tmp_path / name(folder), ignore=shutil.ignore_patterns("*.png", "verdicts.json"))
    results = tmp_path / "experiments" / "filler" / "results.csv"
    forgets = re.compile(r"^(lstm,\d+,neutral,behind,400),.*$", re.MULTILINE)
    results.write_text(forgets.sub(r"\1,0.5,0.5", results.read_text()))
    main(tmp_path)
    found = (tmp_path / "docs" / "findings.md").read_text().splitlines()
    (line,) = [line for line in found if line.startswith("| An LSTM forgets a review over 400 neutral tokens")]
    assert "**holds**" in line
    changed = {
        name(path)
        for path in REPOSITORY.glob("experiments/*/*.md")
        if (tmp_path / name(path)).exists() and (tmp_path / name(path)).read_text() != path.read_text()
    }
    assert changed == {"experiments/filler/README.md", "experiments/filler/table.md"}
