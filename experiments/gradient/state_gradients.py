"""Decay of a gradient that flows back through the states, measured and predicted."""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from sentiment_rnn.inference.probes import Unrolled, median_by_step_back, unroll
from sentiment_rnn.model.cells import Cell

SMALLEST_NORMAL = float(np.finfo(np.float32).tiny)
"""1.2e-38: a smaller float32 is denormal, and an operation on it takes a processor about a hundred times as long."""
SMALLEST = float(np.finfo(np.float32).smallest_subnormal)
"""1.4e-45: numbers below half of it are 0 in float32."""
NOTHING = 1e-300
"""Value in place of a gradient of 0, so that it has a logarithm."""
_UNDERFLOW = 1e-280
"""Smaller norms are left out of a fit, since they are near the end of the range of float64."""


def norms_of(gradients: Tensor) -> Tensor:
    """‖·‖ over the last axis, also for gradients whose squares would underflow in float64."""
    largest = gradients.abs().amax(-1, keepdim=True)
    scaled = gradients / torch.where(largest > 0, largest, 1.0)
    return scaled.norm(dim=-1) * largest.squeeze(-1)


@dataclass(frozen=True)
class GradientFlow:
    """The gradient by steps back, and values of the layer through which it flows."""

    memory: np.ndarray
    """float64 [D], the gradient that carries memory by steps back from the end: ‖∂L/∂C_t‖ of an LSTM (at C_t / n_t
    of an sLSTM), ‖∂L/∂h_t‖ of another net. In each review it is a share of its value at the end; this is the median
    over reviews."""
    inputs: np.ndarray
    """The same for ‖∂L/∂x_t‖, where x_t is the embedded token: it covers every path from a token to the loss."""
    predicted: float
    """Factor of the gradient at each step back by a rule of thumb, for the last layer. For a vanilla RNN it is the
    spectral radius of A, the recurrent matrix times the mean slope of the activation (after Pascanu et al. 2013). For a
    leaky RNN it is the spectral radius of α + (1 - α) A. For an LSTM it is the mean forget gate, for a GRU the mean
    update gate, for an LRU the mean |λ|. NaN for an LSTM whose gradient does not go along the cell, and for a cell
    without a theory."""
    denormal: float
    """Share of the elements of ∂L/∂h_t that are denormal in float32. It is meaningless for an LRU, whose h_t is not
    passed on to the next step."""
    vanished: float
    """Share of the elements of ∂L/∂h_t that are 0 in float32, with the same exception."""

    def rate(self, steps: int) -> float:
        """Factor at each step back of the gradient that carries memory, measured over `steps` steps."""
        return decay_rate(self.memory[: steps + 1])

    def left(self, steps: int) -> float:
        """Gradient that is left at the embedded token `steps` steps before the end; `NOTHING` instead of 0."""
        return max(float(self.inputs[steps]), NOTHING)


def state_gradients(unrolled: Unrolled, labels: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
    """∂L/∂h_t, for an LSTM also ∂L/∂C_t (for an sLSTM at C_t / n_t), and ∂L/∂x_t. L is the sum of the reviews' losses,
    so that a review's gradient does not depend on other reviews.

    ∂L/∂C_t covers every path from the cell to the loss, also through h_t. ∂L/∂h_t covers the paths through the output
    layer and the gates of later steps, since C_t does not depend on h_t.

    Args:
        labels: float [B].

    Returns:
        float64 [B, T, H] each, and the last [B, T, E].
    """
    loss = binary_cross_entropy_with_logits(unrolled.logits, labels.double(), reduction="sum")
    # A state that the gradient does not reach is not in the graph.
    places = [*unrolled.states, *unrolled.cells, unrolled.embedded]
    found = torch.autograd.grad(loss, places, allow_unused=True, materialize_grads=True)
    steps = len(unrolled.states)
    if not unrolled.cells:
        return torch.stack(found[:steps], 1), None, found[-1]
    normalizer = unrolled.kind.normalizer(torch.stack(unrolled.cells, 1)).detach()
    cells = torch.stack(found[steps:-1], 1)[..., : normalizer.shape[-1]] * normalizer
    return torch.stack(found[:steps], 1), cells, found[-1]


def gradient_flow(classifier: Any, batch: Any) -> GradientFlow:
    """Backpropagate the loss of a batch through every state. Where the size of an element matters, it is the mean loss.

    A review whose gradient is 0 at its end has no shares, and is left out of the medians.

    Args:
        classifier: a classifier that `unroll` accepts.
        batch: a `Batch`.
    """
    unrolled = unroll(classifier, batch.tokens, batch.lengths)
    states, cells, inputs = state_gradients(unrolled, batch.labels)
    inside = torch.arange(batch.tokens.shape[1]) < batch.lengths[:, None]
    elements = (states[inside] / len(states)).abs()
    zero = elements < SMALLEST / 2
    return GradientFlow(
        memory=median_by_step_back(shares_of_end(states if cells is None else cells, batch.lengths), batch.lengths),
        inputs=median_by_step_back(shares_of_end(inputs, batch.lengths), batch.lengths),
        predicted=_predicted_rate(classifier.backbone.encoder, unrolled, inside),
        denormal=float(((elements < SMALLEST_NORMAL) & ~zero).double().mean()),
        vanished=float(zero.double().mean()),
    )


def shares_of_end(gradients: Tensor, lengths: Tensor) -> Tensor:
    """Norms `[B, T]` of gradients `[B, T, N]`, as shares of the norm at the review's end; NaN where that norm is 0."""
    norms = norms_of(gradients)
    end = norms.gather(1, lengths[:, None] - 1)
    return torch.where(end > 0, norms / end, torch.nan)


def _predicted_rate(encoder: Any, unrolled: Unrolled, inside: Tensor) -> float:
    kept = unrolled.gates.get("forget", unrolled.gates.get("update"))
    stop = encoder.gradient_stop(inside.sum(1))
    if kept is not None and not (stop and stop.along_cell):
        return float(kept[inside].mean())
    cell: Cell = encoder.cell
    if cell.slope is None:
        return float("nan")
    states = torch.stack(unrolled.states, 1).detach()
    alpha = cell.alpha or 0.0
    before = torch.cat([torch.zeros_like(states[:, :1]), states[:, :-1]], 1)
    slopes = cell.slope(((states - alpha * before) / (1 - alpha))[inside])
    eigenvalues = torch.linalg.eigvals(cast(Tensor, encoder.forwards[-1].weight_hh_l0).detach().double())
    return float((alpha + (1 - alpha) * slopes.mean() * eigenvalues).abs().max())


def decay_rate(norms: np.ndarray) -> float:
    """exp of the slope of a straight line through ln(norm) against steps back (least squares). NaN for less than two
    points, and if a norm is too small for a logarithm."""
    if len(norms) < 2 or not (norms > _UNDERFLOW).all():
        return float("nan")
    return float(np.exp(np.polyfit(np.arange(len(norms)), np.log(norms), 1)[0]))
