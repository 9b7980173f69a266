"""Encoders: embedded tokens in, a state for every token out.

Every encoder is a module with `forward(embedded [B, T, E], lengths [B]) -> states [B, T, D]` and an attribute
`output_size` (D), built from `input_size` (E) and the keys of `conf/encoder/`. What stands after a review's own
length is padding, and the states there are not defined; no state before it depends on them.

Sequences are padded, never packed: on a CPU a packed backward pass is quadratic in the length (pytorch issue
149194). There, `recurrence` reads them, faster than PyTorch's modules do (the figures: experiments/throughput); those
hold the weights, and read on a GPU (cuDNN).
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from sentiment_rnn.model import recurrence
from sentiment_rnn.model.cells import CELLS, AnyLayer, Cut, Layer


class Bag(nn.Module):
    """No recurrence: the states are the embeddings. The control that shows what order adds."""

    def __init__(self, input_size: int) -> None:
        super().__init__()
        self.output_size = input_size

    def forward(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """`embedded [B, T, E]` as it is."""
        return embedded


class Recurrent(nn.Module):
    """Layers of a recurrent net, in one direction or two; subclasses name the cell and how it starts.

    Args:
        input_size: E.
        hidden_size: H, in each direction; D is H or, in two directions, 2 H.
        layers: recurrent layers on top of each other.
        bidirectional: a second net reads each review from its own end, not from the padding.
        dropout: between layers.
        recurrent_init: `orthogonal` (Saxe et al. 2014; it keeps the norm of the state and of its gradient),
            `identity` or `uniform` (PyTorch's).
        recurrent_gain: what the recurrent weights are multiplied by at first.
        gradient_steps: truncated backpropagation, of each review by itself. The gradient reaches its last
            `gradient_steps` tokens, and the state before them counts as a constant. 0: it reaches all.

    Raises:
        ValueError: `gradient_steps` with two directions: the backward net reads the last tokens first.
    """

    module: Callable[..., AnyLayer]
    detach = "none"
    """The path of the gradient that is cut: `none`, `cell` or `hidden`; see `CellState`."""

    def __init__(
        self,
        input_size: int,
        *,
        hidden_size: int,
        layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        recurrent_init: str = "orthogonal",
        recurrent_gain: float = 1.0,
        gradient_steps: int = 0,
    ) -> None:
        super().__init__()
        if gradient_steps and bidirectional:
            raise ValueError(f"gradient_steps={gradient_steps}: expected 0 with bidirectional=true")
        self.hidden_size = hidden_size
        self.recurrent_init = recurrent_init
        self.recurrent_gain = recurrent_gain
        self.gradient_steps = gradient_steps
        self.output_size = hidden_size * (2 if bidirectional else 1)
        sizes = [input_size] + [self.output_size] * (layers - 1)

        def stack() -> nn.ModuleList:
            return nn.ModuleList(self.module(size, hidden_size, batch_first=True) for size in sizes)

        self.forwards = stack()
        self.backwards = stack() if bidirectional else None
        self.dropout = nn.Dropout(dropout)
        for module in cast(Iterable[AnyLayer], [*self.forwards, *(self.backwards or ())]):
            self.initialize(module)

    def forward(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """`embedded [B, T, E]`, `lengths [B]` → states of the last layer `[B, T, D]`."""
        states = embedded
        reverse = None if self.backwards is None else reversal(lengths, embedded.shape[1])
        cut = self.cut(lengths) if torch.is_grad_enabled() else None
        for layer, module in enumerate(cast(Iterable[AnyLayer], self.forwards)):
            inputs = states if layer == 0 else self.dropout(states)
            if self.backwards is None or reverse is None:
                (states,) = self.read([module], [inputs], cut)
            else:
                both = [module, cast(AnyLayer, self.backwards[layer])]
                forward, backward = self.read(both, [inputs, reorder(inputs, reverse)], cut)
                states = torch.cat([forward, reorder(backward, reverse)], dim=2)
        return states

    def cut(self, lengths: Tensor) -> Cut | None:
        """Where the gradient of reviews of `lengths [B]` ends; None: nowhere."""
        if not self.gradient_steps and self.detach == "none":
            return None
        starts = (lengths - self.gradient_steps).clamp(min=0) if self.gradient_steps else None
        return Cut(starts, along_cell=self.detach == "cell", through_state=self.detach == "hidden")

    def read(self, modules: Sequence[AnyLayer], inputs: Sequence[Tensor], cut: Cut | None) -> Sequence[Tensor]:
        """States `[B, T, H]` of one layer in each direction, for its `inputs [B, T, E]`."""
        pairs = list(zip(modules, inputs, strict=True))
        if all(recurrence.applies(module, x, cut) for module, x in pairs):
            return recurrence.states_side_by_side(modules, inputs, cut)
        return [recurrence.states_of_module(module, x, cut) for module, x in pairs]

    def initialize(self, module: AnyLayer) -> None:
        """Set the weights of one layer and direction at the start: Glorot for the input, zero for the bias."""
        for gate in recurrent_matrices(module):
            if self.recurrent_init == "identity":
                nn.init.eye_(gate)
            elif self.recurrent_init == "orthogonal":
                nn.init.orthogonal_(gate)
            gate.mul_(self.recurrent_gain)
        if self.recurrent_init == "uniform":
            return
        for gate in cast(Tensor, module.weight_ih_l0).detach().split(self.hidden_size):
            nn.init.xavier_uniform_(gate)
        for bias in biases(module):
            nn.init.zeros_(bias)


class Rnn(Recurrent):
    """The vanilla RNN (Elman 1990): `h_t = tanh(W_x x_t + W_h h_{t-1} + b)`.

    >>> states = Rnn(100, hidden_size=256)(embedded, lengths)   # [B, T, 256]
    """

    module = nn.RNN


class ReluRnn(Recurrent):
    """The vanilla RNN with a rectifier, `h_t = max(0, W_x x_t + W_h h_{t-1} + b)`.

    With the identity as its recurrent matrix it is the IRNN of Le et al. (2015, section 3): at the start a state is
    handed on as it is. They draw the input weights from a normal distribution; here they are Glorot's, as for every
    encoder.

    >>> states = ReluRnn(100, hidden_size=256, recurrent_init="identity")(embedded, lengths)   # [B, T, 256]
    """

    module = staticmethod(partial(nn.RNN, nonlinearity="relu"))  # a partial would become a method in later Pythons


class LeakyRnn(Recurrent):
    """A vanilla RNN of leaky units (Jaeger et al. 2007):

        h_t = α h_{t-1} + (1 - α) tanh(W_x x_t + W_h h_{t-1} + b)

    in the form of Bengio et al. (2013), "Advances in optimizing recurrent networks". No gates: `alpha` is one number,
    and stays. It does what a forget gate does that is open at α and never moves.

    Raises:
        ValueError: `alpha` is not in [0, 1).

    >>> states = LeakyRnn(100, hidden_size=256, alpha=0.95)(embedded, lengths)   # [B, T, 256]
    """

    def __init__(self, input_size: int, *, alpha: float = 0.95, **shared: Any) -> None:
        if not 0 <= alpha < 1:
            raise ValueError(f"alpha={alpha}: expected at least 0 and below 1")
        self.alpha = alpha  # before the layers are made, which have it
        super().__init__(input_size, **shared)

    def module(self, input_size: int, hidden_size: int, batch_first: bool) -> Layer:
        """One layer in one direction."""
        return Layer(input_size, hidden_size, mode="RNN_LEAKY", alpha=self.alpha, batch_first=batch_first)


class Gru(Recurrent):
    """The gated recurrent unit (Cho et al. 2014), in the form that cuDNN computes:

        r_t = σ(W_r x_t + U_r h_{t-1} + b_r)      z_t = σ(W_z x_t + U_z h_{t-1} + b_z)
        n_t = tanh(W_n x_t + b_n + r_t · (U_n h_{t-1} + c_n))
        h_t = (1 - z_t) · n_t + z_t · h_{t-1}

    Two gates and no cell: z_t does what the forget gate of an LSTM does.

    >>> states = Gru(100, hidden_size=256)(embedded, lengths)   # [B, T, 256]
    """

    module = nn.GRU


class CellState(Recurrent):
    """A recurrent net with a cell state C_t beside the state h_t: the LSTM, whole or without one of its gates.

    With `chrono_steps` above 0 (Tallec & Ollivier 2018, section 2.2) the biases are drawn so that the units' memories
    are spread over that many steps: b_f ~ ln U(1, chrono_steps - 1) and b_i = -b_f, of the gates that are there.

    `detach` takes one of the gradient's two ways back, and leaves the states as they are. `cell`: C_{t-1} counts as a
    constant in the equation of C_t. `hidden`: h_{t-1} counts as a constant in the gates and the candidate.

    Raises:
        ValueError: `detach` is something else.
    """

    def __init__(self, input_size: int, *, chrono_steps: int = 0, detach: str = "none", **shared: Any) -> None:
        if detach not in ("none", "cell", "hidden"):
            raise ValueError(f"detach={detach}: expected none, cell or hidden")
        self.chrono_steps = chrono_steps  # before the layers are made, which are initialized with it
        super().__init__(input_size, **shared)
        self.detach = detach

    def initialize(self, module: AnyLayer) -> None:
        """As for every recurrent net; with chrono initialization the biases of forget and input gate too."""
        super().initialize(module)
        if self.chrono_steps:
            drawn = torch.empty(module.hidden_size).uniform_(1, self.chrono_steps - 1).log_()
            for gate, bias in (("f", drawn), ("i", -drawn)):
                start_gate(module, gate, bias)


class Lstm(CellState):
    """The LSTM (Hochreiter & Schmidhuber 1997) with a forget gate (Gers et al. 2000):

        f_t = σ(W_f [h_{t-1}, x_t] + b_f)      i_t = σ(W_i [h_{t-1}, x_t] + b_i)      o_t = σ(W_o [h_{t-1}, x_t] + b_o)
        C_t = f_t · C_{t-1} + i_t · tanh(W_C [h_{t-1}, x_t] + b_C)
        h_t = o_t · tanh(C_t)

    `forget_bias` is b_f at the start. Along the cell, a gradient is multiplied by f at each step back. So
    an untrained LSTM reaches back as far as its forget gates are open: σ(1) = 0.73 at bias 1 (Jozefowicz et al. 2015).
    Chrono initialization draws it instead.

    >>> states = Lstm(100, hidden_size=256)(embedded, lengths)   # [B, T, 256]
    """

    module: Callable[..., AnyLayer] = nn.LSTM

    def __init__(self, input_size: int, *, forget_bias: float = 1.0, **shared: Any) -> None:
        self.forget_bias = forget_bias  # before the layers are made, which are initialized with it
        super().__init__(input_size, **shared)

    def initialize(self, module: AnyLayer) -> None:
        """As for every net with a cell state, and the forget gate's bias where chrono initialization draws none."""
        super().initialize(module)
        if not self.chrono_steps:
            start_gate(module, "f", torch.tensor(self.forget_bias))


def start_gate(module: AnyLayer, gate: str, bias: Tensor) -> None:
    """Start the bias of a layer's gate, by its letter, at `bias` `[H]` or `[]`; a gate that is missing has none."""
    for rows, start in zip(biases(module), (bias, torch.zeros(())), strict=False):
        found = gates_of(module, rows)
        if gate in found:
            found[gate].copy_(start)


def gates_of(module: AnyLayer, rows: Tensor) -> dict[str, Tensor]:
    """Views of `rows [G]` or `[G, N]` of a layer's weights, by the letter of the gate."""
    return dict(zip(CELLS[module.mode].gates, rows.detach().split(module.hidden_size), strict=True))


def recurrent_matrices(module: AnyLayer) -> tuple[Tensor, ...]:
    """W_h of one layer, a `[H, H]` matrix for each gate that has one, as views."""
    weights = cast(Tensor | None, module.weight_hh_l0)
    return () if weights is None else weights.detach().split(module.hidden_size)


def biases(module: AnyLayer) -> list[Tensor]:
    """b_x of one layer, and b_h where the layer has one."""
    found = cast(tuple[Tensor | None, ...], (module.bias_ih_l0, module.bias_hh_l0))
    return [bias for bias in found if bias is not None]


def reversal(lengths: Tensor, steps: int) -> Tensor:
    """int64 [B, T]: positions that read each review from its own end; padding stays where it is. Its own inverse."""
    positions = torch.arange(steps, device=lengths.device).expand(len(lengths), steps)
    mirrored = lengths[:, None] - 1 - positions
    return torch.where(mirrored >= 0, mirrored, positions)


def reorder(states: Tensor, positions: Tensor) -> Tensor:
    """`states [B, T, D]` in the order of `positions [B, T]`, as `reversal` gives it."""
    return cast(Tensor, _Reordered.apply(states, positions))


class _Reordered(torch.autograd.Function):
    """Whole rows are copied, there and back. `Tensor.gather` takes them number by number, and its gradient adds."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, positions: Tensor) -> Tensor:
        ctx.save_for_backward(positions)
        B, T, D = states.shape
        reviews = torch.arange(B, device=states.device)[:, None]
        if states.stride(0) < states.stride(1):  # time comes first in memory, as the recurrence leaves it
            rows, places = states.transpose(0, 1).reshape(T * B, D), positions * B + reviews
        else:
            rows, places = states.reshape(B * T, D), reviews * T + positions
        return rows.index_select(0, places.flatten()).view(B, T, D)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return reorder(gradients[0], *ctx.saved_tensors), None  # a reversal is its own inverse
