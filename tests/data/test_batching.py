"""Training reads every review once an epoch, in batches of similar length, cut and padded as the settings say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentiment_rnn.data.batching import LengthBuckets, Reviews
from sentiment_rnn.data.corpus import Split

LENGTHS = st.lists(st.integers(1, 500), min_size=1, max_size=200).map(np.array)
BATCH_SIZES = st.integers(1, 40)
WORLD_SIZES = st.integers(1, 4)
SEEDS = st.integers(0, 10_000)


def build_split(lengths: list[int]) -> Split:
    """Reviews of these lengths; all tokens differ, so that a token tells where it stood."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    count = len(lengths)
    return Split(
        tokens=np.arange(2, 2 + offsets[-1], dtype=np.int32),
        offsets=offsets,
        labels=(np.arange(count) % 2).astype(np.int8),
        ratings=np.zeros(count, dtype=np.int8),
        lags=np.full(count, -1, dtype=np.int32),
        names=[str(number) for number in range(count)],
    )


def padding(lengths: np.ndarray, buckets: LengthBuckets) -> float:
    """The part of all batches that is padding."""
    batches = [lengths[batch] for batch in buckets]
    return 1 - sum(batch.sum() for batch in batches) / sum(batch.max() * len(batch) for batch in batches)


def flat(batches: list[list[int]]) -> list[int]:
    return [index for batch in batches for index in batch]


# Who is in an epoch


@given(LENGTHS, BATCH_SIZES, WORLD_SIZES)
def test_evaluation_sees_every_review_exactly_once(lengths: np.ndarray, batch_size: int, world_size: int) -> None:
    epoch: list[list[int]] = []
    for rank in range(world_size):
        buckets = LengthBuckets(lengths, batch_size, shuffle=False, rank=rank, world_size=world_size)
        epoch += buckets
        assert len(buckets) == len(list(buckets))
    assert sorted(flat(epoch)) == list(range(len(lengths)))


@given(LENGTHS, BATCH_SIZES, WORLD_SIZES, SEEDS, st.integers(0, 5))
def test_training_sees_every_review_in_equally_many_batches_a_process(
    lengths: np.ndarray, batch_size: int, world_size: int, seed: int, epoch: int
) -> None:
    plans = []
    for rank in range(world_size):
        buckets = LengthBuckets(lengths, batch_size, shuffle=True, seed=seed, rank=rank, world_size=world_size)
        buckets.set_epoch(epoch)
        plans.append(list(buckets))
        assert len(buckets) == len(plans[-1])
    assert {index for plan in plans for index in flat(plan)} == set(range(len(lengths)))
    assert len({len(plan) for plan in plans}) == 1
    if world_size == 1:
        assert sorted(flat(plans[0])) == list(range(len(lengths)))
    # What is seen again is no more than evens the processes out.
    batches = -(-len(lengths) // batch_size)
    assert sum(map(len, plans)) == -(-batches // world_size) * world_size


# In what order


def test_another_epoch_and_another_seed_give_another_order() -> None:
    lengths = np.random.default_rng(0).integers(1, 300, 500)
    orders = set()
    for seed in range(3):
        buckets = LengthBuckets(lengths, 16, shuffle=True, seed=seed)
        for epoch in range(3):
            buckets.set_epoch(epoch)
            orders.add(tuple(map(tuple, buckets)))
    assert len(orders) == 9


def test_training_batches_come_in_no_order_of_length() -> None:
    lengths = np.random.default_rng(0).integers(1, 300, 3200)
    means = np.array([lengths[batch].mean() for batch in LengthBuckets(lengths, 32, shuffle=True)])
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.4


@given(LENGTHS, BATCH_SIZES)
def test_evaluation_goes_from_the_longest_to_the_shortest(lengths: np.ndarray, batch_size: int) -> None:
    order = [lengths[index] for index in flat(list(LengthBuckets(lengths, batch_size, shuffle=False)))]
    assert order == sorted(order, reverse=True)


# How much is padding


@given(SEEDS)
@settings(max_examples=5, deadline=None)
def test_less_than_8_percent_of_log_normal_lengths_is_padding(seed: int) -> None:
    # Median 202 and 90th percentile 530, as in the real corpus.
    lengths = np.random.default_rng(seed).lognormal(np.log(202), np.log(530 / 202) / 1.2816, 22_500)
    lengths = np.clip(lengths.astype(int), 1, 400)
    assert padding(lengths, LengthBuckets(lengths, 64, shuffle=True, seed=seed)) < 0.08
    assert padding(lengths, LengthBuckets(lengths, 64, shuffle=False)) < 0.01


# What is in a batch


@given(st.lists(st.integers(1, 30), min_size=1, max_size=10), st.integers(1, 20), st.data())
def test_head_tail_and_both_cut_exactly(lengths: list[int], max_tokens: int, data: st.DataObject) -> None:
    split = build_split(lengths)
    index = data.draw(st.integers(0, len(lengths) - 1))
    review = split.tokens[split.offsets[index] : split.offsets[index + 1]].tolist()
    tail = max_tokens // 2
    expected = {
        "head": review[:max_tokens],
        "tail": review[-max_tokens:],
        "both": review if len(review) <= max_tokens else review[: max_tokens - tail] + review[len(review) - tail :],
    }
    for keep, tokens in expected.items():
        reviews = Reviews(split, max_tokens, keep)
        assert reviews.tokens_of(index).tolist() == tokens, keep
        assert reviews.lengths[index] == len(tokens), keep


@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=12),
    st.sampled_from(["head", "tail", "both"]),
    st.data(),
)
def test_a_batch_is_its_reviews_padded_at_the_end(lengths: list[int], keep: str, data: st.DataObject) -> None:
    reviews = Reviews(build_split(lengths), 17, keep)
    indices = data.draw(st.lists(st.integers(0, len(lengths) - 1), min_size=1, max_size=6))
    batch = reviews[indices]
    assert batch.indices.tolist() == indices
    assert batch.labels.tolist() == [index % 2 for index in indices]
    assert batch.tokens.shape[1] == batch.lengths.max()
    for row, index in enumerate(indices):
        length = batch.lengths[row]
        assert batch.tokens[row, :length].tolist() == reviews.tokens_of(index).tolist()
        assert not batch.tokens[row, length:].any()


