"""A generated review has one deciding clause at a known lag, which a bag of words cannot find."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment_rnn.config.loading import source_of
from sentiment_rnn.config.sections import DataConfig
from sentiment_rnn.data.review import SPLITS, Review
from sentiment_rnn.data.sources.generated import (
    ADVERBS,
    CINEMA,
    FILM,
    OPINIONS,
    write_review,
)
from sentiment_rnn.data.tokenizer import splitter
from sentiment_rnn.errors import UserError

Config = Callable[..., DataConfig]

LABELS = st.integers(0, 1)
LAGS = st.integers(1, 300)
SEEDS = st.integers(0, 2**32 - 1)


def clause_pattern(topics: tuple[str, ...] | list[str], opinion: int) -> str:
    """A clause of this opinion about one of these topics, written out from the grammar's words."""
    adverb = f"(?:(?:{'|'.join(ADVERBS)}) )?"
    topic = f"(?:{'|'.join(topics)})"
    verb, adjective, feeling = (f"(?:{'|'.join(words)})" for words in OPINIONS[opinion].values())
    forms = (
        f"i {adverb}{verb} the {topic}",
        f"the {topic} was {adverb}{adjective}",
        f"i was {adverb}{feeling} the {topic}",
    )
    return f"(?:{'|'.join(forms)})"


def write(label: int, lag: int, seed: int) -> list[str]:
    return write_review(label, lag, np.random.default_rng(seed))


def every(reviews: dict[str, list[Review]]) -> list[Review]:
    return [review for split in SPLITS for review in reviews[split]]


@given(LABELS, LAGS, SEEDS)
def test_exactly_lag_tokens_follow_the_deciding_clause(label: int, lag: int, seed: int) -> None:
    tokens = write(label, lag, seed)
    assert re.search(rf"(?:^| ){clause_pattern(FILM, label)}$", " ".join(tokens[:-lag]))
    assert sum(token in FILM for token in tokens) == 1
    assert splitter("basic_english")(" ".join(tokens)) == tokens


@given(LABELS, LAGS, SEEDS)
def test_a_review_may_open_with_the_deciding_clause(label: int, lag: int, seed: int) -> None:
    tokens = write_review(label, lag, np.random.default_rng(seed), opens=True)
    text = " ".join(tokens)
    assert re.fullmatch(clause_pattern(FILM, label), " ".join(tokens[:-lag]))
    others = any(token in CINEMA for token in tokens)
    assert bool(re.search(clause_pattern(CINEMA, 1 - label), text)) == others


@given(LABELS, LAGS, SEEDS)
def test_swapping_the_topics_of_two_clauses_turns_the_label_and_keeps_the_words(
    label: int, lag: int, seed: int
) -> None:
    tokens = write(label, lag, seed)
    text = " ".join(tokens)
    opposite = re.search(clause_pattern(CINEMA, 1 - label), text)
    assert opposite, "no clause about the cinema of the opposite opinion"
    (film,) = (word for word in tokens if word in FILM)
    topic = next(word for word in opposite[0].split() if word in CINEMA)
    about_the_film = text[: opposite.start()] + opposite[0].replace(topic, film) + text[opposite.end() :]
    deciding = re.search(clause_pattern(FILM, label), about_the_film)
    swapped = about_the_film[: deciding.start()] + deciding[0].replace(film, topic) + about_the_film[deciding.end() :]
    assert Counter(swapped.split()) == Counter(tokens)
    assert re.search(clause_pattern(FILM, 1 - label), swapped)
    assert not re.search(clause_pattern(FILM, label), swapped)


