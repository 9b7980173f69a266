"""Recurrent cells, reading a layer of them step by step, and weights of layers for which PyTorch has no module. A
cell's equations are in its encoder's file.

This is the reference. The compiled `recurrence` and PyTorch's modules compute the same states faster, where they apply.
The probes use this code to look at every step.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import linear


@dataclass(frozen=True)
class GradientStop:
    """Places at which the gradient of a layer ends. The states do not depend on them."""

    starts: Tensor | None = None
    """int64 [B], the first step of each review that the gradient reaches; None: it reaches all steps."""
    along_cell: bool = False
    """C_{t-1} counts as a constant in C_t."""
    through_state: bool = False
    """h_{t-1} counts as a constant in gates and candidate."""

    def cut_before(self, sequence: Tensor) -> Tensor:
        """`sequence [B, T, N]` with constants at the steps before each review's start."""
        if self.starts is None:
            return sequence
        reached = torch.arange(sequence.shape[1], device=sequence.device) >= self.starts[:, None]
        return torch.where(reached[:, :, None], sequence, sequence.detach())

    def cut_at(self, t: int, before: Tensor) -> Tensor:
        """The values `[B, N]` that step t gets from the previous step; constant up to a review's start."""
        return before if self.starts is None else torch.where((t <= self.starts)[:, None], before.detach(), before)


class Step(NamedTuple):
    """Values of a cell at a step; each `[B, H]`."""

    state: Tensor
    """h_t."""
    cell: Tensor
    """C_t, `[B, memory · H]`; h_t for a net without a cell state."""
    gates: dict[str, Tensor]
    """`forget`, `input`, `output` and `candidate` of an LSTM; `reset`, `update` (the share of h_{t-1} that is kept) and
    `candidate` of a GRU."""


class Cell(NamedTuple):
    """A kind of cell."""

    gates: str
    """One letter for each block of H rows in the weights, in order."""
    step: Callable[[Tensor, Tensor, Tensor, Tensor], Step] | None
    """Function from W_x x_t + b_x, W_h h_{t-1} + b_h (0 where no block sees h_{t-1}), h_{t-1} and C_{t-1} to the values
    at step t. None: the layer is an `OwnLayer`."""
    recurrent: str | None = None
    """Blocks that see h_{t-1}. None: all of `gates`. Empty: no block, so that the layer has no W_h and no b_h."""
    cell_state: bool = False
    """Whether C_t differs from h_t."""
    memory: int = 1
    """Numbers of C_t for each unit: 3 in an sLSTM."""
    normalizer: Callable[[Tensor], Tensor] = torch.ones_like
    """Function from C_t `[…, memory · H]` to the divisor of C_t in h_t. For an sLSTM that is n_t `[…, H]`: the scale of
    the first H numbers of C_t means nothing without it. Else ones, in the shape of C_t."""
    compiled: str | None = None
    """Name of the compiled version of this `step` in recurrence.cpp or scan.h; None: there is none."""
    coefficients: Callable[[Tensor], tuple[Tensor, Tensor]] | None = None
    """The coefficients of a `linear_cell`, whose steps `scan.py` reads all at once; else None."""
    slope: Callable[[Tensor], Tensor] | None = None
    """Slope of the activation as a function of the activation's value, for a net without gates."""
    alpha: float | None = None
    """The share of h_{t-1} that a leaky unit keeps; None for other cells."""


def linear_cell(
    gates: str, coefficients: Callable[[Tensor], tuple[Tensor, Tensor]], compiled: str | None = None
) -> Cell:
    """A cell without W_h, h_t = a_t · h_{t-1} + b_t. Its gate `update` is a_t.

    Args:
        coefficients: function from W_x x + b_x `[…, G]` to a and b, `[…, H]` each.
        gates, compiled: as in `Cell`.
    """

    def step(from_input: Tensor, _: Tensor, before: Tensor, __: Tensor) -> Step:
        kept, added = coefficients(from_input)
        state = kept * before + added
        return Step(state, state, {"update": kept})

    return Cell(gates, step, recurrent="", compiled=compiled, coefficients=coefficients)


