"""Recurrent cells by their equations, step by step, and weights for those cells that PyTorch has no module for.

This is the reference. The compiled `recurrence` and PyTorch's modules compute the same states faster, where they apply.
The probes look at every step here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import linear


@dataclass(frozen=True)
class Cut:
    """Where the gradient of a layer ends. The states do not depend on it."""

    starts: Tensor | None = None
    """int64 [B]: the first step of each review that the gradient reaches; None: it reaches all."""
    along_cell: bool = False
    """C_{t-1} counts as a constant in C_t."""
    through_state: bool = False
    """h_{t-1} counts as a constant in gates and candidate."""


class Step(NamedTuple):
    """What a cell computes at a step; each `[B, H]`."""

    state: Tensor
    """h_t."""
    cell: Tensor
    """C_t; of a net without a cell state h_t."""
    gates: dict[str, Tensor]
    """`forget`, `input`, `output` and `candidate` of an LSTM; `reset`, `update` (the share of h_{t-1} that is kept) and
    `candidate` of a GRU."""


class Cell(NamedTuple):
    """A kind of cell."""

    gates: str
    """Blocks of H rows in the weights, a letter each, in their order."""
    step: Callable[[nn.Module, Tensor, Tensor, Tensor, Tensor], Step]
    """From the layer, W_x x_t + b_x, W_h h_{t-1} + b_h (0 where no block sees h_{t-1}), h_{t-1} and C_{t-1}."""
    recurrent: str | None = None
    """Blocks that see h_{t-1}. None: all of `gates`; empty: none, and then the layer has no W_h and no b_h."""


class Layer(nn.Module):
    """The weights of one layer in one direction, by the names and shapes of PyTorch's modules, and drawn as theirs.

    Args:
        input_size: E.
        hidden_size: H.
        mode: the kind of cell, a key of `CELLS`.
        alpha: α of a leaky RNN.
        batch_first: True; there is no other way.
    """

    def __init__(
        self, input_size: int, hidden_size: int, *, mode: str, alpha: float | None = None, batch_first: bool = True
    ) -> None:
        super().__init__()
        self.mode, self.hidden_size, self.alpha = mode, hidden_size, alpha
        gates, _, recurrent = CELLS[mode]
        recurrent = gates if recurrent is None else recurrent
        rows = len(gates) * hidden_size
        self.weight_ih_l0 = nn.Parameter(torch.empty(rows, input_size))
        self.weight_hh_l0 = nn.Parameter(torch.empty(len(recurrent) * hidden_size, hidden_size)) if recurrent else None
        self.bias_ih_l0 = nn.Parameter(torch.empty(rows))
        self.bias_hh_l0 = nn.Parameter(torch.empty(rows)) if recurrent else None
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden_size**-0.5), hidden_size**-0.5)

    def extra_repr(self) -> str:
        """The kind of cell, for a printed model."""
        return f"{self.mode}, {self.weight_ih_l0.shape[1]}, {self.hidden_size}"


AnyLayer = nn.RNNBase | Layer


def states(layer: AnyLayer, inputs: Tensor, cut: Cut | None = None) -> Tensor:
    """States `[B, T, H]` of one layer in one direction for `inputs [B, T, E]`. Under autocast they keep their type."""
    found = torch.stack([step.state for step in steps(layer, inputs, cut)], 1)
    if cut is None or cut.starts is None:
        return found
    before = torch.arange(found.shape[1], device=found.device) < cut.starts[:, None]
    return torch.where(before[:, :, None], found.detach(), found)


def steps(layer: AnyLayer, inputs: Tensor, cut: Cut | None = None) -> Iterator[Step]:
    """Read `inputs [B, T, E]`, one step of the cell at a time."""
    cut = cut or Cut()
    check_cut(layer.mode, cut)
    from_inputs = linear(inputs, cast(Tensor, layer.weight_ih_l0), cast(Tensor, layer.bias_ih_l0)).to(inputs.dtype)
    weight, bias = recurrent_weight(layer), cast(Tensor | None, layer.bias_hh_l0)
    from_state = torch.zeros_like(from_inputs[:, 0])
    state = cell = inputs.new_zeros(len(inputs), layer.hidden_size)
    for t, from_input in enumerate(from_inputs.unbind(1)):
        if cut.starts is not None:
            first = (t <= cut.starts)[:, None]
            state, cell = torch.where(first, state.detach(), state), torch.where(first, cell.detach(), cell)
        state = state.detach() if cut.through_state else state
        cell = cell.detach() if cut.along_cell else cell
        if weight is not None:
            from_state = linear(state, weight, bias).to(inputs.dtype)
        step = CELLS[layer.mode].step(layer, from_input, from_state, state, cell)
        yield step
        state, cell = step.state, step.cell


def check_cut(mode: str, cut: Cut | None) -> None:
    """Raise `ValueError` for a cut between state and cell of a kind of cell that has no two."""
    if cut and (cut.along_cell or cut.through_state) and not mode.startswith("LSTM"):
        raise ValueError(f"a cut along the cell, or through the state, of {mode}: expected an LSTM")


def recurrent_weight(layer: AnyLayer) -> Tensor | None:
    """W_h `[G, H]`, with zeros for the gates that do not see h_{t-1}; None where no gate does."""
    weight = cast(Tensor | None, layer.weight_hh_l0)
    gates, _, recurrent = CELLS[layer.mode]
    if weight is None or recurrent is None:
        return weight
    blocks = dict(zip(recurrent, weight.split(layer.hidden_size), strict=True))
    nothing = weight.new_zeros(layer.hidden_size, layer.hidden_size)
    return torch.cat([blocks.get(gate, nothing) for gate in gates])


def _rnn(activation: Callable[[Tensor], Tensor]) -> Cell:
    def step(_: nn.Module, from_input: Tensor, from_state: Tensor, *__: Tensor) -> Step:
        state = activation(from_input + from_state)
        return Step(state, state, {})

    return Cell("h", step)


def _leaky(layer: nn.Module, from_input: Tensor, from_state: Tensor, before: Tensor, _: Tensor) -> Step:
    alpha = cast(float, layer.alpha)
    state = alpha * before + (1 - alpha) * torch.tanh(from_input + from_state)
    return Step(state, state, {})


def _gru(_: nn.Module, from_input: Tensor, from_state: Tensor, before: Tensor, __: Tensor) -> Step:
    (r, z, n), (r_h, z_h, n_h) = from_input.chunk(3, 1), from_state.chunk(3, 1)
    r, z = (r + r_h).sigmoid(), (z + z_h).sigmoid()
    n = torch.tanh(n + r * n_h)
    state = (1 - z) * n + z * before
    return Step(state, state, {"reset": r, "update": z, "candidate": n})


def _lstm(gates: str, coupled: bool = False, recurrent: str | None = None) -> Cell:
    """An LSTM with some of the gates i, f and o; one that is missing is 1, or of `coupled` gates i = 1 - f."""

    def step(_: nn.Module, from_input: Tensor, from_state: Tensor, __: Tensor, before: Tensor) -> Step:
        found = dict(zip(gates, (from_input + from_state).chunk(len(gates), 1), strict=True))
        g = found["g"].tanh()
        i, f, o = (found[gate].sigmoid() if gate in found else torch.ones_like(g) for gate in "ifo")
        i = (-found["f"]).sigmoid() if coupled else i
        cell = f * before + i * g
        return Step(o * cell.tanh(), cell, {"forget": f, "input": i, "output": o, "candidate": g})

    return Cell(gates, step, recurrent)


CELLS = {
    "RNN_TANH": _rnn(torch.tanh),
    "RNN_RELU": _rnn(torch.relu),
    "RNN_LEAKY": Cell("h", _leaky),
    "GRU": Cell("rzn", _gru),
    "LSTM": _lstm("ifgo"),
    "LSTM_NO_FORGET": _lstm("igo"),
    "LSTM_NO_INPUT": _lstm("fgo"),
    "LSTM_NO_OUTPUT": _lstm("ifg"),
    "LSTM_COUPLED": _lstm("fgo", coupled=True),
    "LSTM_GATES_OF_INPUT": _lstm("ifgo", recurrent="g"),
}
"""By PyTorch's name for the kind of cell, and ours for those that it does not have. One that is not compiled
(`recurrence.CELLS`) is read step by step."""
