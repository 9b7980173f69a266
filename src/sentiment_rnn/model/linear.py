"""A linear layer over all steps of a sequence. On a CPU, in float32, the compiled product computes it: PyTorch's takes
twice as long on some processors."""

from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from sentiment_rnn.model import recurrence


def linear(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`torch.nn.functional.linear`: `inputs [B, T, E]`, `weight [N, E]` and `bias [N]` → `[B, T, N]`."""
    plain = type(inputs) is Tensor and inputs.device.type == "cpu" and inputs.dtype == weight.dtype == torch.float32
    if plain and not torch.is_autocast_enabled("cpu") and recurrence.library() is not None:
        return cast(Tensor, _Linear.apply(inputs, weight, bias))
    return functional.linear(inputs, weight, bias)


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        rows = inputs.reshape(-1, inputs.shape[-1]).contiguous()
        ctx.save_for_backward(rows, weight)
        ctx.shape = inputs.shape
        found: Tensor = torch.ops.sentiment_rnn.linear(rows, weight, bias)
        return found.view(*inputs.shape[:-1], len(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        rows, weight = ctx.saved_tensors
        gradient = gradients[0].reshape(-1, len(weight)).contiguous()
        by_inputs, by_weight, by_bias = ctx.needs_input_grad
        dx = torch.ops.sentiment_rnn.linear(gradient, weight.t(), None).view(ctx.shape) if by_inputs else None
        dw = torch.empty_like(weight) if by_weight else None
        if dw is not None:
            torch.ops.sentiment_rnn.outer_product(gradient, rows, dw)
        return dx, dw, gradient.sum(0) if by_bias else None
