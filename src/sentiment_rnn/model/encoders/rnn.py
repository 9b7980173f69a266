"""Vanilla RNNs, h_t = φ(W_x x_t + W_h h_{t-1} + b), with φ = tanh (Elman 1990) or a rectifier (Le et al. 2015)."""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization

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
    """1 - tanh², from the value of tanh."""
    return 1 - activated**2


def slope_of_relu(activated: Tensor) -> Tensor:
    """1 where a unit is active, else 0."""
    return (activated > 0).to(activated.dtype)


class Rnn(Recurrent):
    """The vanilla RNN.

    >>> states = Rnn(100, hidden_size=256)(embedded, lengths)   # [B, T, 256]
    """

    cell = Cell("h", tanh_step, compiled="rnn", slope=slope_of_tanh)
    module = nn.RNN


class ReluRnn(Recurrent):
    """The vanilla RNN with a rectifier.

    With the identity as its initial recurrent matrix it is the IRNN of Le et al. (2015, section 3): before training, a
    state is passed on unchanged. They draw the input weights from a normal distribution; here they are Glorot's, as for
    every encoder.

    >>> states = ReluRnn(100, hidden_size=256, recurrent_init="identity")(embedded, lengths)   # [B, T, 256]
    """

    cell = Cell("h", relu_step, compiled="relu_rnn", slope=slope_of_relu)
    module = staticmethod(partial(nn.RNN, nonlinearity="relu"))  # a partial would become a method in later Pythons


class Orthogonal(nn.Module):
    """An orthogonal matrix Q exp(A - Aᵀ) `[H, H]`: Q is fixed, and the lower triangle of A is trained from 0.

    PyTorch's own parametrization reads the values of the matrix. A model that is built only to be loaded has none.
    """

    base: Tensor
    """Q."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("base", torch.eye(size))

    def forward(self, A: Tensor) -> Tensor:
        """The matrix of A `[H, H]`."""
        # In bfloat16 the matrix would be orthogonal only to two digits.
        with torch.autocast("cuda" if A.is_cuda else "cpu", enabled=False):
            lower = A.tril(-1)
            return self.base @ torch.matrix_exp(lower - lower.T)

    def right_inverse(self, weight: Tensor) -> Tensor:
        """A of the initial matrix: 0, with the matrix as Q."""
        self.base = weight.detach().clone()
        return torch.zeros_like(weight)


class OrthogonalRnn(Recurrent):
    """The vanilla RNN whose recurrent matrix stays orthogonal in training, by the exponential map (Lezcano-Casado &
    Martínez-Rubio 2019, arXiv:1901.08428) at the matrix of the start (Lezcano-Casado 2019, arXiv:1909.09501). W_h turns
    a gradient and never shrinks it; only the slope of the tanh does.

    Raises:
        ValueError: the initial recurrent matrix is not orthogonal.

    >>> states = OrthogonalRnn(100, hidden_size=256)(embedded, lengths)   # [B, T, 256]
    """

    cell = Rnn.cell

    def initialize(self, layer: AnyLayer) -> None:
        """Initialize like every vanilla RNN; then constrain the matrix to stay orthogonal."""
        if self.recurrent_init == "uniform" or self.recurrent_gain != 1:
            given = f"recurrent_init={self.recurrent_init}, recurrent_gain={self.recurrent_gain}"
            raise ValueError(f"{given}: expected recurrent_init=orthogonal or identity, and recurrent_gain=1")
        super().initialize(layer)
        register_parametrization(layer, "weight_hh_l0", Orthogonal(layer.hidden_size), unsafe=True)

    def free_parameters(self) -> tuple[list[nn.Parameter], float]:
        """A, without decay, which would pull W_h back to its initial value."""
        return [one for name, one in self.named_parameters() if "parametrizations" in name], 1.0
