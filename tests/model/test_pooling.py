"""A pooling equals a loop over reviews; padding takes no part, in the result or the gradient."""

from collections.abc import Callable

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor, nn

from sentiment_rnn.model.pooling import Last, LastMeanMax, Max, Mean, MeanMax, is_padding

D = 4
NAIVE: dict[type[nn.Module], Callable[[Tensor], Tensor]] = {
    Last: lambda states: states[-1],
    Mean: lambda states: sum(states) / len(states),
    Max: lambda states: torch.stack([max(column) for column in states.T]),
    MeanMax: lambda states: torch.cat([sum(states) / len(states), torch.stack([max(column) for column in states.T])]),
    LastMeanMax: lambda states: torch.cat(
        [states[-1], sum(states) / len(states), torch.stack([max(column) for column in states.T])]
    ),
}
POOLINGS = pytest.mark.parametrize("pooling", list(NAIVE))
lengths_of_a_batch = st.lists(st.integers(1, 9), min_size=1, max_size=5)


def padded_states(lengths: list[int], padding: float, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Random states `[B, T, D]`, `padding` behind each length, and the lengths."""
    generator = torch.Generator().manual_seed(seed)
    states = torch.randn(len(lengths), max(lengths) + 1, D, generator=generator)
    for review, length in enumerate(lengths):
        states[review, length:] = padding
    return states, torch.tensor(lengths)


@POOLINGS
@given(lengths=lengths_of_a_batch, seed=st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_pooling_equals_a_loop_over_reviews(pooling: type[nn.Module], lengths: list[int], seed: int) -> None:
    states, sizes = padded_states(lengths, 0.0, seed)
    expected = torch.stack([NAIVE[pooling](states[review, :length]) for review, length in enumerate(lengths)])
    torch.testing.assert_close(pooling()(states, sizes), expected, atol=1e-6, rtol=1e-6)


@POOLINGS
@pytest.mark.parametrize("padding", [float("nan"), float("inf"), float("-inf"), 3e38, -3e38])
def test_padding_never_matters(pooling: type[nn.Module], padding: float) -> None:
    lengths = [1, 5, 3]
    expected = pooling()(*padded_states(lengths, 0.0))
    assert torch.equal(pooling()(*padded_states(lengths, padding)), expected)


@POOLINGS
@pytest.mark.parametrize("padding", [0.0, float("nan"), float("inf")])
def test_no_gradient_reaches_the_padding(pooling: type[nn.Module], padding: float) -> None:
    states, sizes = padded_states([1, 5, 3], padding)
    states.requires_grad_()
    pooling()(states, sizes).sum().backward()
    behind = is_padding(states, sizes)
    assert not states.grad[behind].any()
    assert states.grad.isfinite().all()
    assert states.grad[~behind].any()


@POOLINGS
def test_bfloat16_states_are_not_summed_in_bfloat16(pooling: type[nn.Module]) -> None:
    # 1,000 ones: in bfloat16 the sum stops at 256.
    states = torch.ones(1, 1000, D, dtype=torch.bfloat16)
    pooled = pooling()(states, torch.tensor([1000])).float()
    assert torch.equal(pooled, torch.ones(1, pooling.width * D))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@given(lengths=lengths_of_a_batch, seed=st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_the_mean_on_a_processor_is_to_the_digit_that_of_the_usual_masking(
    dtype: torch.dtype, lengths: list[int], seed: int
) -> None:
    states, sizes = padded_states(lengths, float("nan"), seed)
    found, expected = states.to(dtype).requires_grad_(), states.to(dtype).requires_grad_()
    weight = torch.randn(len(lengths), D, generator=torch.Generator().manual_seed(seed))
    masked = expected.float().masked_fill(is_padding(expected, sizes)[:, :, None], 0.0)
    pooled, usual = Mean()(found, sizes), masked.sum(1) / sizes[:, None]
    (pooled * weight).sum().backward()
    (usual * weight).sum().backward()
    assert torch.equal(pooled, usual)
    assert torch.equal(found.grad, expected.grad)


@pytest.mark.parametrize("width", [100, 557])
def test_the_mean_of_states_that_have_time_first_in_memory_is_that_of_others_to_the_digit(width: int) -> None:
    wider = torch.randn(300, 7, width + 5, generator=torch.Generator().manual_seed(0))  # the compiled recurrence's
    states, sizes = wider[..., :width].transpose(0, 1), torch.tensor([300, 300, 250, 299, 300, 260, 300])
    masked = states.masked_fill(is_padding(states, sizes)[:, :, None], 0.0)
    assert torch.equal(Mean()(states, sizes), masked.sum(1) / sizes[:, None])


@given(lengths=lengths_of_a_batch, seed=st.integers(0, 1000), ties=st.booleans())
@settings(max_examples=50, deadline=None)
def test_mean_and_max_at_once_have_the_gradient_of_each(lengths: list[int], seed: int, ties: bool) -> None:
    states, sizes = padded_states(lengths, float("nan"), seed)
    if ties:  # a maximum that several states share
        states = states.sign()
    found, expected = states.clone().requires_grad_(), states.clone().requires_grad_()
    weight = torch.randn(len(lengths), 2 * D, generator=torch.Generator().manual_seed(seed))
    (MeanMax()(found, sizes) * weight).sum().backward()
    apart = torch.cat([Mean()(expected, sizes), Max()(expected, sizes)], dim=1)
    (apart * weight).sum().backward()
    torch.testing.assert_close(found.grad, expected.grad, atol=1e-6, rtol=1e-6)
