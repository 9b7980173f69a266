"""A vanilla RNN whose gradient does not vanish: only the backward pass is another one."""

from collections.abc import Sequence
from typing import Any, cast

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
        norm: dict[str, Tensor] = {}
        state = torch.tanh(from_input + linear(_Rescaled.apply(state, norm), weight, bias))
        state = cast(Tensor, _Measured.apply(state, norm))
        found.append(state)
    return torch.stack(found, 1)


class _Measured(torch.autograd.Function):
    """Keeps the norm of the gradient by the state `[B, H]` behind a step."""

    @staticmethod
    def forward(ctx: Any, state: Tensor, norm: dict[str, Tensor]) -> Tensor:
        ctx.norm = norm
        return state.view_as(state)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        ctx.norm["behind"] = gradients[0].norm(dim=1, keepdim=True)
        return gradients[0], None


class _Rescaled(torch.autograd.Function):
    """Gives that norm to the gradient by the state `[B, H]` before the step."""

    @staticmethod
    def forward(ctx: Any, state: Tensor, norm: dict[str, Tensor]) -> Tensor:
        ctx.norm = norm
        return state.view_as(state)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (gradient,) = gradients
        return gradient * (ctx.norm["behind"] / gradient.norm(dim=1, keepdim=True).clamp(min=LEAST)), None
