"""Tables as Markdown, on a terminal, and in documents."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from sentiment_rnn.errors import UserError
from sentiment_rnn.report.tables import Table, markdown, new_console, replace_block, show

TABLE = Table("Title [tokens]", ("a", "b", "c"), [("1", "2", "3"), ("x", "", "88.1 ± 0.2 %")])


def test_markdown_has_as_many_cells_in_every_line() -> None:
    body = "| a | b | c |\n| --- | --- | --- |\n| 1 | 2 | 3 |\n| x |  | 88.1 ± 0.2 % |\n"
    assert markdown([TABLE]) == f"Title [tokens]\n\n{body}"
    parted = markdown([Table("", ("a",), [("x | y",)])])
    assert parted.endswith("| x \\| y |\n")
    assert markdown([TABLE, TABLE]) == f"Title [tokens]\n\n{body}\nTitle [tokens]\n\n{body}"


def test_a_terminal_shows_what_looks_like_markup() -> None:
    console = new_console()
    console.file = said = io.StringIO()
    show(console, TABLE)
    console.print("of LSTM [/ours] :smile:")
    assert "Title [tokens]" in said.getvalue()
    assert "of LSTM [/ours] :smile:" in said.getvalue()


def test_a_terminal_obeys_nothing_that_a_name_says_to_it() -> None:
    console = Console(file=io.StringIO(), width=100)
    show(console, Table("Sweeps", ("name",), [("\x1b]0;mine\x07",)]))
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert "\x1b" not in said
    assert "mine" in said


def test_a_block_is_replaced_and_nothing_around_it(tmp_path: Path) -> None:
    document = tmp_path / "README.md"
    document.write_text("before\n<!-- mine:start -->\nold\n<!-- mine:end -->\nafter\n")
    for text in ("one\n", "two\n"):
        replace_block(document, "mine", text)
    assert document.read_text() == "before\n<!-- mine:start -->\ntwo\n<!-- mine:end -->\nafter\n"


def test_a_document_keeps_its_line_ends_and_its_letters_and_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    document = tmp_path / "README.md"
    document.write_bytes("é\r\n<!-- mine:start -->\nold\n<!-- mine:end -->\r\n".encode())
    replace_block(document, "mine", "–\n")
    after = "é\r\n<!-- mine:start -->\n–\n<!-- mine:end -->\r\n".encode()
    assert document.read_bytes() == after
    with pytest.raises(UnicodeEncodeError):
        replace_block(document, "mine", "\ud800")
    assert document.read_bytes() == after


def test_a_document_without_the_block_is_refused_and_left(tmp_path: Path) -> None:
    document = tmp_path / "README.md"
    document.write_text("nothing\n")
    with pytest.raises(UserError, match="put the two lines where the tables belong"):
        replace_block(document, "mine", "new")
    assert document.read_text() == "nothing\n"