@pytest.mark.parametrize("lag", [8, 20, 100])
def test_neither_the_first_nor_the_last_opinion_tells_the_label(lag: int) -> None:
    random = np.random.default_rng(0)
    opinion_of = {words: opinion for opinion, forms in OPINIONS.items() for form in forms.values() for words in form}
    pattern = re.compile("|".join(sorted(opinion_of, key=len, reverse=True)))
    labels = np.arange(3000) % 2
    texts = [" ".join(write_review(int(label), lag, random)) for label in labels]
    opinions = [[opinion_of[found] for found in pattern.findall(text)] for text in texts]
    for place in (0, -1):
        agrees = np.mean([found[place] == label for found, label in zip(opinions, labels, strict=True)])
        # One of the others, two at least, is the opposite: 1/2 minus half of its chance to stand there.
        assert 0.3 < agrees < 0.55, place


@pytest.mark.parametrize(("lag", "asked", "found"), [(100, 6, 6), (400, 6, 6), (100, 0, 0), (20, 6, 3), (4, 6, 0)])
def test_so_many_distractors_follow_the_clause_as_are_asked_for_if_they_fit(lag: int, asked: int, found: int) -> None:
    random = np.random.default_rng(0)
    behind = [write_review(1, lag, random, distractors=asked)[-lag:] for _ in range(200)]
    counts = {sum(word in CINEMA for word in tokens) for tokens in behind}
    assert max(counts) == found
    assert min(counts) == (found if lag > 50 else 0 if lag < 6 else 2)
    if found > 0 and lag > 50:
        places = {next(place for place, word in enumerate(tokens) if word in CINEMA) for tokens in behind}
        assert len(places) > 10, "they stand anywhere among the neutral sentences"


def test_a_bag_of_words_classifier_is_at_chance() -> None:
    random = np.random.default_rng(0)
    labels = np.arange(4000) % 2
    documents = [write_review(int(label), int(random.integers(1, 25)), random) for label in labels]
    words = {word: column for column, word in enumerate(sorted({word for document in documents for word in document}))}
    counts = np.zeros((len(documents), len(words)))
    for row, document in enumerate(documents):
        np.add.at(counts[row], [words[word] for word in document], 1)

    # Least squares on the first half, scored on the second: 2,000 reviews, so one standard error is 1.1 %.
    design = np.hstack([counts, np.ones((len(counts), 1))])
    weights = np.linalg.lstsq(design[:2000], 2.0 * labels[:2000] - 1, rcond=None)[0]
    accuracy = ((design[2000:] @ weights > 0) == labels[2000:]).mean()
    assert abs(accuracy - 0.5) < 0.04


@pytest.mark.parametrize("lags", ["equal", "log_uniform"])
@pytest.mark.parametrize("max_lag", [1, 2, 7])
def test_no_text_occurs_twice(generated_config: Config, lags: str, max_lag: int) -> None:
    config = generated_config(lags=lags, max_lag=max_lag, train_reviews=3300, test_reviews=600)
    reviews = every(source_of(config).read())
    assert len(reviews) == 3900
    assert len({review.text for review in reviews}) == 3900


@pytest.mark.parametrize(
    "change",
    [
        {"generator_seed": 1}, {"max_lag": 21}, {"lags": "equal"}, {"opening_fraction": 0.5},
        {"train_reviews": 170}, {"test_reviews": 66}, {"validation_fraction": 0.5}, {"split_seed": 1},
        {"test_max_lag": 40}, {"test_lags": [18, 22]}, {"distractors": 1},
    ],
)  # fmt: skip
def test_other_settings_give_another_corpus_and_another_fingerprint(
    generated_config: Config, change: dict[str, Any]
) -> None:
    first, second = source_of(generated_config()), source_of(generated_config(**change))
    assert first.read() != second.read()
    assert first.fingerprint() != second.fingerprint()


def test_lags_near_the_middle_one_are_spread_evenly_over_its_fifth_at_both_sides(generated_config: Config) -> None:
    reviews = every(source_of(generated_config(lags="near", max_lag=12, train_reviews=3000, test_reviews=600)).read())
    counts = Counter(review.lag for review in reviews)
    assert set(counts) == {10, 11, 12, 13, 14}
    assert all(abs(count - 720) < 120 for count in counts.values())  # a standard deviation of 24
    assert {review.lag for review in every(source_of(generated_config(lags="near", max_lag=5)).read())} == {4, 5, 6}


