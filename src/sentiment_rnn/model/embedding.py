"""The embedding: a vector for each word, a gradient for the words that a batch read, and dropout."""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional


class RowEmbedding(nn.Embedding):
    """`nn.Embedding` whose sparse gradient holds each row that was read once.

    With `sparse=True`, PyTorch's gradient has a row for every token of the batch but padding, and the optimizer sorts
    and sums the rows. Here the rows of a token are summed as they come, in places that are counted, not sorted.
    """

    def forward(self, tokens: Tensor) -> Tensor:
        """`tokens [B, T]` int64 → `[B, T, E]`."""
        if not self.sparse:
            return super().forward(tokens)
        return cast(Tensor, _Rows.apply(self.weight, tokens, self.padding_idx))


class _Rows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, tokens: Tensor, padding_id: int | None) -> Tensor:
        ctx.save_for_backward(tokens)
        ctx.shape, ctx.padding_id = weight.shape, padding_id
        return torch.embedding(weight, tokens)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        tokens, gradient = ctx.saved_tensors[0].flatten(), gradients[0].flatten(0, -2)
        read = tokens.new_zeros(ctx.shape[0], dtype=torch.bool).index_fill_(0, tokens, True)
        rows = read.nonzero()[:, 0]
        place = torch.empty_like(read, dtype=torch.int64)
        place[rows] = torch.arange(len(rows), device=rows.device)
        values = gradient.new_zeros(len(rows), ctx.shape[1]).index_add_(0, place[tokens], gradient)
        if ctx.padding_id is not None:
            values[rows == ctx.padding_id] = 0.0
        # `rows` holds each row once, in order, so the check, and the warning about skipping it, are turned off.
        return torch.sparse_coo_tensor(rows[None], values, ctx.shape, check_invariants=False), None, None


class TextDropout(nn.Dropout):
    """Dropout with one mask for all tokens of a text (Gal & Ghahramani 2016)."""

    def forward(self, embedded: Tensor) -> Tensor:
        """`embedded [B, T, E]` → `[B, T, E]`."""
        if not (self.training and self.p):
            return embedded
        return embedded * functional.dropout(torch.ones_like(embedded[:, :1]), self.p)
