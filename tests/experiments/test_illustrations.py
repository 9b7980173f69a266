"""The table of an illustration, from its results."""

import shutil
from pathlib import Path

import pytest

from experiments.lab.illustrations import illustration_blocks
from sentiment_rnn.report.tables import replace_block

ILLUSTRATIONS = Path("experiments/illustrations")
REPOSITORY = Path(__file__).resolve().parents[2]


def block_of(name: str, root: Path) -> list[list[str]]:
    """The cells of an illustration's table, its heading first."""
    (text,) = [text for document, block, text in illustration_blocks(root) if block == name]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [line.strip("| ").split(" | ") for line in lines if "---" not in line]


def test_a_comparison_shows_the_test_accuracy_of_every_seed() -> None:
    heading, *rows = block_of("rnn_vs_lstm", REPOSITORY)
    assert heading == ["arm", "0", "1", "2"]
    assert rows == [["lstm", "88.6", "88.4", "88.4"], ["bag", "88.7", "88.8", "88.8"], ["rnn", "78.8", "79.5", "85.5"]]


def test_a_choice_of_learning_rates_shows_the_validation_accuracy_of_each() -> None:
    heading, *rows = block_of("learning_rate", REPOSITORY)
    assert heading == ["arm", "0.0003", "0.001", "0.003", "0.01"]
    assert rows[-1] == ["rnn", "81.4", "74.7", "81.3", "58.9"]


@pytest.mark.parametrize("name", ["demo", "rnn_vs_lstm", "learning_rate", "learning_rate_demo"])
def test_the_document_has_the_table_of_its_results(name: str) -> None:
    (block,) = [block for block in illustration_blocks(REPOSITORY) if block[1] == name]
    before = block[0].read_text()
    assert f"start -->\n{block[2]}<!-- {name}:end" in before


def test_the_table_follows_the_results(tmp_path: Path) -> None:
    demo = tmp_path / ILLUSTRATIONS / "demo"
    shutil.copytree(REPOSITORY / ILLUSTRATIONS / "demo", demo, ignore=shutil.ignore_patterns("*.png", "table.md"))
    results = demo / "results.csv"
    kept = [line for line in results.read_text().splitlines(keepends=True) if not line.startswith("rnn")]
    results.write_text("".join(kept))
    assert [row[0] for row in block_of("demo", tmp_path)] == ["arm", "lstm", "bag"]
    (block,) = illustration_blocks(tmp_path)
    replace_block(*block)
    assert "| rnn |" not in (demo / "README.md").read_text()


def test_a_seed_that_an_arm_does_not_have_is_blank(tmp_path: Path) -> None:
    demo = tmp_path / ILLUSTRATIONS / "demo"
    demo.mkdir(parents=True)
    lines = (REPOSITORY / ILLUSTRATIONS / "demo" / "results.csv").read_text().splitlines(keepends=True)
    (demo / "results.csv").write_text("".join(line for line in lines if not line.startswith("rnn,last,0.003,1,")))
    assert block_of("demo", tmp_path)[2] == ["rnn", "49.7", "", "63.7"]
