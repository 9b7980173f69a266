"""The page of an illustration shows the results beside it."""

import shutil
from pathlib import Path

import pytest

from experiments.lab.write import illustration_blocks

DEMO = Path("experiments/illustrations/demo")
REPOSITORY = Path(__file__).resolve().parents[2]


def block_of(name: str, root: Path) -> list[list[str]]:
    """The cells of an illustration's table, its heading first."""
    (text,) = {text for _, block, text in illustration_blocks(root) if block == name}
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


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The demo."""
    shutil.copytree(REPOSITORY / DEMO, tmp_path / DEMO, ignore=shutil.ignore_patterns("*.png", "table.md"))
    return tmp_path


def keep_lines(results: Path, without: str) -> None:
    """Leave out the lines of a file that begin so."""
    lines = results.read_text().splitlines(keepends=True)
    results.write_text("".join(line for line in lines if not line.startswith(without)))


def test_a_seed_that_an_arm_does_not_have_is_blank(root: Path) -> None:
    keep_lines(root / DEMO / "results.csv", without='rnn,"RNN, orthogonal",last,0.003,1,')
    assert block_of("demo", root)[2] == ["RNN, orthogonal", "50.3", "", "69.9"]
