"""Tasks on sequences ask what their papers say, and every encoder of a seed reads the same ones."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import combinations
from types import SimpleNamespace

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor
from torch.nn.functional import cross_entropy

from sentiment_rnn.config.sections import SequenceTaskConfig
from sentiment_rnn.data.sequences import (
    GeneratedSequences,
    SequenceData,
    Sequences,
    adding,
    copying,
    parity,
)
from sentiment_rnn.errors import UserError

SEEDS = st.integers(0, 2**31)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(SEEDS, st.integers(2, 60))
@settings(max_examples=40, deadline=None)
def test_the_sum_is_of_the_two_marked_numbers_one_in_each_half(seed: int, steps: int) -> None:
    inputs, targets = adding(steps).draw(8, generator(seed))
    numbers, marks = inputs.unbind(2)
    assert inputs.shape == (8, steps, 2)
    assert torch.equal(marks[:, : steps // 2].sum(1), torch.ones(8))
    assert torch.equal(marks[:, steps // 2 :].sum(1), torch.ones(8))
    torch.testing.assert_close((numbers * marks).sum(1), targets)


@given(SEEDS, st.integers(2, 60), st.integers(1, 12), st.integers(2, 9))
@settings(max_examples=40, deadline=None)
def test_symbols_come_back_behind_the_signal(seed: int, steps: int, symbols: int, alphabet: int) -> None:
    task = copying(steps, symbols, alphabet)
    inputs, targets = task.draw(8, generator(seed))
    tokens = inputs.argmax(2)
    assert inputs.shape == (8, task.length, task.input_size) == (8, steps + 2 * symbols, alphabet + 2)
    assert torch.equal(inputs.sum(2), torch.ones(8, task.length))
    assert torch.equal(targets[:, -symbols:], tokens[:, :symbols])
    assert not targets[:, :-symbols].any()
    assert ((tokens[:, :symbols] >= 1) & (tokens[:, :symbols] <= alphabet)).all()
    signal = (tokens == alphabet + 1).nonzero()
    assert signal[:, 1].tolist() == [steps + symbols - 1] * 8, (
        "T steps from the last symbol to the signal, or T - 1 blanks"
    )


@given(SEEDS, st.integers(2, 60))
@settings(max_examples=40, deadline=None)
def test_a_parity_flips_with_every_one(seed: int, steps: int) -> None:
    inputs, targets = parity(steps).draw(8, generator(seed))
    assert inputs.shape == (8, steps, 2)
    bits, odd = inputs.argmax(2), torch.zeros(8, dtype=torch.int64)
    for step in range(steps):
        odd = odd ^ bits[:, step]
        assert torch.equal(targets[:, step], odd)


def test_test_sequences_can_be_longer_than_those_of_training() -> None:
    longer = replace(OF_TASK["parity"], test_steps=48)
    lengths = {split: next(iter(GeneratedSequences(longer, 0, split))).inputs.shape[1]
               for split in ("train", "validation", "test")}  # fmt: skip
    assert lengths == {"train": 12, "validation": 12, "test": 48}
    assert longer.title == "parity over 12 steps, tested over 48"


def test_who_forgets_loses_the_baseline() -> None:
    _, targets = adding(10).draw(200_000, generator(0))
    assert float(targets.var()) == pytest.approx(adding(10).baseline, rel=0.01)


@pytest.mark.parametrize(("symbols", "alphabet"), [(10, 8), (1, 2), (4, 2)])
def test_who_forgets_says_blanks_and_then_any_symbol(symbols: int, alphabet: int) -> None:
    task = copying(30, symbols, alphabet)
    _, targets = task.draw(500, generator(0))
    # Sure of a blank until the signal has come, then of nothing but that it is a symbol.
    logits = torch.full((500, task.length, task.outputs), -1e9)
    logits[:, :-symbols, 0] = 0
    logits[:, -symbols:, 1 : alphabet + 1] = 0
    lost = cross_entropy(logits.flatten(0, 1), targets.flatten())
    assert float(lost) == pytest.approx(task.baseline, rel=1e-5)


CONFIG = SequenceTaskConfig(
    _target_="", name="adding", steps=12, symbols=None, alphabet=None, batch_size=16, batches=5, test_sequences=40
)  # fmt: skip
OF_TASK = {
    "adding": CONFIG,
    "copying": replace(CONFIG, name="copying", symbols=3, alphabet=2),
    "parity": replace(CONFIG, name="parity"),
}


def drawn(sequences: Iterable[Sequences]) -> Tensor:
    """The inputs of all its batches."""
    return torch.cat([batch.inputs for batch in sequences])


def of_epoch(epoch: int, seed: int = 0) -> Tensor:
    """The training sequences of an epoch, with none drawn before."""
    return drawn(GeneratedSequences(CONFIG, seed, "train", lambda: epoch))


def test_no_epoch_has_the_sequences_of_another_seed_however_long_the_training() -> None:
    found = [of_epoch(epoch, seed) for epoch in (0, 999, 1000, 2000) for seed in range(3)]
    assert not any(torch.equal(one, other) for one, other in combinations(found, 2))


def test_the_sequences_of_an_epoch_are_the_same_whatever_came_before() -> None:
    # As for a resumed run, and as every encoder of a seed reads them.
    epoch = 0
    sequences = GeneratedSequences(CONFIG, 0, "train", lambda: epoch)
    in_order = []
    for epoch in range(3):  # noqa: B007
        in_order.append(drawn(sequences))
        torch.rand(7)  # the global random state takes no part
    assert all(torch.equal(found, of_epoch(number)) for number, found in enumerate(in_order))
    epoch = 1
    next(iter(sequences))  # an epoch that was broken off
    assert torch.equal(drawn(sequences), in_order[1])


def test_validation_and_test_are_the_same_each_time_and_not_each_others() -> None:
    validation, test = (GeneratedSequences(CONFIG, 0, split) for split in ("validation", "test"))
    found = [drawn(part) for part in (validation, validation, test)]
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    assert len(found[0]) == len(validation) * 16 == 48, "whole batches, at least as many as asked for"
    assert not torch.equal(found[0], drawn(GeneratedSequences(CONFIG, 1, "validation")))


@pytest.mark.parametrize("name", ["adding", "copying", "parity"])
@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_the_number_of_tokens_is_that_of_all_steps_drawn(name: str, split: str) -> None:
    sequences = GeneratedSequences(OF_TASK[name], 0, split)
    assert sequences.tokens == sum(int(batch.lengths.sum()) for batch in sequences)
    assert len(sequences) == sum(1 for _ in sequences)


@pytest.mark.parametrize(
    ("task", "change", "said"),
    [
        ("copying", {"symbols": None}, "task.symbols=null: expected a number for copying"),
        ("copying", {"alphabet": None}, "task.alphabet=null: expected a number for copying"),
        ("adding", {"symbols": 3}, "task.symbols=3: expected a number for copying, null for adding"),
    ],
)
def test_symbols_and_an_alphabet_are_asked_of_the_tasks_that_have_some(
    task: str, change: dict[str, int | None], said: str
) -> None:
    with pytest.raises(UserError, match=f"^{said}"):
        replace(OF_TASK[task], **change)


def test_a_trainer_gets_the_sequences_of_its_epoch_and_the_same_validation_in_each() -> None:
    data, validation = SequenceData(CONFIG, seed=3), drawn(GeneratedSequences(CONFIG, 3, "validation"))
    for epoch in range(2):
        data.trainer = SimpleNamespace(current_epoch=epoch)  # type: ignore[assignment]
        assert torch.equal(drawn(data.train_dataloader()), of_epoch(epoch, seed=3))
        assert torch.equal(drawn(data.val_dataloader()), validation)
