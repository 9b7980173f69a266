"""The minGRU (Feng et al. 2024, "Were RNNs all we needed?", arXiv:2410.01201, section 3.1 and appendix B):

    z_t = σ(W_z x_t + b_z)      h_t = (1 - z_t) · h_{t-1} + z_t · g(W_h x_t + b_h)

with g(x) = x + 1/2 where x ≥ 0, else σ(x). Gate and candidate see the token alone, so no product stands inside the loop
over time. A gradient is multiplied by 1 - z_t at each step back, and by nothing else.
"""

from torch import Tensor
from torch.nn.functional import gelu

from sentiment_rnn.model.cells import Cell, Step
from sentiment_rnn.model.encoders.recurrent import Gated
from sentiment_rnn.model.scan import positive


def min_gru_coefficients(from_inputs: Tensor) -> tuple[Tensor, Tensor]:
    """1 - z and z · g(…), `[…, H]` each, from `[…, 2 H]`."""
    z, candidate = from_inputs.chunk(2, -1)
    return (-z).sigmoid(), z.sigmoid() * positive(candidate)


def min_gru_step(from_input: Tensor, _: Tensor, before: Tensor, __: Tensor) -> Step:
    """The equations above; `before` is h_{t-1}."""
    kept, added = min_gru_coefficients(from_input)
    state = kept * before + added
    return Step(state, state, {"update": kept, "candidate": positive(from_input.chunk(2, -1)[1])})


class MinGru(Gated):
    """The minGRU.

    One layer cannot bind an opinion to its topic: what it computes of a token depends on no other. So give it two
    layers or more; a GELU is between.

    With `chrono_steps`, 1 - z plays f, in each layer. 1 - σ(a) is σ(-a), so b_z = -b.

    >>> states = MinGru(100, hidden_size=256, layers=2)(embedded, lengths)   # [B, T, 256]
    """

    cell = Cell("zh", min_gru_step, recurrent="", compiled="min_gru", coefficients=min_gru_coefficients)
    writing = "z"
    between = staticmethod(gelu)
