"""The diagram of the cells says the equations, and the committed picture is small and was drawn by this code."""

from pathlib import Path

from PIL import Image

from sentiment_rnn.report.cell_diagram import LSTM_EQUATIONS, RNN_EQUATIONS, cell_diagram
from sentiment_rnn.report.figures import save_figure

COMMITTED = Path(__file__).resolve().parents[2] / "docs" / "images" / "cells.png"


def test_both_cells_are_drawn_with_their_equations() -> None:
    rnn, lstm = cell_diagram().axes
    for axes, name, equations in ((rnn, "Vanilla RNN", RNN_EQUATIONS), (lstm, "LSTM", LSTM_EQUATIONS)):
        written = [text.get_text() for text in axes.texts]
        assert written[0] == name
        assert set(equations) <= set(written)
    # Weights: one layer in the RNN, four in the LSTM. Element by element: one sum, three products.
    signs = [text.get_text() for text in lstm.texts]
    assert [text.get_text() for text in rnn.texts].count("tanh") == 1
    assert (signs.count("σ"), signs.count("tanh"), signs.count("+"), signs.count("×")) == (3, 2, 1, 3)


def test_nothing_is_drawn_outside_the_picture() -> None:
    figure = cell_diagram()
    figure.draw_without_rendering()
    for axes in figure.axes:
        for text in axes.texts:
            box = text.get_window_extent()
            assert figure.bbox.x0 <= box.x0, text.get_text()
            assert box.x1 <= figure.bbox.x1, text.get_text()
            assert figure.bbox.y0 <= box.y0, text.get_text()
            assert box.y1 <= figure.bbox.y1, text.get_text()


def test_the_committed_picture_is_small_and_of_the_size_that_is_drawn(tmp_path: Path) -> None:
    save_figure(cell_diagram(), tmp_path / "cells.png")
    with Image.open(tmp_path / "cells.png") as drawn, Image.open(COMMITTED) as committed:
        assert drawn.size == committed.size
        assert committed.convert("RGB").getpixel((2, 2)) == (
            255,
            255,
            255,
        )  # legible on dark pages too
    assert COMMITTED.stat().st_size < 100_000
