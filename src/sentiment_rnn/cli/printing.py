"""Texts of strangers on a terminal."""

from rich.cells import cell_len, set_cell_size

from sentiment_rnn.data.tokenizer import whole


def shortened(text: str, width: int) -> str:
    """The text in one line of at most `width` cells, control characters as spaces: they would move a terminal's cursor,
    or do worse."""
    readable = "".join(c if c.isprintable() else " " for c in whole(text[: 4 * width]))
    line = " ".join(readable.split())
    if cell_len(line) <= width and len(text) <= 4 * width:
        return line
    return set_cell_size(line, width - 1).rstrip() + "…"
