"""Tables of the illustrations, from results and from what `compare` left."""

import shutil
from pathlib import Path

import pytest

from experiments.lab.illustrations import illustration_blocks, read_markdown
from sentiment_rnn.report.comparison import LAG_TITLE
from sentiment_rnn.report.tables import Table, markdown, replace_block

DEMO = Path("experiments/illustrations/demo")
REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The demo, and a summary without a block for it."""
    shutil.copytree(REPOSITORY / DEMO, tmp_path / DEMO, ignore=shutil.ignore_patterns("*.png", "table.md"))
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "findings.md").write_text("# Findings\n")
    return tmp_path


def write(root: Path) -> None:
    """Write every block."""
    for block in illustration_blocks(root):
        replace_block(*block)


def test_tables_are_read_back_from_markdown() -> None:
    tables = [Table("One", ["a", "b"], [["1", "2"], ["3", "4"]]), Table("Another", ["a"], [["1"]])]
    assert read_markdown(markdown(tables)) == tables
    assert read_markdown("\n") == []


def test_the_accuracy_by_lag_is_kept_from_the_readme(root: Path) -> None:
    ((document, _, text),) = illustration_blocks(root)
    assert document == root / DEMO / "README.md"
    assert [table.title for table in read_markdown(text)][1] == LAG_TITLE
    before = document.read_text()
    write(root)
    assert document.read_text() == before


def test_the_accuracy_by_lag_is_that_of_a_comparison_made_since(root: Path) -> None:
    fresh = Table(LAG_TITLE, ("arm", "1–100"), [("rnn", "51.0 %")])
    (root / DEMO / "table.md").write_text(markdown([fresh]))
    write(root)
    assert "| rnn | 51.0 % |" in (root / DEMO / "README.md").read_text()


def test_other_tables_follow_the_results(root: Path) -> None:
    results = root / DEMO / "results.csv"
    kept = [line for line in results.read_text().splitlines(keepends=True) if not line.startswith("rnn")]
    results.write_text("".join(kept))
    with (root / "docs" / "findings.md").open("a") as summary:
        summary.write("<!-- demo:start -->\n<!-- demo:end -->\n")
    write(root)
    for page in (root / DEMO / "README.md", root / "docs" / "findings.md"):
        means, _, differences = read_markdown(page.read_text().split("demo:start -->\n")[1].split("<!-- demo:end")[0])
        assert [row[0] for row in means.rows] == ["lstm", "bag"]
        assert len(differences.rows) == 1
