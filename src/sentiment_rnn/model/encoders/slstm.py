"""The sLSTM (Beck et al. 2024, "xLSTM: Extended long short-term memory", arXiv:2405.04517, section 2.2): an LSTM whose
input gate is an exponential, with a normalizer n and a stabilizer m.

    i~, f~, g~, o~ = W [h_{t-1}, x_t] + b
    m_t = max(i~, ln σ(f~) + m_{t-1})      i = exp(i~ - m_t)      f = exp(ln σ(f~) + m_{t-1} - m_t)
    C_t = f · C_{t-1} + i · tanh(g~)       n_t = f · n_{t-1} + i  h_t = σ(o~) · C_t / n_t

m keeps the exponentials in range and does not affect h. With the exponential gate, a token can overwrite all that was
kept, or be almost ignored. W_h is split into heads: a unit sees only the units of its own head. Along the cell, a
gradient is multiplied by f · n_{t-1} / n_t at each step back.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from sentiment_rnn.model.cells import AnyLayer, Cell, HeadedLayer, Step
from sentiment_rnn.model.encoders.recurrent import Gated, start_gate


def slstm_step(from_input: Tensor, from_state: Tensor, _: Tensor, before: Tensor) -> Step:
    """The equations above; `before [B, 3 H]` is C, n and m of the previous step. It returns gates as shares of n_t."""
    i, f, g, o = (from_input + from_state).chunk(4, 1)
    cell, normalizer, stabilizer = before.chunk(3, 1)
    kept = torch.where(normalizer == 0, -torch.inf, logsigmoid(f) + stabilizer)  # there is no m at the first step
    stabilizer = torch.maximum(i, kept).detach()
    i, f, g, o = (i - stabilizer).exp(), (kept - stabilizer).exp(), g.tanh(), o.sigmoid()
    cell, old, normalizer = f * cell + i * g, f * normalizer, f * normalizer + i
    gates = {"forget": old / normalizer, "input": i / normalizer, "output": o, "candidate": g}
    memory = torch.cat([cell, normalizer, stabilizer], 1)
    cell, normalizer, _ = memory.chunk(3, 1)  # h_t is computed from the memory that the next step gets
    return Step(o * cell / normalizer, memory, gates)


def normalizer(memory: Tensor) -> Tensor:
    """n_t `[…, H]` of C, n and m `[…, 3 H]`."""
    return memory.chunk(3, -1)[1]


class SLstm(Gated):
    """The sLSTM.

    With `chrono_steps`, b_f = b. While the gates are constant, C_t / n_t is a mean of the candidates whose weights fall
    by the factor σ(b_f) at each step back, so σ(f~) takes the role of f. The exponential input gate starts at b_i = 0:
    exp(b_i) would be a factor of both C and n, and cancel.

    Args:
        heads: number of heads into which W_h is split; H is a multiple of it.
        forget_bias: initial b_f, without `chrono_steps`.

    Raises:
        ValueError: H is not a multiple of `heads`.

    >>> states = SLstm(100, hidden_size=256, heads=4)(embedded, lengths)   # [B, T, 256]
    """

    cell = Cell("ifgo", slstm_step, cell_state=True, memory=3, normalizer=normalizer, compiled="slstm")
    keeping = "f"

    def __init__(
        self, input_size: int, *, hidden_size: int, heads: int = 4, forget_bias: float = 1.0, **shared: Any
    ) -> None:
        if heads < 1 or hidden_size % heads:
            raise ValueError(f"hidden_size={hidden_size}: expected a multiple of heads={heads}, at least 1")
        self.heads, self.forget_bias = heads, forget_bias  # set before the layers are made, since they need both
        super().__init__(input_size, hidden_size=hidden_size, **shared)

    def new_layer(self, input_size: int) -> AnyLayer:
        """A layer whose W_h has heads."""
        return HeadedLayer(input_size, self.hidden_size, self.cell, self.heads)

    def initialize(self, layer: AnyLayer) -> None:
        """Initialize like every net with gates; without chrono initialization, also set the forget bias."""
        super().initialize(layer)
        if not self.chrono_steps:
            start_gate(layer, "f", torch.tensor(self.forget_bias))
