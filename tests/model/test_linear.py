"""The compiled linear layer: the same as PyTorch's, whatever the sizes, and in float32 alone."""

import pytest
import torch
from torch.nn import functional

from sentiment_rnn.model.linear import linear


@pytest.mark.parametrize(
    ("rows", "columns", "outputs"), [(1, 1, 1), (3, 7, 31), (65, 20, 33), (200, 48, 64), (300, 5, 100)]
)
@pytest.mark.parametrize("biased", [True, False])
def test_it_gives_pytorchs_products_and_gradients(rows: int, columns: int, outputs: int, biased: bool) -> None:
    torch.manual_seed(0)
    found = []
    inputs, weight, bias = torch.randn(2, rows, columns), torch.randn(outputs, columns), torch.randn(outputs)
    for product in (linear, functional.linear):
        given = [each.clone().requires_grad_() for each in (inputs, weight, bias)[: 3 if biased else 2]]
        said = product(*given)
        said.sin().sum().backward()
        found.append([said.detach(), *(each.grad for each in given)])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=2e-4, rtol=1e-4)


def test_rows_that_do_not_lie_in_one_piece_are_read_as_they_are() -> None:
    wide = torch.randn(4, 6, 10, requires_grad=True)
    weight = torch.randn(3, 6)
    torch.testing.assert_close(linear(wide.transpose(1, 2), weight), functional.linear(wide.transpose(1, 2), weight))


def test_other_types_are_left_to_pytorch() -> None:
    inputs, weight = torch.randn(2, 3, 4), torch.randn(5, 4)
    assert linear(inputs.double(), weight.double()).dtype == torch.float64
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert linear(inputs, weight).dtype == torch.bfloat16
    assert linear(inputs.to("meta"), weight.to("meta")).shape == (2, 3, 5)
