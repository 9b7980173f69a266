"""The LSTM taken apart: encoders that lack one of its parts, to see what that part is for.

Each keeps the rest of `Lstm`, with its initialization and its keys. A gate that is missing has no weights.
"""

from functools import partial
from typing import Any, cast

import torch
from torch import Tensor

from sentiment_rnn.model.cells import Layer
from sentiment_rnn.model.encoders import AnyLayer, CellState, Lstm, gates_of


class LstmNoForget(CellState):
    """f_t = 1: C_t = C_{t-1} + i_t · tanh(…), the first LSTM (Hochreiter & Schmidhuber 1997). It never forgets.

    With `chrono_steps` above 0 its input gates start as those of an `Lstm` do: b_i ~ -ln U(1, chrono_steps - 1). There
    is no `forget_bias`.
    """

    module = staticmethod(partial(Layer, mode="LSTM_NO_FORGET"))

    def __init__(self, input_size: int, *, chrono_steps: int = 0, **shared: Any) -> None:
        self.chrono_steps = chrono_steps  # before the layers are made, which are initialized with it
        super().__init__(input_size, **shared)

    def initialize(self, module: AnyLayer) -> None:
        """As for every recurrent net; with chrono initialization the bias of the input gate too."""
        super().initialize(module)
        if self.chrono_steps:
            first, second = (
                gates_of(module, cast(Tensor, bias))["i"] for bias in (module.bias_ih_l0, module.bias_hh_l0)
            )
            with torch.no_grad():
                first.uniform_(1, self.chrono_steps - 1).log_().neg_()
                second.zero_()


class LstmNoInput(Lstm):
    """i_t = 1: C_t = f_t · C_{t-1} + tanh(…). Every token is written into the cell in full."""

    module = staticmethod(partial(Layer, mode="LSTM_NO_INPUT"))


class LstmNoOutput(Lstm):
    """o_t = 1: h_t = tanh(C_t). The gates of the next step see the whole cell."""

    module = staticmethod(partial(Layer, mode="LSTM_NO_OUTPUT"))


class LstmCoupled(Lstm):
    """i_t = 1 - f_t (CIFG in Greff et al. 2017): as much is written as is forgotten, as in a GRU."""

    module = staticmethod(partial(Layer, mode="LSTM_COUPLED"))


class LstmGatesOfInput(Lstm):
    """f_t, i_t, o_t = σ(W x_t + b): the gates see the token alone. The candidate keeps its W_h, the only one."""

    module = staticmethod(partial(Layer, mode="LSTM_GATES_OF_INPUT"))
