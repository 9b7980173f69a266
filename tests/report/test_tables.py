"""Tables promise the same cells as Markdown, on a terminal and in a document, of which nothing else changes."""

import io
from pathlib import Path

import pytest

from sentiment_rnn.errors import UserError
from sentiment_rnn.report.tables import Table, markdown, new_console, replace_block, show

TABLE = Table("Title [tokens]", ("a", "b", "c"), [("1", "2", "3"), ("x", "", "88.1 ± 0.2 %")])


def test_markdown_has_as_many_cells_in_every_line() -> None:
    body = "| a | b | c |\n| --- | --- | --- |\n| 1 | 2 | 3 |\n| x |  | 88.1 ± 0.2 % |\n"
    assert markdown([TABLE]) == f"Title [tokens]\n\n{body}"
    parted = markdown([Table("", ("a",), [("x | y",)])])
    assert parted.endswith("| x \\| y |\n")
    assert markdown([TABLE, TABLE]) == f"Title [tokens]\n\n{body}\nTitle [tokens]\n\n{body}"


def test_a_terminal_shows_names_as_they_are_and_obeys_none() -> None:
    console = new_console()
    console.file = shown = io.StringIO()
    show(console, Table("Title [tokens]", ("name",), [("\x1b]0;mine\x07",)]))
    console.print("of LSTM [/ours] :smile:")
    assert "Title [tokens]" in shown.getvalue()
    assert "of LSTM [/ours] :smile:" in shown.getvalue()
    assert "\x1b" not in shown.getvalue()


def test_of_a_document_a_block_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    document = tmp_path / "README.md"
    document.write_bytes("é\r\n<!-- mine:start -->\nold\n<!-- mine:end -->\r\n".encode())
    replace_block(document, "mine", "–\n")
    after = "é\r\n<!-- mine:start -->\n–\n<!-- mine:end -->\r\n".encode()
    assert document.read_bytes() == after


def test_a_document_without_the_block_is_refused_and_left(tmp_path: Path) -> None:
    document = tmp_path / "README.md"
    document.write_text("nothing\n")
    with pytest.raises(UserError, match="put the two lines where the tables belong"):
        replace_block(document, "mine", "new")
    assert document.read_text() == "nothing\n"
