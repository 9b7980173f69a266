"""Pooling: from the states of a review, `[B, T, D]`, to one vector, `[B, width · D]`. Padding is ignored."""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class Last(nn.Module):
    """The state at `lengths - 1`. Only this pooling requires that an encoder carries what it read to the end."""

    width = 1

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """`states [B, T, D]`, `lengths [B]` → `[B, D]`."""
        return states[torch.arange(len(states), device=states.device), lengths - 1]


class Mean(nn.Module):
    """The mean over a review's states. The gradient has a short path to every step."""

    width = 1

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """`states [B, T, D]`, `lengths [B]` → `[B, D]`, float32."""
        if states.device.type == "cpu":
            return cast(Tensor, _Mean.apply(states, lengths))
        padding = is_padding(states, lengths)[:, :, None]
        return states.float().masked_fill(padding, 0.0).sum(1) / lengths[:, None]


class _Mean(torch.autograd.Function):
    """`Mean` on a CPU, where masking takes longer than the sum. Padding is masked only from the end of the shortest
    review on; the result is the same. (A GPU would have to wait for the number of that step.)"""

    @staticmethod
    def forward(ctx: Any, states: Tensor, lengths: Tensor) -> Tensor:
        padding = late_padding(states, lengths)
        ctx.save_for_backward(lengths, padding)
        ctx.steps, ctx.dtype = states.shape[1], states.dtype
        states = states.to(torch.float32, copy=True, memory_format=torch.contiguous_format)
        return fill_padding(states, padding, 0.0).sum(1) / lengths[:, None]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        lengths, padding = ctx.saved_tensors
        mean = (gradients[0] / lengths[:, None]).to(ctx.dtype)
        return fill_padding(mean[:, None].repeat(1, ctx.steps, 1), padding, 0.0), None


class Max(nn.Module):
    """The largest value of each feature over a review. One strong sign is enough, wherever it is."""

    width = 1

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """`states [B, T, D]`, `lengths [B]` → `[B, D]`."""
        padding = is_padding(states, lengths)[:, :, None]
        return states.masked_fill(padding, float("-inf")).amax(1)


class MeanMax(nn.Module):
    """Mean and maximum side by side."""

    width = 2

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """`states [B, T, D]`, `lengths [B]` → `[B, 2 D]`, float32."""
        if states.device.type == "cpu":
            return cast(Tensor, _MeanMax.apply(states, lengths))
        return torch.cat([Mean()(states, lengths), Max()(states, lengths).float()], dim=1)


class _MeanMax(torch.autograd.Function):
    """`Mean` and `Max` on a CPU in half the time, with the same result. Padding is masked only from the end of the
    shortest review on, and the two gradients are written together. (A GPU would have to wait for the number of that
    step.)"""

    @staticmethod
    def forward(ctx: Any, states: Tensor, lengths: Tensor) -> Tensor:
        padding = late_padding(states, lengths)
        first, rest = states.split((states.shape[1] - padding.shape[1], padding.shape[1]), dim=1)
        total, top = first.sum(1, dtype=torch.float32), first.amax(1)
        if rest.shape[1]:
            total += rest.masked_fill(padding, 0.0).sum(1, dtype=torch.float32)
            top = torch.maximum(top, rest.masked_fill(padding, float("-inf")).amax(1))
        ctx.save_for_backward(states, lengths, top, padding)
        return torch.cat([total / lengths[:, None], top.float()], dim=1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        states, lengths, top, padding = ctx.saved_tensors
        for_mean, for_max = gradients[0].chunk(2, dim=1)
        at_top = fill_padding(states == top[:, None], padding, False)
        # If several states share the maximum, each gets an equal part of the gradient, as in PyTorch.
        share = (for_max / at_top.sum(1, dtype=torch.int32)).to(states.dtype)[:, None]
        mean = (for_mean / lengths[:, None]).to(states.dtype)[:, None]
        return fill_padding(torch.where(at_top, mean + share, mean), padding, 0.0), None


class LastMeanMax(nn.Module):
    """Last state, mean and maximum side by side: concat pooling (Howard & Ruder 2018, section 3.3)."""

    width = 3

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """`states [B, T, D]`, `lengths [B]` → `[B, 3 D]`, float32."""
        return torch.cat([Last()(states, lengths).float(), MeanMax()(states, lengths)], dim=1)


def is_padding(states: Tensor, lengths: Tensor) -> Tensor:
    """bool [B, T], true after the end of each review."""
    return torch.arange(states.shape[1], device=states.device) >= lengths[:, None]


def late_padding(states: Tensor, lengths: Tensor) -> Tensor:
    """bool [B, T - S, 1], `is_padding` from step S on, where the shortest review ends: there is no padding before."""
    return is_padding(states, lengths)[:, int(lengths.min()) :, None]


def fill_padding(numbers: Tensor, padding: Tensor, value: float) -> Tensor:
    """Write `value` after the end of each review in `numbers [B, T, D]`, in place; `padding` is `late_padding`."""
    numbers[:, numbers.shape[1] - padding.shape[1] :].masked_fill_(padding, value)
    return numbers
