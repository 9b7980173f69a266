"""A recurrent layer unrolled by its equations, step by step: what a module keeps to itself, every gate, cell and state,
and the gradient at each of them.

In float64, since what is looked for here is how small a gradient becomes: float32 ends at 1e-38.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from sentiment_rnn.model.encoders import Lstm, Recurrent, Rnn


@dataclass(frozen=True)
class Unrolled:
    """What a layer computed at every token; float64, and `T` tensors of `[B, H]` where it is a list."""

    states: list[Tensor]
    """h_t."""
    cells: list[Tensor]
    """C_t of an LSTM; empty for a vanilla RNN."""
    gates: dict[str, Tensor]
    """`forget`, `input`, `output` and `candidate` of an LSTM, `[B, T, H]`; empty for a vanilla RNN."""
    logits: Tensor
    """`[B]`, of the state at each review's end."""
    running: Tensor
    """`[B, T]`, the logits that the output layer would give after each token."""


def unroll(classifier: Any, tokens: Tensor, lengths: Tensor) -> Unrolled:
    """Read reviews step by step, without dropout, with a graph through the states (not to the weights).

    Args:
        classifier: a `SentimentClassifier` with one layer of an `Rnn` or `Lstm`, in one direction, pooled at its last
            state.
        tokens: int64 [B, T].
        lengths: int64 [B].

    Raises:
        ValueError: the classifier is another.
    """
    encoder = classifier.backbone.encoder
    single = isinstance(encoder, Recurrent) and len(encoder.forwards) == 1 and encoder.backwards is None
    if not single or type(encoder) not in (Rnn, Lstm) or classifier.output.in_features != encoder.output_size:
        raise ValueError(f"{type(encoder).__name__}: expected one layer of Rnn or Lstm in one direction, pooling=last")
    weights = {name: value.detach().double() for name, value in encoder.forwards[0].named_parameters()}
    embedded = classifier.backbone.embedding.weight.detach()[tokens].double()
    inputs = embedded @ weights["weight_ih_l0"].T + weights["bias_ih_l0"] + weights["bias_hh_l0"]
    inputs.requires_grad_()  # so that every state is part of a graph
    step = _lstm if isinstance(encoder, Lstm) else _rnn
    states, cells, gates = step(inputs, weights["weight_hh_l0"])
    read_out = classifier.output.weight.detach().double()[0], classifier.output.bias.detach().double()
    running = torch.stack([state @ read_out[0] + read_out[1] for state in states], 1)
    logits = running.gather(1, lengths[:, None] - 1)[:, 0]
    return Unrolled(states, cells, gates, logits, running.detach())


Steps = tuple[list[Tensor], list[Tensor], dict[str, Tensor]]


def _rnn(inputs: Tensor, recurrent: Tensor) -> Steps:
    """h_t = tanh(W_x x_t + W_h h_{t-1} + b)."""
    state = inputs.new_zeros(len(inputs), recurrent.shape[1])
    states = []
    for step in inputs.unbind(1):
        state = torch.tanh(step + state @ recurrent.T)
        states.append(state)
    return states, [], {}


def _lstm(inputs: Tensor, recurrent: Tensor) -> Steps:
    """The equations of `Lstm`; PyTorch's order of gates is i, f, g, o."""
    state = cell = inputs.new_zeros(len(inputs), recurrent.shape[1])
    states, cells, kept = [], [], []
    for step in inputs.unbind(1):
        i, f, g, o = (step + state @ recurrent.T).chunk(4, dim=1)
        i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
        cell = f * cell + i * g
        state = o * cell.tanh()
        states.append(state)
        cells.append(cell)
        kept.append(torch.stack([f, i, o, g]).detach())
    gates = dict(zip(("forget", "input", "output", "candidate"), torch.stack(kept, 2), strict=True))
    return states, cells, gates


def state_gradients(unrolled: Unrolled, labels: Tensor) -> tuple[Tensor, Tensor | None]:
    """∂L/∂h_t and, of an LSTM, ∂L/∂C_t; L is the sum of the reviews' losses, so that each review's gradient is its own.

    ∂L/∂C_t holds every way from the cell to the loss, through h_t as well. ∂L/∂h_t holds those through the output layer
    and the gates of later steps, since C_t does not come from h_t.

    Args:
        labels: float [B].

    Returns:
        float64 [B, T, H] each.
    """
    loss = binary_cross_entropy_with_logits(unrolled.logits, labels.double(), reduction="sum")
    found = torch.autograd.grad(loss, [*unrolled.states, *unrolled.cells])
    steps = len(unrolled.states)
    return torch.stack(found[:steps], 1), torch.stack(found[steps:], 1) if unrolled.cells else None