# Of texts, lags and splits, as these settings made them before lags could be near: studies rest on these corpora.
BEFORE = {
    ("equal", None): "b12e1bbca78fc4ba",
    ("log_uniform", None): "57fa4cf736760040",
    ("mixed", None): "1da1e0ff0dbb09c7",
    ("equal", (18, 20, 22)): "7a252800b1d5b1cd",
}


@pytest.mark.parametrize(("settings", "digest"), BEFORE.items())
def test_a_seed_makes_the_corpus_that_it_made_in_committed_studies(
    generated_config: Config, settings: tuple[str, tuple[int, ...] | None], digest: str
) -> None:
    lags, tested = settings
    config = generated_config(lags=lags, test_lags=tested and list(tested), max_lag=20)
    texts = [
        (split, review.text, review.label, review.lag)
        for split, part in source_of(config).read().items() for review in part
    ]  # fmt: skip
    assert hashlib.sha256(repr(texts).encode()).hexdigest()[:16] == digest


def test_the_fraction_of_the_reviews_opens_with_the_deciding_clause(generated_config: Config) -> None:
    reviews = every(source_of(generated_config(opening_fraction=0.25, train_reviews=4000, max_lag=100)).read())
    opening = sum(bool(re.match(clause_pattern(FILM, review.label), review.text)) for review in reviews)
    assert abs(opening - 1016) < 140  # a quarter of 4,064: a standard deviation of 28


def test_only_the_test_reviews_have_lags_that_training_never_sees(generated_config: Config) -> None:
    config = generated_config(lags="mixed", max_lag=20, test_max_lag=120, test_reviews=200)
    lags = {split: {review.lag for review in part} for split, part in source_of(config).read().items()}
    seen = {2, 5, 10, 20}
    assert lags == {"train": seen, "validation": seen, "test": seen | {50, 100, 120}}
    same = generated_config(lags="mixed", max_lag=20, test_max_lag=20)
    assert source_of(same).read() == source_of(generated_config(lags="mixed", max_lag=20)).read()


def test_test_reviews_can_have_lags_of_their_own_as_many_of_each_with_both_labels(generated_config: Config) -> None:
    config = generated_config(lags="equal", max_lag=20, test_lags=[18, 20, 22], test_reviews=60)
    found = source_of(config).read()
    assert Counter((review.lag, review.label) for review in found["test"]) == {
        (lag, label): 10 for lag in (18, 20, 22) for label in (0, 1)
    }
    assert {review.lag for review in every(found) if review not in found["test"]} == {20}
    usual = source_of(generated_config(lags="equal", max_lag=20, test_reviews=60)).read()
    assert (found["train"], found["validation"]) == (usual["train"], usual["validation"])


def test_beside_lags_of_their_own_test_reviews_can_have_lags_as_in_training(generated_config: Config) -> None:
    config = generated_config(lags="near", max_lag=20, test_lags=[0, 0, 16, 24], test_reviews=800)
    test = source_of(config).read()["test"]
    dealt = [[review.lag for place, review in enumerate(test) if place // 2 % 4 == asked] for asked in range(4)]
    assert set(dealt[0] + dealt[1]) == set(range(16, 25))
    assert (set(dealt[2]), set(dealt[3])) == ({16}, {24})
    assert all(review.label == place % 2 for place, review in enumerate(test))


@pytest.mark.parametrize("lags", [{"test_lags": []}, {"test_lags": [-1, 5]}, {"test_lags": [5], "test_max_lag": 9}])
def test_lags_of_test_reviews_below_zero_or_beside_a_longest_one_are_refused(
    generated_config: Config, lags: dict[str, Any]
) -> None:
    expected = r"data\.test_lags=.*: expected (a list, each item a whole number from 0 to|null with data\.test_max_lag)"
    with pytest.raises(UserError, match=expected):
        source_of(generated_config(**lags))
