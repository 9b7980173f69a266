"""A recurrent net unrolled by its equations, step by step: what a module keeps to itself, every gate, cell and state of
its last layer, as parts of one graph.

A gradient along it is that of training: where an encoder stops it, it stops here. In float64, since what is looked for
is how small a gradient becomes: float32 ends at 1e-38.
"""

import copy
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from sentiment_rnn.model import cells
from sentiment_rnn.model.cells import AnyLayer, Cell, cell_of
from sentiment_rnn.model.encoders.recurrent import Recurrent
from sentiment_rnn.model.pooling import Last


@dataclass(frozen=True)
class Unrolled:
    """Values of the last layer at every token, in float64; a list has `T` tensors of `[B, H]`."""

    embedded: Tensor
    """`[B, T, E]`, x_t."""
    states: list[Tensor]
    """h_t."""
    cells: list[Tensor]
    """C_t of an LSTM, `[B, memory · H]`; empty for a net without a cell state."""
    kind: Cell
    """The layer's cell."""
    gates: dict[str, Tensor]
    """`[B, T, H]`: `forget`, `input`, `output` and `candidate` of an LSTM, 1 for a gate that it lacks; `reset`,
    `update` and `candidate` of a GRU; empty for a net without gates."""
    logits: Tensor
    """`[B]`, of the state at each review's end."""
    running: Tensor
    """`[B, T]`, the logits that the output layer would give after each token."""


def unroll(classifier: Any, tokens: Tensor, lengths: Tensor) -> Unrolled:
    """Read reviews step by step, without dropout, with a graph through the states (not to the weights).

    Args:
        classifier: a `SentimentClassifier` with an encoder that reads as `Recurrent` does, in one direction, pooled at
            its last state.
        tokens: int64 [B, T].
        lengths: int64 [B].

    Raises:
        ValueError: the classifier is another.
    """
    encoder = classifier.backbone.encoder
    kind = type(encoder)
    # One with a `forward` or `read` of its own does more than the equations of `cells` say.
    as_cells = isinstance(encoder, Recurrent) and (kind.forward, kind.read) == (Recurrent.forward, Recurrent.read)
    if not as_cells or encoder.backwards is not None or not isinstance(classifier.pooling, Last):
        raise ValueError(f"{kind.__name__}: expected a recurrent encoder in one direction, pooling=last")
    layers = [cast(AnyLayer, copy.deepcopy(one).double().requires_grad_(False)) for one in encoder.forwards]
    embedded = classifier.backbone.embedding.weight.detach()[tokens].double()
    embedded.requires_grad_()  # so that every state is part of a graph
    stop, inputs = encoder.gradient_stop(lengths), embedded
    for below in layers[:-1]:
        inputs = encoder.between(cells.states(below, inputs, stop))
    layer = layers[-1]
    steps = list(cells.steps(layer, inputs, stop))
    read_out = classifier.output.weight.detach().double()[0], classifier.output.bias.detach().double()
    running = torch.stack([step.state @ read_out[0] + read_out[1] for step in steps], 1)
    return Unrolled(
        embedded=embedded,
        states=[step.state for step in steps],
        cells=[step.cell for step in steps] if cell_of(layer).cell_state else [],
        kind=cell_of(layer),
        gates={name: torch.stack([step.gates[name].detach() for step in steps], 1) for name in steps[0].gates},
        logits=running.gather(1, lengths[:, None] - 1)[:, 0],
        running=running.detach(),
    )
