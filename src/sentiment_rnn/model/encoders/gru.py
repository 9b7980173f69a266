"""The gated recurrent unit (Cho et al. 2014), in the form that cuDNN computes:

    r_t = σ(W_r x_t + U_r h_{t-1} + b_r)      z_t = σ(W_z x_t + U_z h_{t-1} + b_z)
    n_t = tanh(W_n x_t + b_n + r_t · (U_n h_{t-1} + c_n))
    h_t = (1 - z_t) · n_t + z_t · h_{t-1}

It has two gates and no cell: z_t does what the forget gate of an LSTM does.
"""

import torch
from torch import Tensor, nn

from sentiment_rnn.model.cells import Cell, Step
from sentiment_rnn.model.encoders.recurrent import Gated


def gru_step(from_input: Tensor, from_state: Tensor, before: Tensor, _: Tensor) -> Step:
    """The equations above."""
    (r, z, n), (r_h, z_h, n_h) = from_input.chunk(3, 1), from_state.chunk(3, 1)
    r, z = (r + r_h).sigmoid(), (z + z_h).sigmoid()
    n = torch.tanh(n + r * n_h)
    state = (1 - z) * n + z * before
    return Step(state, state, {"reset": r, "update": z, "candidate": n})


class Gru(Gated):
    """The gated recurrent unit.

    With `chrono_steps`, z takes the role of f: z is the share that is kept, 1 - z the share that is written. So
    b_z = b. The reset gate only shapes the candidate, and starts at b_r = 0.

    >>> states = Gru(100, hidden_size=256)(embedded, lengths)   # [B, T, 256]
    """

    cell = Cell("rzn", gru_step, compiled="gru")
    module = nn.GRU
    keeping = "z"
