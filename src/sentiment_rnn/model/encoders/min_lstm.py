"""The minLSTM (Feng et al. 2024, "Were RNNs all we needed?", arXiv:2410.01201, section 3.2 and appendix B):

    f_t = σ(W_f x_t + b_f)      i_t = σ(W_i x_t + b_i)
    h_t = f_t / (f_t + i_t) · h_{t-1} + i_t / (f_t + i_t) · g(W_h x_t + b_h)

with g(x) = x + 1/2 where x ≥ 0, else σ(x). The two gates share what is kept and what is written, so that the
state stays on one scale. A gradient is multiplied by f_t / (f_t + i_t) at each step back, and by nothing else.
"""

from torch import Tensor
from torch.nn.functional import gelu, logsigmoid

from sentiment_rnn.model.cells import Cell, Step
from sentiment_rnn.model.encoders.recurrent import Gated
from sentiment_rnn.model.scan import positive


def min_lstm_coefficients(from_inputs: Tensor) -> tuple[Tensor, Tensor]:
    """f / (f + i) and i / (f + i) · g(…), `[…, H]` each, from `[…, 3 H]`."""
    f, i, candidate = from_inputs.chunk(3, -1)
    odds = logsigmoid(f) - logsigmoid(i)
    return odds.sigmoid(), (-odds).sigmoid() * positive(candidate)


def min_lstm_step(from_input: Tensor, _: Tensor, before: Tensor, __: Tensor) -> Step:
    """The equations above; `before` is h_{t-1}."""
    kept, added = min_lstm_coefficients(from_input)
    state = kept * before + added
    gates = {"forget": kept, "input": 1 - kept, "candidate": positive(from_input.chunk(3, -1)[2])}
    return Step(state, state, gates)


class MinLstm(Gated):
    """The minLSTM; give it two layers or more, as `MinGru`.

    With `chrono_steps`, b_f = b and b_i = -b in each layer: then f + i = σ(b) + σ(-b) = 1, and f / (f + i), which is
    what is kept, is σ(b).

    >>> states = MinLstm(100, hidden_size=256, layers=2)(embedded, lengths)   # [B, T, 256]
    """

    cell = Cell("fih", min_lstm_step, recurrent="", compiled="min_lstm", coefficients=min_lstm_coefficients)
    keeping, writing = "f", "i"
    between = staticmethod(gelu)
