"""Linear recurrences, h_t = a_t · h_{t-1} + b_t. Since a and b do not depend on the state, all steps are read at once.

On a CPU one compiled loop over time computes them, forward and backward. On a GPU, and without a compiler, PyTorch
computes them in log₂ T rounds, each of which doubles the number of steps that are combined (Hillis & Steele 1986).
"""

from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from sentiment_rnn.model import recurrence
from sentiment_rnn.model.cells import AnyLayer, GradientStop, cell_of
from sentiment_rnn.model.recurrence import linear


def states(layer: AnyLayer, inputs: Tensor, stop: GradientStop | None = None) -> Tensor:
    """States `[B, T, H]`, equal to `cells.states`, for `inputs [B, T, E]` of a layer whose cell has `coefficients`."""
    cell = cell_of(layer)
    assert cell.coefficients is not None
    before = linear(inputs, cast(Tensor, layer.weight_ih_l0), cast(Tensor, layer.bias_ih_l0))
    if stop is not None:
        before = stop.cut_before(before)
    if cell.compiled is not None and compiles(before, torch.float32, torch.bfloat16):
        return cast(Tensor, _Gated.apply(cell.compiled, before))
    return scan(*cell.coefficients(before if before.dtype == torch.float64 else before.float()))


def compiles(numbers: Tensor, *types: torch.dtype) -> bool:
    """Whether the compiled loop can be used for these numbers."""
    plain = type(numbers) is Tensor and numbers.device.type == "cpu" and numbers.dtype in types
    return plain and recurrence.library() is not None


def scan(a: Tensor, b: Tensor) -> Tensor:
    """h `[B, T, S]` from `a` and `b` `[B, T, S]`, of any type, with h_{-1} = 0.

    After k rounds, b_t is what the last 2^k steps add to h_t, and a_t is the factor of the state before these steps.
    """
    steps = 1
    while steps < b.shape[1]:
        b = torch.cat([b[:, :steps], b[:, steps:] + a[:, steps:] * b[:, :-steps]], 1)
        a = torch.cat([a[:, :steps], a[:, steps:] * a[:, :-steps]], 1)
        steps *= 2
    return b


def diagonal(eigenvalues: Tensor, b: Tensor) -> Tensor:
    """h `[B, T, 2 S]` of h_t = λ · h_{t-1} + b_t, for complex `eigenvalues [S]` and `b [B, T, 2 S]`, with h_{-1} = 0.
    The last axis has the real parts first, then the imaginary ones."""
    if compiles(b, torch.float32):
        return cast(Tensor, _Diagonal.apply(eigenvalues, b))
    driven = torch.complex(*b.chunk(2, -1))
    found = scan(eigenvalues.expand_as(driven), driven)
    return torch.cat([found.real, found.imag], -1)


class _Gated(torch.autograd.Function):
    """W_x x + b `[B, T, G]` → states `[B, T, H]`; the equations are in scan.h."""

    @staticmethod
    def forward(ctx: Any, name: str, before: Tensor) -> Tensor:
        found: Tensor = getattr(torch.ops.sentiment_rnn, f"{name}_forward")(before)
        ctx.name = name
        ctx.save_for_backward(before, found)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor]:
        before, found = ctx.saved_tensors
        gradient = recurrence.in_rows(gradients[0].to(before.dtype))
        return None, getattr(torch.ops.sentiment_rnn, f"{ctx.name}_backward")(gradient, before, found)


class _Diagonal(torch.autograd.Function):
    """λ `[S]`, complex, and b `[B, T, 2 S]` → h `[B, T, 2 S]`."""

    @staticmethod
    def forward(ctx: Any, eigenvalues: Tensor, b: Tensor) -> Tensor:
        found: Tensor = torch.ops.sentiment_rnn.diagonal_forward(eigenvalues, recurrence.in_rows(b))
        ctx.save_for_backward(eigenvalues, found)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        eigenvalues, found = ctx.saved_tensors
        dh = recurrence.in_rows(gradients[0])
        by_b, by_eigenvalues = torch.ops.sentiment_rnn.diagonal_backward(dh, eigenvalues, found)
        return torch.complex(*by_eigenvalues.sum(0).chunk(2)), by_b
