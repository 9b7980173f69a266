"""Layers of a recurrent net with any cell: the base of every recurrent encoder.

Sequences are padded, never packed: on a CPU a packed backward pass is quadratic in the length (pytorch issue
149194). PyTorch's modules hold the weights, and read sequences on a GPU (cuDNN). On a CPU, `recurrence` reads them
faster than PyTorch's modules (figures: experiments/benchmarks).
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from sentiment_rnn.model import recurrence, scan
from sentiment_rnn.model.cells import AnyLayer, Cell, GradientStop, HeadedLayer, Layer, OwnLayer, cell_of


class Recurrent(nn.Module):
    """Layers of a recurrent net, in one direction or two; subclasses name the cell and how it starts.

    Args:
        input_size: E.
        hidden_size: H, in each direction; D is H or, in two directions, 2 H.
        layers: recurrent layers on top of each other.
        bidirectional: a second net reads each review backwards, from its own end, not from the padding.
        dropout: dropout between layers.
        recurrent_init: `orthogonal` (Saxe et al. 2014; it keeps the norm of the state and of its gradient),
            `identity`, or `uniform`: PyTorch's initialization of all weights, except gates that another argument
            initializes.
        recurrent_gain: factor of the initial recurrent weights.
        gradient_steps: truncated backpropagation, for each review by itself. The gradient reaches its last
            `gradient_steps` tokens; the state before them counts as a constant. 0: it reaches all tokens.

    Raises:
        ValueError: `gradient_steps` is given with two directions (the backward net reads the last tokens first), or
            `recurrent_gain` without a W_h or with an orthogonal one, or the class has no cell.
    """

    cell: Cell
    between: Callable[[Tensor], Tensor] = staticmethod(lambda states: states)
    """Function from the states of a layer to the inputs of the next."""
    module: Callable[..., nn.RNNBase] | None = None
    """PyTorch's module for this cell, which holds the weights and reads sequences on a GPU; None if there is none. A
    subclass that changes the cell does not inherit the module, and has to name one of its own."""

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
        if not hasattr(self, "cell"):
            raise ValueError(f"{type(self).__name__} names no cell; extend Rnn, Gru or Lstm, or give it one")
        if gradient_steps and bidirectional:
            raise ValueError(f"gradient_steps={gradient_steps}: expected 0 with bidirectional=true")
        self.hidden_size = hidden_size
        self.recurrent_init = recurrent_init
        self.recurrent_gain = recurrent_gain
        self.gradient_steps = gradient_steps
        self.output_size = hidden_size * (2 if bidirectional else 1)
        sizes = [input_size] + [self.output_size] * (layers - 1)

        def stack() -> nn.ModuleList:
            return nn.ModuleList(self.new_layer(size) for size in sizes)

        self.forwards = stack()
        self.backwards = stack() if bidirectional else None
        self.dropout = nn.Dropout(dropout)
        for layer in cast(Iterable[AnyLayer], [*self.forwards, *(self.backwards or ())]):
            self.initialize(layer)
            if recurrent_gain != 1 and not any(name in layer._parameters for name in ("weight_hh_l0", "weight_heads")):
                raise ValueError(f"recurrent_gain={recurrent_gain}: expected 1, since it has no W_h of free elements")

    def new_layer(self, input_size: int) -> AnyLayer:
        """The weights of one layer in one direction, drawn as PyTorch draws them."""
        named = next(vars(one) for one in (self, *type(self).__mro__) if {"cell", "module"} & vars(one).keys())
        if self.module is None or "module" not in named:
            return Layer(input_size, self.hidden_size, self.cell)
        layer = self.module(input_size, self.hidden_size, batch_first=True)
        layer.cell = self.cell
        return layer

    def forward(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """`embedded [B, T, E]`, `lengths [B]` → states of the last layer `[B, T, D]`."""
        states = embedded
        reverse = None if self.backwards is None else reversal(lengths, embedded.shape[1])
        stop = self.gradient_stop(lengths) if torch.is_grad_enabled() else None
        for number, layer in enumerate(cast(Iterable[AnyLayer], self.forwards)):
            inputs = states if number == 0 else self.dropout(self.between(states))
            if self.backwards is None or reverse is None:
                (states,) = self.read([layer], [inputs], stop)
            else:
                both = [layer, cast(AnyLayer, self.backwards[number])]
                forward, backward = self.read(both, [inputs, reorder(inputs, reverse)], stop)
                states = torch.cat([forward, reorder(backward, reverse)], dim=2)
        return states

    def gradient_stop(self, lengths: Tensor) -> GradientStop | None:
        """Where the gradient of reviews of `lengths [B]` ends; None: nowhere."""
        return GradientStop((lengths - self.gradient_steps).clamp(min=0)) if self.gradient_steps else None

    def read(self, layers: Sequence[AnyLayer], inputs: Sequence[Tensor], stop: GradientStop | None) -> Sequence[Tensor]:
        """States `[B, T, H]` of one layer in each direction, for its `inputs [B, T, E]`."""
        pairs = list(zip(layers, inputs, strict=True))
        if all(recurrence.applies(layer, x, stop) for layer, x in pairs):
            return recurrence.states_side_by_side(layers, inputs, stop)
        return [read_alone(layer, x, stop) for layer, x in pairs]

    def initialize(self, layer: AnyLayer) -> None:
        """Initialize the weights of one layer in one direction. Except with `uniform`, input weights are Glorot's and
        biases are zero."""
        starts = {"identity": nn.init.eye_, "orthogonal": nn.init.orthogonal_, "uniform": lambda gate: gate}
        for gate in recurrent_matrices(layer):
            starts[self.recurrent_init](gate)
            gate.mul_(self.recurrent_gain)
        if self.recurrent_init == "uniform":
            return
        for gate in cast(Tensor, layer.weight_ih_l0).detach().split(self.hidden_size):
            nn.init.xavier_uniform_(gate)
        for bias in biases(layer):
            nn.init.zeros_(bias)


class Gated(Recurrent):
    """A recurrent net whose gates decide how much of its state a unit keeps. Its gates can start slow.

    A unit that keeps the share f at each step forgets within about 1 / (1 - f) steps. With `chrono_steps` above 0
    (Tallec & Ollivier 2018, "Can recurrent neural networks warp time?", arXiv:1804.11188) the units' memories are
    spread over that many steps: f = σ(b) with b = ln u and u ~ U(1, chrono_steps - 1), so that 1 / (1 - f) = 1 + u is
    uniform from 2 to `chrono_steps`.
    """

    keeping = ""
    """Letter of the gate that starts at b: the more it is open, the more a unit keeps. Empty for none."""
    writing = ""
    """Letter of the gate that starts at -b: the more it is open, the less a unit keeps. Empty for none."""

    def __init__(self, input_size: int, *, chrono_steps: int = 0, **shared: Any) -> None:
        self.chrono_steps = chrono_steps  # set before the layers are made, since they are initialized with it
        super().__init__(input_size, **shared)

    def initialize(self, layer: AnyLayer) -> None:
        """Initialize like every recurrent net; with chrono initialization, also set these two gates."""
        super().initialize(layer)
        if self.chrono_steps:
            drawn = torch.empty(layer.hidden_size).uniform_(1, self.chrono_steps - 1).log_()
            start_gate(layer, self.keeping, drawn)
            start_gate(layer, self.writing, -drawn)


def read_alone(layer: AnyLayer, inputs: Tensor, stop: GradientStop | None) -> Tensor:
    """States `[B, T, H]` of one layer in one direction."""
    if isinstance(layer, OwnLayer):
        return layer.states(inputs, stop)
    return (scan.states if cell_of(layer).coefficients else recurrence.states_of_layer)(layer, inputs, stop)


def gates_of(layer: AnyLayer, rows: Tensor) -> dict[str, Tensor]:
    """Views of `rows [G]` or `[G, N]` of a layer's weights, by the letter of the gate."""
    return dict(zip(cell_of(layer).gates, rows.detach().split(layer.hidden_size), strict=True))


