"""The LSTM (Hochreiter & Schmidhuber 1997) with a forget gate (Gers et al. 2000):

    f_t = σ(W_f [h_{t-1}, x_t] + b_f)      i_t = σ(W_i [h_{t-1}, x_t] + b_i)      o_t = σ(W_o [h_{t-1}, x_t] + b_o)
    C_t = f_t · C_{t-1} + i_t · tanh(W_C [h_{t-1}, x_t] + b_C)
    h_t = o_t · tanh(C_t)

Along the cell, a gradient is multiplied by f at each step back.
"""

from typing import Any

import torch
from torch import Tensor, nn

from sentiment_rnn.model.cells import AnyLayer, Cell, GradientStop, Step
from sentiment_rnn.model.encoders.recurrent import Gated, start_gate


def lstm_step(from_input: Tensor, from_state: Tensor, _: Tensor, before: Tensor) -> Step:
    """The equations above; `before` is C_{t-1}."""
    i, f, g, o = (from_input + from_state).chunk(4, 1)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    cell = f * before + i * g
    return Step(o * cell.tanh(), cell, {"forget": f, "input": i, "output": o, "candidate": g})


class CellState(Gated):
    """A recurrent net with a cell state C_t beside the state h_t: the LSTM, complete or without one of its gates.

    With `chrono_steps`, b_f = b and b_i = -b (Tallec & Ollivier 2018, equation 16) for the gates that the net has.

    `detach` cuts one of the two paths of the gradient, and does not change the states. `cell`: C_{t-1} counts as a
    constant in the equation of C_t. `hidden`: h_{t-1} counts as a constant in the gates and the candidate.
    """

    keeping, writing = "f", "i"

    def __init__(self, input_size: int, *, detach: str = "none", **shared: Any) -> None:
        super().__init__(input_size, **shared)
        self.detach = detach

    def gradient_stop(self, lengths: Tensor) -> GradientStop | None:
        """The stop of every recurrent net, and the path that `detach` cuts."""
        stop = super().gradient_stop(lengths)
        if self.detach == "none":
            return stop
        return GradientStop(
            stop.starts if stop else None,
            along_cell=self.detach == "cell",
            through_state=self.detach == "hidden",
        )


class Lstm(CellState):
    """The LSTM.

    `forget_bias` is the initial b_f. How far an untrained LSTM reaches back depends on how open its forget gates are:
    σ(1) = 0.73 at bias 1 (Jozefowicz et al. 2015). With chrono initialization, b_f is drawn instead.

    >>> states = Lstm(100, hidden_size=256)(embedded, lengths)   # [B, T, 256]
    """

    cell = Cell("ifgo", lstm_step, cell_state=True, compiled="lstm")
    module = nn.LSTM

    def __init__(self, input_size: int, *, forget_bias: float = 1.0, **shared: Any) -> None:
        self.forget_bias = forget_bias  # set before the layers are made, since they are initialized with it
        super().__init__(input_size, **shared)

    def initialize(self, layer: AnyLayer) -> None:
        """Initialize like every net with a cell state; without chrono initialization, also set the forget bias."""
        super().initialize(layer)
        if not self.chrono_steps:
            start_gate(layer, "f", torch.tensor(self.forget_bias))
