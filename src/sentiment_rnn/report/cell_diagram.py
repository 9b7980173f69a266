"""The cells of a vanilla RNN and of an LSTM, drawn side by side with their equations.

python -m sentiment_rnn.report.cell_diagram docs/images/cells.png
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch

from sentiment_rnn.report.figures import PALETTE, save_figure, styled

LSTM, RNN, INK = PALETTE[0], PALETTE[1], "#333333"
Point = tuple[float, float]

RNN_EQUATIONS = (
    r"$s_t = \tanh(W_s\,s_{t-1} + W_x\,x_t)$",
    "Colored boxes have weights; the black one has none.",
    "One step back, a gradient is multiplied by",
    r"$W_s^{\top}\,\mathrm{diag}(1 - s_t^2)$",
)
LSTM_EQUATIONS = (
    r"$f_t = \sigma(W_f\,[h_{t-1}, x_t] + b_f)$     $i_t = \sigma(W_i\,[h_{t-1}, x_t] + b_i)$",
    r"$o_t = \sigma(W_o\,[h_{t-1}, x_t] + b_o)$     $\tilde{C}_t = \tanh(W_C\,[h_{t-1}, x_t] + b_C)$",
    r"$C_t = f_t \odot C_{t-1} + i_t \odot \tilde{C}_t$     $h_t = o_t \odot \tanh(C_t)$",
    r"One step back along the thick line, a gradient is multiplied by $f_t$",
)


@styled
def cell_diagram() -> Figure:
    """One step of each: the RNN's state on its only path, the LSTM's cell state on a path of its own."""
    figure = Figure(figsize=(11.6, 5.6), layout="constrained")
    rnn, lstm = figure.subplots(1, 2, width_ratios=(4.6, 7.0))
    for axes, width, name in ((rnn, 7.0, "Vanilla RNN"), (lstm, 10.65, "LSTM")):
        axes.set(xlim=(0, width), ylim=(-2.6, 6.8), aspect="equal")
        axes.axis("off")
        axes.text(0.2, 6.35, name, fontsize=13, fontweight="bold")
    _draw_rnn(rnn)
    _draw_lstm(lstm)
    return figure


def _draw_rnn(axes: Axes) -> None:
    _body(axes, (1.1, 1.0), 4.5, 5.0, RNN)
    _path(axes, [(0.2, 1.7), (2.4, 1.7)], label="$s_{t-1}$", color=RNN, width=3, arrow=False)
    _path(axes, [(2.4, 0.3), (2.4, 1.7)], label="$x_t$", arrow=False)
    _path(axes, [(2.4, 1.7), (3.35, 1.7), (3.35, 3.25)], color=RNN, width=3)
    _path(axes, [(3.35, 3.85), (3.35, 5.2), (6.6, 5.2)], color=RNN, width=3)
    _box(axes, (3.35, 3.55), "tanh", RNN)
    axes.text(6.45, 5.45, "$s_t$", ha="center", fontsize=13)
    _equations(axes, RNN_EQUATIONS)


def _draw_lstm(axes: Axes) -> None:
    _body(axes, (1.1, 1.0), 8.2, 5.0, LSTM)
    _path(axes, [(0.2, 5.2), (10.3, 5.2)], label="$C_{t-1}$", color=LSTM, width=4)
    axes.text(10.15, 5.45, "$C_t$", ha="center", fontsize=13)
    _path(axes, [(0.2, 1.7), (6.5, 1.7)], label="$h_{t-1}$", arrow=False)
    _path(axes, [(1.6, 0.3), (1.6, 1.7)], label="$x_t$", arrow=False)
    for x, gate in ((2.4, "f"), (3.7, "i"), (5.1, "g"), (6.5, "o")):
        _path(axes, [(x, 1.7), (x, 2.3)])
        _box(axes, (x, 2.6), "tanh" if gate == "g" else "σ", RNN if gate == "g" else LSTM)
    _path(axes, [(2.4, 2.9), (2.4, 4.95)], name="$f_t$")
    _path(axes, [(3.7, 2.9), (3.7, 4.0), (4.85, 4.0)], name="$i_t$")
    _path(axes, [(5.1, 2.9), (5.1, 3.75)], name=r"$\tilde{C}_t$")
    _path(axes, [(5.1, 4.25), (5.1, 4.95)])
    _path(axes, [(6.5, 2.9), (6.5, 3.45), (7.75, 3.45)], name="$o_t$")
    _path(axes, [(8.0, 5.2), (8.0, 4.55)])
    _path(axes, [(8.0, 3.95), (8.0, 3.7)])
    _path(axes, [(8.0, 3.2), (8.0, 1.7), (10.3, 1.7)])
    _box(axes, (8.0, 4.25), "tanh", INK)
    axes.text(10.15, 1.95, "$h_t$", ha="center", fontsize=13)
    for x, y, sign in ((2.4, 5.2, "×"), (5.1, 5.2, "+"), (5.1, 4.0, "×"), (8.0, 3.45, "×")):
        _operation(axes, (x, y), sign)
    _equations(axes, LSTM_EQUATIONS)


def _body(axes: Axes, corner: Point, width: float, height: float, color: str) -> None:
    """The cell's outline."""
    shape = FancyBboxPatch(corner, width, height, "round,pad=0,rounding_size=0.35", fc="#F6F6F4", ec=color, lw=1.2)
    axes.add_patch(shape)


def _path(
    axes: Axes, points: Sequence[Point], *, label: str = "", name: str = "", color: str = INK, width: float = 1.4,
    arrow: bool = True,
) -> None:  # fmt: skip
    """A line through points; `label` stands at its outer end, `name` beside its first part, which goes upwards."""
    xs, ys = zip(*points, strict=True)
    axes.plot(xs[:-1], ys[:-1], color=color, lw=width, solid_capstyle="projecting", zorder=2)
    style = "-|>,head_width=0.32,head_length=0.55" if arrow else "-"
    last = FancyArrowPatch(
        points[-2], points[-1], arrowstyle=style, mutation_scale=8 + width, shrinkA=0, shrinkB=0, color=color, lw=width,
        zorder=2,
    )  # fmt: skip
    axes.add_patch(last)
    if label:
        beside = (points[0][0], points[0][1] + 0.25) if ys[0] == ys[1] else (points[0][0] - 0.4, points[0][1] + 0.1)
        axes.text(*beside, label, ha="center" if ys[0] != ys[1] else "left", fontsize=13)
    if name:
        axes.text(points[0][0] + 0.1, points[0][1] + 0.22, name, fontsize=12, color=INK)


def _box(axes: Axes, center: Point, text: str, color: str) -> None:
    """A layer of weights and its nonlinearity, or a nonlinearity alone."""
    x, y = center
    corners = "round,pad=0,rounding_size=0.1"
    axes.add_patch(FancyBboxPatch((x - 0.45, y - 0.3), 0.9, 0.6, corners, color=color, zorder=3))
    axes.text(x, y - 0.02, text, ha="center", va="center", color="white", fontweight="bold", zorder=4)


def _operation(axes: Axes, center: Point, sign: str) -> None:
    """An operation, element by element."""
    axes.add_patch(Circle(center, 0.25, fc="white", ec=INK, lw=1.4, zorder=3))
    axes.text(center[0], center[1] - 0.03, sign, ha="center", va="center", fontsize=13, zorder=4)


def _equations(axes: Axes, lines: Sequence[str]) -> None:
    for number, line in enumerate(lines):
        axes.text(0.2, -0.35 - 0.62 * number, line, va="center", fontsize=10.5)


if __name__ == "__main__":
    save_figure(cell_diagram(), Path(sys.argv[1]))
