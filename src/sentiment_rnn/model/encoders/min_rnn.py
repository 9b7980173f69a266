"""The minGRU and the minLSTM (Feng et al. 2024, "Were RNNs all we needed?", arXiv:2410.01201, sections 3.1 and 3.2 and
appendix B). Gates and candidate see only the token, so the loop over time contains no matrix product:

    minGRU     z_t = σ(W_z x_t + b_z)      h_t = (1 - z_t) · h_{t-1} + z_t · g(W_h x_t + b_h)
    minLSTM    f_t = σ(W_f x_t + b_f)      i_t = σ(W_i x_t + b_i)
               h_t = f_t / (f_t + i_t) · h_{t-1} + i_t / (f_t + i_t) · g(W_h x_t + b_h)

with g(x) = x + 1/2 where x ≥ 0, else σ(x). The two gates of the minLSTM are normalized to a sum of 1, so that the state
stays on one scale. At each step back, a gradient is multiplied by the factor of h_{t-1}, and by nothing else.
"""

import torch
from torch import Tensor
from torch.nn.functional import gelu, logsigmoid

from sentiment_rnn.model.cells import linear_cell
from sentiment_rnn.model.encoders.recurrent import Gated


def min_gru_coefficients(from_inputs: Tensor) -> tuple[Tensor, Tensor]:
    """1 - z and z · g(…), `[…, H]` each, from `[…, 2 H]`."""
    z, candidate = from_inputs.chunk(2, -1)
    return (-z).sigmoid(), z.sigmoid() * positive(candidate)


def min_lstm_coefficients(from_inputs: Tensor) -> tuple[Tensor, Tensor]:
    """f / (f + i) and i / (f + i) · g(…), `[…, H]` each, from `[…, 3 H]`."""
    f, i, candidate = from_inputs.chunk(3, -1)
    odds = logsigmoid(f) - logsigmoid(i)
    return odds.sigmoid(), (-odds).sigmoid() * positive(candidate)


def positive(x: Tensor) -> Tensor:
    """g, which is always above 0, so that sums in log space need no sign."""
    return torch.where(x < 0, x.sigmoid(), x + 0.5)


class MinGru(Gated):
    """The minGRU.

    One layer cannot bind an opinion to its topic, since gates and candidate of a token do not depend on other tokens.
    So give it two or more layers, between which there is a GELU.

    With `chrono_steps`, 1 - z takes the role of f in each layer. 1 - σ(a) is σ(-a), so b_z = -b.

    >>> states = MinGru(100, hidden_size=256, layers=2)(embedded, lengths)   # [B, T, 256]
    """

    cell = linear_cell("zh", min_gru_coefficients, compiled="min_gru")
    writing = "z"
    between = staticmethod(gelu)


class MinLstm(Gated):
    """The minLSTM; give it two or more layers, like `MinGru`.

    With `chrono_steps`, b_f = b and b_i = -b in each layer. Then f + i = σ(b) + σ(-b) = 1, and the share that is kept,
    f / (f + i), is σ(b).

    >>> states = MinLstm(100, hidden_size=256, layers=2)(embedded, lengths)   # [B, T, 256]
    """

    cell = linear_cell("fih", min_lstm_coefficients, compiled="min_lstm")
    keeping, writing = "f", "i"
    between = staticmethod(gelu)
