"""A vanilla RNN whose gradient does not vanish: only the backward pass is another one."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor
from torch.nn.functional import linear

from sentiment_rnn.model.cells import AnyLayer, Cell, GradientStop
from sentiment_rnn.model.encoders.recurrent import Recurrent
from sentiment_rnn.model.encoders.rnn import slope_of_tanh, tanh_step

LEAST = 1e-30
"""A smaller norm is 0 to float32, and stays so."""


class RescaledRnn(Recurrent):
    """The vanilla RNN; at each step back the gradient by the state is given the norm that it had at the step behind,
    for each review. Its direction is the true one. What is learned with it is not the gradient of the loss.

    Raises:
        ValueError: `gradient_steps` is not 0.
    """

    cell = Cell("h", tanh_step, slope=slope_of_tanh)

    def read(self, layers: Sequence[AnyLayer], inputs: Sequence[Tensor], stop: GradientStop | None) -> Sequence[Tensor]:
        """States `[B, T, H]` of each layer, step by step."""
        if stop is not None:
            raise ValueError("gradient_steps: expected 0 with a gradient that is rescaled")
        return [rescaled_states(layer, x) for layer, x in zip(layers, inputs, strict=True)]


def rescaled_states(layer: AnyLayer, inputs: Tensor) -> Tensor:
    """States `[B, T, H]` for `inputs [B, T, E]`."""
    weight, bias = cast(Tensor, layer.weight_hh_l0), cast(Tensor, layer.bias_hh_l0)
    from_inputs = linear(inputs, cast(Tensor, layer.weight_ih_l0), cast(Tensor, layer.bias_ih_l0))
    state, found = inputs.new_zeros(len(inputs), layer.hidden_size), []
    for from_input in from_inputs.unbind(1):
        step, before = Norm(), state.view_as(state)  # a tensor of its own: what comes back through this step alone
        if before.requires_grad:
            before.register_hook(step.rescale)
        state = torch.tanh(from_input + linear(before, weight, bias))
        if state.requires_grad:
            state.register_hook(step.measure)
        found.append(state)
    return torch.stack(found, 1)


class Norm:
    """The norm of the gradient by the state `[B, H]` behind a step, which the one before it gets."""

    behind: Tensor

    def measure(self, gradient: Tensor) -> None:
        """Keep it, `[B, 1]`."""
        self.behind = gradient.norm(dim=1, keepdim=True)

    def rescale(self, gradient: Tensor) -> Tensor:
        """The gradient with that norm; of a review of which nothing comes back, 0."""
        return gradient * (self.behind / gradient.norm(dim=1, keepdim=True).clamp(min=LEAST))