def start_gate(layer: AnyLayer, gate: str, bias: Tensor) -> None:
    """Initialize the bias of a layer's gate, given by its letter, with `bias` `[H]` or `[]`. Does nothing if the layer
    lacks the gate."""
    for rows, start in zip(biases(layer), (bias, torch.zeros(())), strict=False):
        found = gates_of(layer, rows)
        if gate in found:
            found[gate].copy_(start)


def recurrent_matrices(layer: AnyLayer) -> tuple[Tensor, ...]:
    """W_h of one layer as views: an `[H, H]` matrix for each gate that has one, or a matrix for each of its heads."""
    if isinstance(layer, HeadedLayer):
        return tuple(layer.weight_heads.detach().flatten(0, 1))
    weights = cast(Tensor | None, layer.weight_hh_l0)
    return () if weights is None else weights.detach().split(layer.hidden_size)


def biases(layer: AnyLayer) -> list[Tensor]:
    """b_x of one layer, and b_h where the layer has one."""
    found = cast(tuple[Tensor | None, ...], (layer.bias_ih_l0, layer.bias_hh_l0))
    return [bias for bias in found if bias is not None]


def reversal(lengths: Tensor, steps: int) -> Tensor:
    """int64 [B, T], positions that reverse each review; padding stays in place. The reversal is its own inverse."""
    positions = torch.arange(steps, device=lengths.device).expand(len(lengths), steps)
    mirrored = lengths[:, None] - 1 - positions
    return torch.where(mirrored >= 0, mirrored, positions)


def reorder(states: Tensor, positions: Tensor) -> Tensor:
    """`states [B, T, D]` in the order of `positions [B, T]`, as `reversal` gives it."""
    return cast(Tensor, _Reordered.apply(states, positions))


class _Reordered(torch.autograd.Function):
    """`reorder`, forward and backward, by copying whole rows. `Tensor.gather` copies number by number, and its gradient
    adds instead of copying."""

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
