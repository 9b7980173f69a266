"""A vanilla RNN whose recurrent matrix stays orthogonal in training (Lezcano-Casado & Martínez-Rubio 2019, "Cheap
orthogonal constraints in neural networks", arXiv:1901.08428):

    h_t = tanh(W_x x_t + W_h h_{t-1} + b)      W_h = Q exp(A - Aᵀ)

with Q the orthogonal matrix at the start and the lower triangle of A trained from 0. So W_h changes the direction of a
gradient, and never its norm; only the slope of the tanh shrinks it.
"""

from torch import nn
from torch.nn.utils.parametrizations import orthogonal

from sentiment_rnn.model.cells import AnyLayer
from sentiment_rnn.model.encoders.recurrent import Recurrent
from sentiment_rnn.model.encoders.rnn import Rnn


class OrthogonalRnn(Recurrent):
    """The vanilla RNN with a recurrent matrix that stays orthogonal.

    Raises:
        ValueError: the recurrent matrix is to start as another than an orthogonal one.

    >>> states = OrthogonalRnn(100, hidden_size=256)(embedded, lengths)   # [B, T, 256]
    """

    cell = Rnn.cell

    def initialize(self, layer: AnyLayer) -> None:
        """Initialize like every vanilla RNN; then the matrix is bound to be orthogonal."""
        if self.recurrent_init == "uniform" or self.recurrent_gain != 1:
            raise ValueError("expected recurrent_init=orthogonal or identity, and recurrent_gain=1")
        super().initialize(layer)
        orthogonal(layer, "weight_hh_l0", orthogonal_map="matrix_exp")

    def free_parameters(self) -> tuple[list[nn.Parameter], float]:
        """A, without decay: it would draw W_h back to its start."""
        return [one for name, one in self.named_parameters() if "parametrizations" in name], 1.0
