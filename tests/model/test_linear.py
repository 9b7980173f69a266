"""The compiled linear layer equals PyTorch's, whatever the sizes, in float32 alone."""

import pytest
import torch
from torch.nn import functional

from layer_checks import COMPILED
from sentiment_rnn.model.recurrence import linear


@COMPILED
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
        assert (product is linear) == (type(said.grad_fn).__name__ == "_LinearBackward")
        said.sin().sum().backward()
        found.append([said.detach(), *(each.grad for each in given)])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=2e-4, rtol=1e-4)


def test_rows_that_do_not_lie_in_one_piece_are_read_as_they_are() -> None:
    wide, weight = torch.randn(4, 6, 10, requires_grad=True), torch.randn(3, 6, requires_grad=True)
    ours, theirs = (product(wide.transpose(1, 2), weight) for product in (linear, functional.linear))
    torch.testing.assert_close(ours, theirs)
    back = torch.randn(4, 3, 10).transpose(1, 2)
    found, expected = (torch.autograd.grad(said, [wide, weight], back) for said in (ours, theirs))
    torch.testing.assert_close(found, expected)


def test_a_single_input_and_a_single_output_are_read_however_they_lie() -> None:
    for shape, outputs in (((1, 3, 4), 3), ((3, 4, 1), 1)):
        inputs = torch.randn(shape).permute(1, 2, 0).requires_grad_()
        weight = torch.randn(outputs, inputs.shape[2], requires_grad=True)
        found, expected = (
            torch.autograd.grad(product(inputs, weight).square().sum(), [inputs, weight])
            for product in (linear, functional.linear)
        )
        torch.testing.assert_close(found, expected)


def test_other_types_are_left_to_pytorch() -> None:
    inputs, weight = torch.randn(2, 3, 4, requires_grad=True), torch.randn(5, 4)
    said = [linear(inputs.double(), weight.double()), linear(inputs.to("meta"), weight.to("meta"))]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        said.append(linear(inputs, weight))
    assert [each.dtype for each in said] == [torch.float64, torch.float32, torch.bfloat16]
    assert "_LinearBackward" not in {type(each.grad_fn).__name__ for each in said}
