"""Validation shares no group and no text with training, and the seed alone decides it."""

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from sentiment_rnn.data.review import Review, split_by_group
from sentiment_rnn.errors import UserError

# (film, text) of each review; few of each, so that films and copies link up in many ways.
CONTENTS = st.lists(st.tuples(st.integers(0, 15), st.integers(0, 60)), min_size=1, max_size=80)
FRACTIONS = st.floats(0.05, 0.95)


def build(contents: list[tuple[int, int]]) -> list[Review]:
    """Reviews named by their place."""
    return [
        Review(f"text {text}", label=0, rating=0, group=f"tt{film}", name=str(place))
        for place, (film, text) in enumerate(contents)
    ]


def largest_group(reviews: list[Review]) -> int:
    """Reviews in the largest set that films and copies of a text hold together, found by merging."""
    groups: list[tuple[set[str], int]] = []
    for review in reviews:
        mine, size = {f"film {review.group}", review.text}, 1
        for keys, other in [group for group in groups if group[0] & mine]:
            groups.remove((keys, other))
            mine, size = mine | keys, size + other
        groups.append((mine, size))
    return max(size for _, size in groups)


def split_or_reject(reviews: list[Review], fraction: float, seed: int) -> tuple[list[Review], list[Review]]:
    """The two sides; an example that cannot be split is not one."""
    try:
        return split_by_group(reviews, fraction, seed)
    except UserError:
        reject()


@given(CONTENTS, FRACTIONS, st.integers(0, 1000))
def test_no_group_and_no_text_is_on_both_sides(contents: list[tuple[int, int]], fraction: float, seed: int) -> None:
    train, validation = split_or_reject(build(contents), fraction, seed)
    assert not {review.group for review in train} & {review.group for review in validation}
    assert not {review.text for review in train} & {review.text for review in validation}


@given(CONTENTS, FRACTIONS, st.integers(0, 1000))
def test_the_fraction_is_met_to_within_one_set_of_linked_groups(
    contents: list[tuple[int, int]], fraction: float, seed: int
) -> None:
    reviews = build(contents)
    wanted = round(fraction * len(reviews))
    try:
        held_out = len(split_by_group(reviews, fraction, seed)[1])
    except UserError:
        held_out = None
    if held_out is None:
        assert largest_group(reviews) > wanted or wanted in (0, len(reviews))
    else:
        assert wanted - largest_group(reviews) < held_out <= wanted


@given(CONTENTS, FRACTIONS, st.integers(0, 1000))
def test_every_review_is_on_one_side_in_the_order_given(
    contents: list[tuple[int, int]], fraction: float, seed: int
) -> None:
    train, validation = split_or_reject(build(contents), fraction, seed)
    places = [int(review.name) for review in train], [int(review.name) for review in validation]
    assert places[0] == sorted(places[0])
    assert places[1] == sorted(places[1])
    assert sorted(places[0] + places[1]) == list(range(len(contents)))


def test_the_seed_decides_which_groups_are_held_out() -> None:
    reviews = build([(film, film) for film in range(200)])
    assert split_by_group(reviews, 0.1, seed=3) == split_by_group(reviews, 0.1, seed=3)
    assert split_by_group(reviews, 0.1, seed=3) != split_by_group(reviews, 0.1, seed=4)


@pytest.mark.parametrize("fraction", [0.01, 0.5, 0.99])
def test_one_group_alone_cannot_be_split(fraction: float) -> None:
    reviews = build([(0, number) for number in range(10)])
    with pytest.raises(
        UserError,
        match=rf"data.validation_fraction={fraction}: leaves .* stay together: here 1 of 10 reviews at most",
    ):
        split_by_group(reviews, fraction, seed=0)


@pytest.mark.parametrize("seed", range(20))
def test_one_large_group_leaves_the_others_to_be_held_out(seed: int) -> None:
    sizes = [60, *([1] * 40)]
    groups = [f"product {number}" for number, size in enumerate(sizes) for _ in range(size)]
    reviews = [Review(f"text {n}", n % 2, rating=0, group=group, name="") for n, group in enumerate(groups)]
    assert len(split_by_group(reviews, 0.2, seed)[1]) in range(10, 21)
