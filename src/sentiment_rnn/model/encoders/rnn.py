"""Vanilla RNNs, h_t = φ(W_x x_t + W_h h_{t-1} + b), with φ = tanh (Elman 1990) or a rectifier (Le et al. 2015)."""

from functools import partial

import torch
from torch import Tensor, nn

from sentiment_rnn.model.cells import Cell, Step
from sentiment_rnn.model.encoders.recurrent import Recurrent


def tanh_step(from_input: Tensor, from_state: Tensor, *_: Tensor) -> Step:
    """h_t = tanh(W_x x_t + W_h h_{t-1} + b)."""
    state = torch.tanh(from_input + from_state)
    return Step(state, state, {})


def relu_step(from_input: Tensor, from_state: Tensor, *_: Tensor) -> Step:
    """h_t = max(0, W_x x_t + W_h h_{t-1} + b)."""
    state = torch.relu(from_input + from_state)
    return Step(state, state, {})


def slope_of_tanh(activated: Tensor) -> Tensor:
    """1 - tanh², by tanh."""
    return 1 - activated**2


def slope_of_relu(activated: Tensor) -> Tensor:
    """1 where a unit is live."""
    return (activated > 0).to(activated.dtype)


class Rnn(Recurrent):
    """The vanilla RNN.

    >>> states = Rnn(100, hidden_size=256)(embedded, lengths)   # [B, T, 256]
    """

    cell = Cell("h", tanh_step, compiled="rnn", slope=slope_of_tanh)
    module = nn.RNN


class ReluRnn(Recurrent):
    """The vanilla RNN with a rectifier.

    With the identity as its recurrent matrix it is the IRNN of Le et al. (2015, section 3): at the start a state is
    handed on as it is. They draw the input weights from a normal distribution; here they are Glorot's, as for every
    encoder.

    >>> states = ReluRnn(100, hidden_size=256, recurrent_init="identity")(embedded, lengths)   # [B, T, 256]
    """

    cell = Cell("h", relu_step, compiled="relu_rnn", slope=slope_of_relu)
    module = staticmethod(partial(nn.RNN, nonlinearity="relu"))  # a partial would become a method in later Pythons
