"""Ablations of the LSTM: encoders that lack one of its parts, to see what that part is for.

    C_t = f_t · C_{t-1} + i_t · tanh(W_C [h_{t-1}, x_t] + b_C)      h_t = o_t · tanh(C_t)

with one of f_t, i_t, o_t fixed, tied to another gate, or independent of h_{t-1}. Each encoder keeps the rest of `Lstm`,
with its initialization and its keys. A missing gate has no weights.
"""

import torch
from torch import Tensor

from sentiment_rnn.model.cells import Cell, Step
from sentiment_rnn.model.encoders.lstm import CellState, Lstm


def lstm_cell(gates: str, compiled: str, coupled: bool = False, recurrent: str | None = None) -> Cell:
    """An LSTM with some of the gates i, f and o. A missing gate is 1, except that i = 1 - f if gates are `coupled`."""

    def step(from_input: Tensor, from_state: Tensor, _: Tensor, before: Tensor) -> Step:
        found = dict(zip(gates, (from_input + from_state).chunk(len(gates), 1), strict=True))
        g = found["g"].tanh()
        i, f, o = (found[gate].sigmoid() if gate in found else torch.ones_like(g) for gate in "ifo")
        i = (-found["f"]).sigmoid() if coupled else i
        cell = f * before + i * g
        return Step(o * cell.tanh(), cell, {"forget": f, "input": i, "output": o, "candidate": g})

    return Cell(gates, step, recurrent, cell_state=True, compiled=compiled)


class LstmNoForget(CellState):
    """f_t = 1: C_t = C_{t-1} + i_t · tanh(…), the first LSTM (Hochreiter & Schmidhuber 1997). It never forgets.

    There is no `forget_bias`. With chrono initialization, its input gates start like those of an `Lstm`.
    """

    cell = lstm_cell("igo", "lstm_no_forget")


class LstmNoInput(Lstm):
    """i_t = 1: C_t = f_t · C_{t-1} + tanh(…). Every token is written into the cell in full."""

    cell = lstm_cell("fgo", "lstm_no_input")


class LstmNoOutput(Lstm):
    """o_t = 1: h_t = tanh(C_t). The gates of the next step see the whole cell."""

    cell = lstm_cell("ifg", "lstm_no_output")


class LstmCoupled(Lstm):
    """i_t = 1 - f_t (CIFG in Greff et al. 2017): as much is written as is forgotten, as in a GRU."""

    cell = lstm_cell("fgo", "lstm_coupled", coupled=True)


class LstmGatesOfInput(Lstm):
    """f_t, i_t, o_t = σ(W x_t + b): the gates see only the token. The candidate alone keeps its W_h."""

    cell = lstm_cell("ifgo", "lstm", recurrent="g")  # uses the compiled LSTM, with zeros in its weights
