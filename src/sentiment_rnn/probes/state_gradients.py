"""How a gradient shrinks on its way back through the states, and what theory says it should shrink by."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sentiment_rnn.model.encoders import LeakyRnn
from sentiment_rnn.probes.input_gradients import median_by_distance
from sentiment_rnn.probes.unrolled import Unrolled, state_gradients, unroll

SMALLEST_NORMAL = float(np.finfo(np.float32).tiny)
"""1.2e-38: below it a float32 is denormal, which costs a processor a hundred times a normal one."""
SMALLEST = float(np.finfo(np.float32).smallest_subnormal)
"""1.4e-45: below half of it a float32 is 0."""
_UNDERFLOW = 1e-280
"""Norms below it are left out of the fit: float64 ends soon after."""


def norms_of(gradients: Tensor) -> Tensor:
    """‖·‖ over the last axis, of gradients whose squares may be below what float64 holds."""
    largest = gradients.abs().amax(-1, keepdim=True)
    scaled = gradients / torch.where(largest > 0, largest, 1.0)
    return scaled.norm(dim=-1) * largest.squeeze(-1)


@dataclass(frozen=True)
class GradientFlow:
    """The gradient on its way back, and what is known of the layer that it passed."""

    state: np.ndarray
    """float64 [D], median over reviews of ‖∂L/∂h_t‖ by distance from the end."""
    cell: np.ndarray | None
    """The same of ‖∂L/∂C_t‖, for an LSTM."""
    predicted: float
    """What theory says the gradient is multiplied by at each step back: for a vanilla RNN the spectral radius of its
    recurrent matrix times the mean slope of tanh (Pascanu et al. 2013), for a leaky one that of α + (1 - α) times it,
    for an LSTM the mean forget gate. NaN for an LSTM whose gradient does not go along the cell."""
    denormal: float
    """Share of the elements of ∂L/∂h_t that are denormal in float32."""
    vanished: float
    """Share of them that are 0 in float32."""

    @property
    def memory(self) -> np.ndarray:
        """The gradient that carries memory: an LSTM's at the cell, a vanilla RNN's at the state."""
        return self.state if self.cell is None else self.cell

    @property
    def rate(self) -> float:
        """What it is multiplied by at each step back, measured."""
        return decay_rate(self.memory)


def gradient_flow(classifier: Any, batch: Any) -> GradientFlow:
    """Send the loss of a batch back through every state; the mean loss where the size of an element matters.

    Args:
        classifier: as `unroll` takes it.
        batch: a `Batch`.
    """
    unrolled = unroll(classifier, batch.tokens, batch.lengths)
    states, cells = state_gradients(unrolled, batch.labels)
    inside = torch.arange(batch.tokens.shape[1]) < batch.lengths[:, None]
    elements = (states[inside] / len(states)).abs()
    zero = elements < SMALLEST / 2
    return GradientFlow(
        state=median_by_distance(norms_of(states), batch.lengths),
        cell=None if cells is None else median_by_distance(norms_of(cells), batch.lengths),
        predicted=_predicted_rate(classifier.backbone.encoder, unrolled, inside),
        denormal=float(((elements < SMALLEST_NORMAL) & ~zero).double().mean()),
        vanished=float(zero.double().mean()),
    )


def _predicted_rate(encoder: Any, unrolled: Unrolled, inside: Tensor) -> float:
    if unrolled.gates:
        return float("nan") if encoder.detach == "cell" else float(unrolled.gates["forget"][inside].mean())
    states = torch.stack(unrolled.states, 1).detach()
    alpha = encoder.alpha if isinstance(encoder, LeakyRnn) else 0.0
    before = torch.cat([torch.zeros_like(states[:, :1]), states[:, :-1]], 1)
    candidates = (states - alpha * before) / (1 - alpha)
    slope = (1 - candidates[inside] ** 2).mean()
    eigenvalues = torch.linalg.eigvals(encoder.forwards[0].weight_hh_l0.detach().double())
    return float((alpha + (1 - alpha) * slope * eigenvalues).abs().max())


def decay_rate(norms: np.ndarray) -> float:
    """exp of the slope of a straight line through ln(norm) against distance (least squares); NaN for less than two
    points."""
    usable = np.flatnonzero(norms > _UNDERFLOW)
    if len(usable) < 2:
        return float("nan")
    return float(np.exp(np.polyfit(usable, np.log(norms[usable]), 1)[0]))


def reach(norms: np.ndarray, share: float) -> int:
    """The longest distance up to which a gradient keeps more than `share` of what it has at the end."""
    below = np.flatnonzero(norms <= share * norms[0])
    return int(below[0]) - 1 if len(below) else len(norms) - 1
