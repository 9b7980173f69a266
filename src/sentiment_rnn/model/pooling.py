"""Pooling: from the states of a review, `[B, T, D]`, to one vector, `[B, width · D]`. Padding takes no part."""

import torch
from torch import Tensor, nn


class Last(nn.Module):
    """The state at `lengths - 1`: the only pooling that makes an encoder carry what it read to the end."""

    width = 1

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """`states [B, T, D]`, `lengths [B]` → `[B, D]`."""
        return states[torch.arange(len(states), device=states.device), lengths - 1]


class Mean(nn.Module):
    """The mean over a review's states: every step has a short way to the loss."""

    width = 1

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """`states [B, T, D]`, `lengths [B]` → `[B, D]`, float32."""
        padding = is_padding(states, lengths)[:, :, None]
        return states.float().masked_fill(padding, 0.0).sum(1) / lengths[:, None]


class Max(nn.Module):
    """The largest value of each feature over a review: one strong sign is enough, wherever it stands."""

    width = 1

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """`states [B, T, D]`, `lengths [B]` → `[B, D]`."""
        padding = is_padding(states, lengths)[:, :, None]
        return states.masked_fill(padding, float("-inf")).amax(1)


class MeanMax(nn.Module):
    """Mean and maximum side by side."""

    width = 2

    def __init__(self) -> None:
        super().__init__()
        self.mean = Mean()
        self.max = Max()

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """`states [B, T, D]`, `lengths [B]` → `[B, 2 D]`, float32."""
        return torch.cat([self.mean(states, lengths), self.max(states, lengths).float()], dim=1)


def is_padding(states: Tensor, lengths: Tensor) -> Tensor:
    """bool [B, T], true behind a review's own length."""
    return torch.arange(states.shape[1], device=states.device) >= lengths[:, None]
