"""The embedding: a vector for each word, and a gradient for the words that a batch read."""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class RowEmbedding(nn.Embedding):
    """`nn.Embedding` whose gradient is added up as the tokens come, to the same digits as PyTorch's.

    With `sparse=True` the gradient holds each row that was read once. PyTorch's has a row for every token of the batch,
    padding taken out, and its user sorts and adds them up.
    """

    def forward(self, tokens: Tensor) -> Tensor:
        """`tokens [B, T]` int64 → `[B, T, E]`."""
        if not self.sparse and tokens.device.type != "cpu":
            return super().forward(tokens)
        return cast(Tensor, _Rows.apply(self.weight, tokens, self.padding_idx, self.sparse))


class _Rows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, tokens: Tensor, padding_id: int | None, sparse: bool) -> Tensor:
        ctx.save_for_backward(tokens)
        ctx.shape, ctx.padding_id, ctx.sparse = weight.shape, padding_id, sparse
        return torch.embedding(weight, tokens)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        tokens, gradient = ctx.saved_tensors[0].flatten(), gradients[0].flatten(0, -2)
        if not ctx.sparse:
            table = gradient.new_zeros(ctx.shape).index_add_(0, tokens, gradient)
            if ctx.padding_id is not None:
                table[ctx.padding_id] = 0.0
            return table, None, None, None
        read = tokens.new_zeros(ctx.shape[0], dtype=torch.bool).index_fill_(0, tokens, True)
        rows = read.nonzero()[:, 0]
        place = torch.empty_like(read, dtype=torch.int64)
        place[rows] = torch.arange(len(rows), device=rows.device)
        values = gradient.new_zeros(len(rows), ctx.shape[1]).index_add_(0, place[tokens], gradient)
        if ctx.padding_id is not None:
            values[rows == ctx.padding_id] = 0.0
        # `rows` holds each row once, in order, so the check, and the warning about skipping it, are turned off.
        return torch.sparse_coo_tensor(rows[None], values, ctx.shape, check_invariants=False), None, None, None
