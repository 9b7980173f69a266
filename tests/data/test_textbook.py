"""The textbook tasks: what is asked, what the answer is, and what who forgets would lose."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch.nn.functional import cross_entropy

from sentiment_rnn.config import TaskConfig
from sentiment_rnn.data.textbook import COPIED, SYMBOLS, Task, adding, baseline, copying

SEEDS = st.integers(0, 2**31)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(SEEDS, st.integers(2, 60))
@settings(max_examples=40, deadline=None)
def test_the_sum_is_of_the_two_marked_numbers_one_in_each_half(seed: int, steps: int) -> None:
    inputs, targets = adding(8, steps, generator(seed))
    numbers, marks = inputs.unbind(2)
    assert inputs.shape == (8, steps, 2)
    assert torch.equal(marks[:, : steps // 2].sum(1), torch.ones(8))
    assert torch.equal(marks[:, steps // 2 :].sum(1), torch.ones(8))
    torch.testing.assert_close((numbers * marks).sum(1), targets)


@given(SEEDS, st.integers(2, 60))
@settings(max_examples=40, deadline=None)
def test_ten_symbols_come_back_behind_the_signal(seed: int, steps: int) -> None:
    inputs, targets = copying(8, steps, generator(seed))
    tokens = inputs.argmax(2)
    assert inputs.shape == (8, steps + 2 * COPIED, SYMBOLS + 2)
    assert torch.equal(inputs.sum(2), torch.ones(8, steps + 2 * COPIED))
    assert torch.equal(targets[:, -COPIED:], tokens[:, :COPIED])
    assert not targets[:, :-COPIED].any()
    assert ((tokens[:, :COPIED] >= 1) & (tokens[:, :COPIED] <= SYMBOLS)).all()
    signal = (tokens == SYMBOLS + 1).nonzero()
    assert signal[:, 1].tolist() == [steps + COPIED - 1] * 8, (
        "T steps from the last symbol to the signal, or T - 1 blanks"
    )


def test_who_forgets_loses_the_baseline() -> None:
    _, targets = adding(200_000, 10, generator(0))
    assert float(targets.var()) == pytest.approx(baseline("adding", 10), rel=0.01)
    _, targets = copying(500, 30, generator(0))
    # Sure of a blank until the signal has come, then of nothing but that it is a symbol.
    logits = torch.full((500, 50, SYMBOLS + 2), -1e9)
    logits[:, :-COPIED, 0] = 0
    logits[:, -COPIED:, 1 : SYMBOLS + 1] = 0
    lost = cross_entropy(logits.flatten(0, 1), targets.flatten())
    assert float(lost) == pytest.approx(baseline("copying", 30), rel=1e-5)


def task(split: str, seed: int = 0) -> Task:
    return Task(TaskConfig(name="adding", steps=12, batch_size=16, batches=5, test_sequences=40), seed, split)


def test_training_sequences_are_new_in_every_epoch_and_the_same_for_every_encoder_of_a_seed() -> None:
    first, second = task("train"), task("train")
    epochs = [torch.cat([batch.inputs for batch in first]) for _ in range(2)]
    assert not torch.equal(*epochs)
    assert torch.equal(torch.cat([batch.inputs for batch in second]), epochs[0])
    assert len(epochs[0]) == 5 * 16


def test_validation_and_test_are_the_same_each_time_and_not_each_others() -> None:
    validation, test = task("validation"), task("test")
    drawn = [torch.cat([batch.inputs for batch in part]) for part in (validation, validation, test)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert len(drawn[0]) == len(validation) * 16 == 48, "whole batches, at least as many as asked for"
    assert not torch.equal(drawn[0], torch.cat([batch.inputs for batch in task("validation", seed=1)]))