# In which order words are read


@settings(deadline=None)
@given(LENGTHS, st.integers(1, 100), st.sampled_from(["head", "tail", "both"]), st.integers(1, 120))
def test_words_are_shuffled_within_stretches_that_count_from_the_end(
    lengths: np.ndarray, max_tokens: int, keep: str, span: int
) -> None:
    split = build_split(lengths.tolist())
    kept, shuffled = Reviews(split, max_tokens, keep), Reviews(split, max_tokens, keep, span)
    for index in range(len(split)):
        in_order, read = kept.tokens_of(index), shuffled.tokens_of(index)
        assert read.dtype == np.int32
        for end in range(len(read), 0, -span):
            start = max(0, end - span)
            assert sorted(read[start:end]) == sorted(in_order[start:end])


def test_the_order_depends_on_the_words_alone() -> None:
    words = build_split([50] * 3).tokens.reshape(3, 50)
    first, second = Split.of([words[0], words[1], words[2]]), Split.of([words[2], words[0]])
    reads = [Reviews(split, 50, "tail", 50).tokens_of(index).tolist() for split, index in ((first, 0), (second, 1))]
    assert reads[0] == reads[1] != words[0].tolist()


def test_a_shuffled_order_stays_the_same_in_later_versions() -> None:
    # Packaged models read with it: what they say of a text is not to change with NumPy.
    reviews = Reviews(build_split([12]), 12, "tail", 6)
    assert reviews.tokens_of(0).tolist() == [6, 7, 2, 4, 5, 3, 9, 11, 13, 10, 8, 12]


@pytest.mark.parametrize(("reviews", "processes"), [(5, 4), (9, 8), (41, 8), (8, 8), (500, 3)])
def test_each_process_has_a_batch_of_a_small_split(reviews: int, processes: int) -> None:
    lengths = np.full(reviews, 7)
    samplers = [
        LengthBuckets(lengths, 100, shuffle=False, rank=rank, world_size=processes) for rank in range(processes)
    ]
    assert min(map(len, samplers)) > 0
