"""Vanilla RNNs, h_t = φ(W_x x_t + W_h h_{t-1} + b), with φ = tanh (Elman 1990) or a rectifier (Le et al. 2015)."""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import orthogonal

from sentiment_rnn.model.cells import AnyLayer, Cell, Step
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


class OrthogonalRnn(Recurrent):
    """The vanilla RNN whose recurrent matrix stays orthogonal in training (Lezcano-Casado & Martínez-Rubio 2019, "Cheap
    orthogonal constraints in neural networks", arXiv:1901.08428, section 3):

        W_h = Q exp(A - Aᵀ)

    with Q the orthogonal matrix at the start, and the lower triangle of A trained from 0. So W_h turns a gradient and
    never shrinks it; only the slope of the tanh does.

    Raises:
        ValueError: the recurrent matrix is to start as another than an orthogonal one.

    >>> states = OrthogonalRnn(100, hidden_size=256)(embedded, lengths)   # [B, T, 256]
    """

    cell = Rnn.cell

    def initialize(self, layer: AnyLayer) -> None:
        """Start as every vanilla RNN does; then bind the matrix to stay orthogonal."""
        if self.recurrent_init == "uniform" or self.recurrent_gain != 1:
            raise ValueError("expected recurrent_init=orthogonal or identity, and recurrent_gain=1")
        super().initialize(layer)
        orthogonal(layer, "weight_hh_l0", orthogonal_map="matrix_exp")

    def free_parameters(self) -> tuple[list[nn.Parameter], float]:
        """A, without decay: it would draw W_h back to its start."""
        return [one for name, one in self.named_parameters() if "parametrizations" in name], 1.0
