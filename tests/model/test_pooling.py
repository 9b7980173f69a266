"""A pooling equals a loop over reviews, in its result and its gradient; padding takes no part."""

from collections.abc import Callable
from pathlib import Path

import hypothesis.strategies as st
import pytest
import torch
import yaml
from hypothesis import given, settings
from torch import Tensor, nn

from sentiment_rnn.config import CONFIGURATION
from sentiment_rnn.model.pooling import Last, LastMeanMax, Max, Mean, MeanMax, is_padding

D = 4
NAIVE: dict[type[nn.Module], Callable[[Tensor], Tensor]] = {
    Last: lambda states: states[-1],
    Mean: lambda states: states.mean(0),
    Max: lambda states: states.amax(0),
    MeanMax: lambda states: torch.cat([states.mean(0), states.amax(0)]),
    LastMeanMax: lambda states: torch.cat([states[-1], states.mean(0), states.amax(0)]),
}
POOLINGS = pytest.mark.parametrize("pooling", list(NAIVE))
lengths_of_a_batch = st.lists(st.integers(1, 9), min_size=1, max_size=5)


def test_every_pooling_of_conf_has_a_loop_here_and_every_loop_a_file() -> None:
    files = Path(CONFIGURATION, "pooling").glob("*.yaml")
    named = {yaml.safe_load(path.read_text())["_target_"] for path in files}
    assert named == {f"{pooling.__module__}.{pooling.__name__}" for pooling in NAIVE}


def padded_states(lengths: list[int], padding: float, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Random states `[B, T, D]`, `padding` behind each length, and the lengths."""
    generator = torch.Generator().manual_seed(seed)
    states = torch.randn(len(lengths), max(lengths) + 1, D, generator=generator)
    for review, length in enumerate(lengths):
        states[review, length:] = padding
    return states, torch.tensor(lengths)


@POOLINGS
@given(lengths=lengths_of_a_batch, seed=st.integers(0, 1000), ties=st.booleans())
@settings(max_examples=30, deadline=None)
def test_result_and_gradient_equal_those_of_a_loop_over_reviews(
    pooling: type[nn.Module], lengths: list[int], seed: int, ties: bool
) -> None:
    states, sizes = padded_states(lengths, float("nan"), seed)
    if ties:  # a maximum that several states share
        states = states.sign()
    ours, theirs = states.clone().requires_grad_(), states.clone().requires_grad_()
    pooled = pooling()(ours, sizes)
    expected = torch.stack([NAIVE[pooling](theirs[review, :length]) for review, length in enumerate(lengths)])
    torch.testing.assert_close(pooled, expected, atol=1e-6, rtol=1e-6)
    weight = torch.randn(pooled.shape, generator=torch.Generator().manual_seed(seed))
    (pooled * weight).sum().backward()
    (expected * weight).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-6, rtol=1e-6)


@POOLINGS
@pytest.mark.parametrize("padding", [float("nan"), float("inf"), float("-inf"), 3e38, -3e38])
def test_padding_never_matters_and_gets_no_gradient(pooling: type[nn.Module], padding: float) -> None:
    lengths = [1, 5, 3]
    states, sizes = padded_states(lengths, padding)
    pooled = pooling()(states.requires_grad_(), sizes)
    assert torch.equal(pooled, pooling()(*padded_states(lengths, 0.0)))
    pooled.sum().backward()
    assert states.grad.isfinite().all()
    assert not states.grad[is_padding(states, sizes)].any()


@POOLINGS
def test_bfloat16_states_are_not_summed_in_bfloat16(pooling: type[nn.Module]) -> None:
    # 1,000 ones: in bfloat16 the sum stops at 256.
    states = torch.ones(1, 1000, D, dtype=torch.bfloat16)
    pooled = pooling()(states, torch.tensor([1000])).float()
    assert torch.equal(pooled, torch.ones(1, pooling.width * D))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("width", [100, 557])
def test_the_mean_on_a_processor_is_to_the_digit_that_of_the_usual_masking(dtype: torch.dtype, width: int) -> None:
    wider = torch.randn(300, 7, width + 5, generator=torch.Generator().manual_seed(0))  # the compiled recurrence's
    states, sizes = wider[..., :width].transpose(0, 1).to(dtype), torch.tensor([300, 300, 250, 299, 300, 260, 300])
    masked = states.float().masked_fill(is_padding(states, sizes)[:, :, None], 0.0)
    assert torch.equal(Mean()(states, sizes), masked.sum(1) / sizes[:, None])
