"""AdamW by rows moves an embedding as PyTorch's AdamW does on dense gradients."""

import pytest
import torch
from torch import Tensor, nn

from sentiment_rnn.model.optimizer import RowAdamW, clip_gradient_norm

OPTIONS = {"lr": 0.05, "betas": (0.0, 0.99), "weight_decay": 0.0}


def table(sparse: bool) -> nn.Embedding:
    """Twenty rows of four numbers."""
    torch.manual_seed(0)
    return nn.Embedding(20, 4, padding_idx=0, sparse=sparse)


def backward(embedding: nn.Embedding, tokens: Tensor) -> None:
    """Leave the gradient of some function of the rows of `tokens`."""
    embedding.zero_grad()
    rows = embedding(tokens)
    (rows.sin() * torch.arange(1.0, 5.0)).sum().backward()


def batches(count: int) -> list[Tensor]:
    """Token ids; the first rows are read often, the last ones once in a while, some twice in a batch."""
    generator = torch.Generator().manual_seed(1)
    return [(18 * torch.rand(3, 4, generator=generator) ** 4).long() for _ in range(count)]


def test_it_moves_the_table_as_adamw_does_on_dense_gradients() -> None:
    rows, dense = table(sparse=True), table(sparse=False)
    by_rows, plain = RowAdamW(rows.parameters(), **OPTIONS), torch.optim.AdamW(dense.parameters(), **OPTIONS)
    for tokens in batches(60):
        backward(rows, tokens)
        backward(dense, tokens)
        assert rows.weight.grad is not None
        assert rows.weight.grad.is_sparse
        assert by_rows.step(lambda: 7.0) == 7.0, "as PyTorch's optimizers do"
        plain.step()
        torch.testing.assert_close(rows.weight, dense.weight, atol=1e-6, rtol=1e-5)


def test_all_dense_parameters_move_in_one_operation_but_for_complex_ones() -> None:
    real, complex_one = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2, dtype=torch.complex64))
    assert RowAdamW([real]).defaults["fused"]
    assert not RowAdamW([real], foreach=True).defaults["fused"]
    assert not RowAdamW([{"params": [real]}, {"params": [complex_one]}]).defaults["fused"]
    assert RowAdamW([nn.Parameter(torch.ones(2, device="meta"))]).defaults["fused"] is None, (
        "PyTorch's choice for a GPU: many at a time"
    )


@pytest.mark.parametrize(
    "wrong", [{"betas": (0.9, 0.99)}, {"weight_decay": 0.1}, {"amsgrad": True}, {"maximize": True}]
)
def test_what_would_move_every_row_is_refused(wrong: dict[str, object]) -> None:
    embedding = table(sparse=True)
    optimizer = RowAdamW(embedding.parameters(), **{**OPTIONS, **wrong})
    backward(embedding, torch.tensor([[3]]))
    before = embedding.weight.detach().clone()
    with pytest.raises(ValueError, match="expected betas="):
        optimizer.step()
    assert torch.equal(embedding.weight, before)


@pytest.mark.parametrize("limit", [0.5, 1e6, float("inf")])
def test_clipping_is_that_of_pytorch_with_a_sparse_gradient_as_with_a_dense_one(limit: float) -> None:
    tokens = torch.tensor([[3, 5, 3], [1, 0, 3]])  # one row is read three times
    sparse, dense = (nn.ModuleList([table(is_sparse), nn.Linear(4, 1, bias=False)]) for is_sparse in (True, False))
    dense.load_state_dict(sparse.state_dict())
    for embedding, linear in (sparse, dense):
        linear(embedding(tokens)).square().sum().backward()
    found = clip_gradient_norm(sparse.parameters(), limit)
    expected = nn.utils.clip_grad_norm_(dense.parameters(), limit)
    torch.testing.assert_close(found, expected)
    for ours, theirs in zip(sparse.parameters(), dense.parameters(), strict=True):
        assert ours.grad is not None
        assert theirs.grad is not None
        torch.testing.assert_close(ours.grad.to_dense(), theirs.grad)
