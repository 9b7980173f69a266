"""The LSTM taken apart: encoders that lack one of its parts, to see what that part is for.

Each keeps the rest of `Lstm`, with its initialization and its keys. A gate that is missing has no weights.
"""

from functools import partial

from sentiment_rnn.model.cells import Layer
from sentiment_rnn.model.encoders import CellState, Lstm


class LstmNoForget(CellState):
    """f_t = 1: C_t = C_{t-1} + i_t · tanh(…), the first LSTM (Hochreiter & Schmidhuber 1997). It never forgets.

    There is no `forget_bias`. With chrono initialization its input gates start as those of an `Lstm` do.
    """

    module = staticmethod(partial(Layer, mode="LSTM_NO_FORGET"))


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