class Layer(nn.Module):
    """The weights of one layer in one direction, with the names, shapes and initialization of PyTorch's modules.

    Args:
        input_size: E.
        hidden_size: H.
    """

    def __init__(self, input_size: int, hidden_size: int, cell: Cell) -> None:
        super().__init__()
        self.hidden_size, self.cell = hidden_size, cell
        recurrent = cell.gates if cell.recurrent is None else cell.recurrent
        rows = len(cell.gates) * hidden_size
        self.weight_ih_l0 = nn.Parameter(torch.empty(rows, input_size))
        self.weight_hh_l0 = nn.Parameter(torch.empty(len(recurrent) * hidden_size, hidden_size)) if recurrent else None
        self.bias_ih_l0 = nn.Parameter(torch.empty(rows))
        self.bias_hh_l0 = nn.Parameter(torch.empty(rows)) if recurrent else None
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden_size**-0.5), hidden_size**-0.5)


class HeadedLayer(Layer):
    """A layer whose W_h is split into heads: blocks along the diagonal of each gate's matrix, and 0 elsewhere.

    Args:
        input_size, hidden_size, cell: as in `Layer`.
        heads: blocks of each gate.
    """

    def __init__(self, input_size: int, hidden_size: int, cell: Cell, heads: int) -> None:
        super().__init__(input_size, hidden_size, cell)
        del self.weight_hh_l0
        size = hidden_size // heads
        self.weight_heads = nn.Parameter(torch.empty(len(cell.gates), heads, size, size))
        nn.init.uniform_(self.weight_heads, -(size**-0.5), size**-0.5)

    @property
    def weight_hh_l0(self) -> Tensor:  # type: ignore[override]
        """W_h `[G, H]`."""
        return torch.cat([torch.block_diag(*gate) for gate in self.weight_heads])


class OwnLayer(nn.Module):
    """A layer with weights of its own kind, which reads its inputs itself."""

    cell: Cell
    hidden_size: int

    def states(self, inputs: Tensor, stop: GradientStop | None = None) -> Tensor:
        """States `[B, T, H]` for `inputs [B, T, E]`."""
        raise NotImplementedError

    def steps(self, inputs: Tensor, stop: GradientStop | None = None) -> Iterator[Step]:
        """The same, one step at a time."""
        raise NotImplementedError


AnyLayer = nn.RNNBase | Layer | OwnLayer
"""A layer with its cell; `Recurrent` adds the cell to PyTorch's modules."""


def cell_of(layer: AnyLayer) -> Cell:
    """The cell of a layer."""
    return cast(Cell, layer.cell)


def states(layer: AnyLayer, inputs: Tensor, stop: GradientStop | None = None) -> Tensor:
    """States `[B, T, H]` of one layer in one direction for `inputs [B, T, E]`. Under autocast the states keep their
    type, except those of an `OwnLayer`."""
    found = torch.stack([step.state for step in steps(layer, inputs, stop)], 1)
    return found if stop is None else stop.cut_before(found)


def steps(layer: AnyLayer, inputs: Tensor, stop: GradientStop | None = None) -> Iterator[Step]:
    """Read `inputs [B, T, E]`, one step of the cell at a time."""
    stop = stop or GradientStop()
    cell_kind = cell_of(layer)
    if isinstance(layer, OwnLayer):
        yield from layer.steps(inputs, stop)
        return
    assert cell_kind.step is not None
    from_inputs = linear(inputs, cast(Tensor, layer.weight_ih_l0), cast(Tensor, layer.bias_ih_l0)).to(inputs.dtype)
    weight, bias = recurrent_weight(layer), cast(Tensor | None, layer.bias_hh_l0)
    from_state = torch.zeros_like(from_inputs[:, 0])
    state = inputs.new_zeros(len(inputs), layer.hidden_size)
    cell = inputs.new_zeros(len(inputs), cell_kind.memory * layer.hidden_size)
    for t, from_input in enumerate(from_inputs.unbind(1)):
        state, cell = stop.cut_at(t, state), stop.cut_at(t, cell)
        state = state.detach() if stop.through_state else state
        cell = cell.detach() if stop.along_cell else cell
        if weight is not None:
            from_state = linear(state, weight, bias).to(inputs.dtype)
        step = cell_kind.step(from_input, from_state, state, cell)
        yield step
        state, cell = step.state, step.cell


def recurrent_weight(layer: AnyLayer) -> Tensor | None:
    """W_h `[G, H]`, with zeros for the gates that do not see h_{t-1}; None if no gate sees it."""
    weight = cast(Tensor | None, layer.weight_hh_l0)
    cell = cell_of(layer)
    if weight is None or cell.recurrent is None:
        return weight
    blocks = dict(zip(cell.recurrent, weight.split(layer.hidden_size), strict=True))
    nothing = weight.new_zeros(layer.hidden_size, layer.hidden_size)
    return torch.cat([blocks.get(gate, nothing) for gate in cell.gates])
