"""The embedding's gradient by rows is PyTorch's, each row once."""

import pytest
import torch
from torch import Tensor, nn

from sentiment_rnn.model.network import RowEmbedding


def gradient(embedding: nn.Embedding, tokens: Tensor) -> Tensor:
    """Gradient of some function of the rows of `tokens`."""
    embedding(tokens).sin().mul(torch.arange(1.0, 5.0)).sum().backward()
    assert embedding.weight.grad is not None
    return embedding.weight.grad


def pair(sparse: bool, padding_idx: int | None) -> tuple[RowEmbedding, nn.Embedding]:
    """The two, with the same weights."""
    ours = RowEmbedding(20, 4, padding_idx=padding_idx, sparse=sparse)
    theirs = nn.Embedding(20, 4, padding_idx=padding_idx, sparse=sparse)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


@pytest.mark.parametrize("padding_idx", [None, 0, 7])
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (6, 40)])
def test_the_sparse_gradient_is_pytorchs_with_each_row_once(padding_idx: int | None, shape: tuple[int, int]) -> None:
    tokens = torch.randint(0, 18, shape, generator=torch.Generator().manual_seed(1))
    ours, theirs = pair(sparse=True, padding_idx=padding_idx)
    assert torch.equal(ours(tokens), theirs(tokens))
    mine = gradient(ours, tokens)
    assert torch.equal(mine._indices()[0], tokens.unique())
    torch.testing.assert_close(mine.to_dense(), gradient(theirs, tokens).to_dense(), atol=1e-6, rtol=1e-5)


def test_a_dense_gradient_is_pytorchs() -> None:
    tokens = torch.tensor([[3, 3, 0], [5, 0, 0]])
    ours, theirs = pair(sparse=False, padding_idx=0)
    mine = gradient(ours, tokens)
    assert not mine.is_sparse
    assert torch.equal(mine, gradient(theirs, tokens))
