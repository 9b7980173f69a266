"""A vanilla RNN of leaky units (Jaeger et al. 2007):

    h_t = α h_{t-1} + (1 - α) tanh(W_x x_t + W_h h_{t-1} + b)

in the form of Bengio et al. (2013), "Advances in optimizing recurrent networks". There are no gates: α is one number
and is not trained. It acts like a forget gate that always has the value α.
"""

from typing import Any

import torch
from torch import Tensor

from sentiment_rnn.model.cells import Cell, Step
from sentiment_rnn.model.encoders.recurrent import Recurrent


def leaky_cell(alpha: float) -> Cell:
    """The cell of the equation above."""

    def step(from_input: Tensor, from_state: Tensor, before: Tensor, _: Tensor) -> Step:
        state = alpha * before + (1 - alpha) * torch.tanh(from_input + from_state)
        return Step(state, state, {})

    return Cell("h", step, compiled="leaky_rnn", slope=lambda activated: 1 - activated**2, alpha=alpha)


class LeakyRnn(Recurrent):
    """A vanilla RNN of leaky units.

    Raises:
        ValueError: `alpha` is not in [0, 1).

    >>> states = LeakyRnn(100, hidden_size=256, alpha=0.95)(embedded, lengths)   # [B, T, 256]
    """

    def __init__(self, input_size: int, *, alpha: float = 0.95, **shared: Any) -> None:
        if not 0 <= alpha < 1:
            raise ValueError(f"alpha={alpha}: expected at least 0 and below 1")
        self.cell = leaky_cell(alpha)  # set before the layers are made, since they use it
        super().__init__(input_size, **shared)
