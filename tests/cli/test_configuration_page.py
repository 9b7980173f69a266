"""docs/configuration.md is what the schema says."""

from pathlib import Path

from sentiment_rnn.cli.help import configuration_page

PAGE = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"


def test_the_page_of_the_configuration_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == configuration_page(), "run make docs"


def test_every_key_has_a_type_and_a_meaning() -> None:
    rows = [line.split(" | ") for line in configuration_page().splitlines() if line.startswith("| `")]
    assert len(rows) > 80
    assert all(cell.strip("| `") for row in rows for cell in row)
