"""Reviews written by a grammar, in which one clause decides and the rest distracts.

*"the seating was rather awful and i really liked the movie but i was disappointed in the service ."*: the clause
about the film is the label; clauses about the cinema use the same opinion words. What makes it an instrument:

- The lag, the number of tokens from the deciding clause to the end, is exact for every review.
- One clause about the cinema, drawn from all of them, has the opposite opinion, in the same forms. If the two topics
  are swapped, the label changes while the words stay the same. A bag of words is near chance but not at it: clauses
  after the deciding one have to fit into the lag, so some forms are rarer among them.
- All other opinions are drawn at random, and so is the number of clauses before the deciding one, one to four. In
  reviews with clauses after it, the first or the last opinion tells the label in at most two of three reviews.

`opening_fraction` of the reviews begin with the deciding clause instead. If no clause about the cinema follows, that
is the only opinion, and a bag of words can tell the label.
"""

import hashlib
from typing import Annotated, Literal

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from sentiment_rnn.config.schema import SCHEMA, Count, Fraction, Probability, Seed
from sentiment_rnn.data.review import Review, split_by_group
from sentiment_rnn.errors import refuse

FILM = ("movie", "film", "picture")
CINEMA = tuple(
    "seating staff parking sound service cleanliness popcorn foyer screen queue carpet heating lighting bar".split()
)
ADVERBS = ("really", "truly", "rather", "simply", "certainly", "quite")
OPINIONS = {
    1: {
        "verb": ("liked", "loved", "enjoyed", "admired", "adored", "praised"),
        "adjective": tuple("great good wonderful excellent lovely superb splendid charming fine perfect".split()),
        "feeling": ("delighted with", "pleased with", "happy with", "thrilled with"),
    },
    0: {
        "verb": ("hated", "disliked", "loathed", "despised", "regretted", "resented"),
        "adjective": ("bad", "awful", "dreadful", "terrible", "poor", "horrible", "shabby", "boring", "dull", "grim"),
        "feeling": ("disappointed in", "annoyed with", "unhappy with", "bored with"),
    },
}
NEUTRAL = (
    "we sat in row seven",
    "it was a monday",
    "my sister came along",
    "the doors opened at eight",
    "there were two of us",
    "we took the bus home",
    "it rained on the way",
    "the show lasted two hours",
)
JOINTS = (".", "and", "but", ",")
# Words that fill a gap too short for a clause, by the length of the gap in tokens.
FILLERS = ((), ("anyway",), ("so", "there"), ("that", "was", "it"), ("and", "that", "was", "it"))


Reviews = Annotated[int, Field(ge=2, le=10_000_000)]
Lag = Annotated[int, Field(ge=1, le=100_000)]
TestLags = Annotated[list[Annotated[int, Field(ge=0, le=100_000)]], Field(min_length=1)]


@dataclass(frozen=True, config=SCHEMA)
class Generated:
    """The corpus as `data=generated` describes it."""

    train_reviews: Reviews
    """Number of reviews to train on, those held out for validation included."""
    validation_fraction: Fraction
    """Part of `train_reviews` that is held out for validation."""
    split_seed: Seed
    """Seed of the choice of validation reviews; not the run's seed, so that all runs share one validation set."""
    test_reviews: Reviews
    """Number of test reviews."""
    max_lag: Lag
    """Largest lag, the number of tokens from the deciding clause to the end; with `lags=near` the middle lag. It holds
    for test reviews if `test_max_lag` is null."""
    lags: Literal["log_uniform", "mixed", "near", "equal"]
    """How lags are drawn. `log_uniform`: from 1 to `max_lag`. `mixed`: one of 2, 5, 10, 20, 50, … and `max_lag`.
    `near`: at most 20 % shorter or longer than `max_lag`, all equally likely. `equal`: always `max_lag`, so that a net
    can learn the delay."""
    opening_fraction: Probability
    """Probability, below 1, that a review begins with the deciding clause; at short lags that is its only clause. A
    repeated text is drawn anew, so fewer reviews with short lags begin with it."""
    generator_seed: Seed
    """Seed of the reviews; not the run's seed, so that all runs share one corpus."""
    test_max_lag: Lag | None = None
    """`max_lag` of the test reviews; null for the same as in training. Training never sees longer lags than its own."""
    test_lags: TestLags | None = None
    """Lags of the test reviews, used in turn; each lag goes to two reviews, one of each label. 0 means a lag that is
    drawn as `lags` says. Null draws all lags."""
    distractors: Count | None = None
    """Number of clauses about the cinema after the deciding clause, or as many as fit; the rest is neutral. Null: four
    of five sentences, so that their number grows with the lag."""

    def __post_init__(self) -> None:
        for key in ("max_lag", "test_max_lag"):
            if self.lags == "mixed" and getattr(self, key) == 1:
                refuse(f"data.{key}", 1, "a number of at least 2 with data.lags=mixed")
        if self.test_lags and self.test_max_lag:
            refuse("data.test_lags", self.test_lags, "null with data.test_max_lag")

    def fingerprint(self) -> str:
        """Digest of its settings."""
        return hashlib.sha256(repr(self).encode()).hexdigest()

    def read(self) -> dict[str, list[Review]]:
        """The reviews of every split; no text occurs twice, within a split or between two."""
        random = np.random.default_rng(self.generator_seed)
        seen: set[str] = set()
        tested = self.max_lag if self.test_max_lag is None else self.test_max_lag
        train, test = (
            [self._review(f"{part}/{number}", number, longest, lags, random, seen) for number in range(size)]
            for part, size, longest, lags in (
                ("train", self.train_reviews, self.max_lag, None), ("test", self.test_reviews, tested, self.test_lags),
            )
        )  # fmt: skip
        train, validation = split_by_group(train, self.validation_fraction, self.split_seed)
        return {"train": train, "validation": validation, "test": test}

    def _review(
        self,
        name: str,
        number: int,
        longest: int,
        lags: list[int] | None,
        random: np.random.Generator,
        seen: set[str],
    ) -> Review:
        label = number % 2
        while True:
            lag = (lags[number // 2 % len(lags)] if lags else 0) or self._lag(longest, random)
            # At probability 0, no random number is drawn for the choice, so that the corpora of studies stay the same.
            opens = self.opening_fraction > 0 and random.random() < self.opening_fraction
            text = " ".join(write_review(label, lag, random, opens, self.distractors))
            if text not in seen:
                seen.add(text)
                return Review(text, label, rating=0, group=name, name=name, lag=lag)

    def _lag(self, longest: int, random: np.random.Generator) -> int:
        if self.lags == "equal":
            return longest
        if self.lags == "mixed":
            return int(random.choice(lag_series(longest)))
        if self.lags == "near":
            return int(random.integers(-(-4 * longest // 5), 6 * longest // 5, endpoint=True))
        return int(np.exp(random.uniform(0, np.log(longest + 1))))


def lag_series(longest: int) -> list[int]:
    """The lags 2, 5, 10, 20, 50, … below `longest`, and `longest`."""
    decades = range(len(str(longest)))
    steps = [step for decade in decades for step in (10**decade, 2 * 10**decade, 5 * 10**decade)]
    return [step for step in steps if 2 <= step < longest] + [longest]


def write_review(
    label: int, lag: int, random: np.random.Generator, opens: bool = False, distractors: int | None = None
) -> list[str]:
    """The tokens of a review whose last `lag` tokens follow the clause that decides `label`.

    With `opens`, that clause comes first; else one to four others precede it. `distractors`: as in `Generated`.
    """
    behind, closing = _ending(lag, random, distractors)
    cinema = [sentence for sentence in behind if isinstance(sentence, Clause)]
    before = [] if opens else [draw_clause(CINEMA, random) for _ in range(random.integers(1, 5))]
    opinions = random.integers(0, 2, len(before) + len(cinema))
    if len(opinions):
        opinions[random.integers(len(opinions))] = 1 - label
    drawn = iter(opinions.tolist())
    tokens: list[str] = []
    for clause in before:
        tokens += [*clause.words(next(drawn), random), pick(JOINTS, random)]
    tokens += draw_clause(FILM, random).words(label, random)
    for sentence in behind:
        words = sentence.words(next(drawn), random) if isinstance(sentence, Clause) else sentence
        tokens += [pick(JOINTS, random), *words]
    return [*tokens, *closing]


@dataclass(frozen=True)
class Clause:
    """A clause about a topic, without its opinion; clauses about film and cinema have the same forms."""

    topic: str
    form: str
    """`verb`, `adjective` or `feeling`."""
    adverb: str
    """Empty for none."""

    @property
    def length(self) -> int:
        """Tokens, as many for either opinion."""
        return {"verb": 4, "adjective": 4, "feeling": 6}[self.form] + bool(self.adverb)

    def words(self, opinion: int, random: np.random.Generator) -> list[str]:
        """Its tokens, for an opinion (1 good, 0 bad)."""
        word = pick(OPINIONS[opinion][self.form], random)
        sentence = {
            "verb": f"i {self.adverb} {word} the {self.topic}",
            "adjective": f"the {self.topic} was {self.adverb} {word}",
            "feeling": f"i was {self.adverb} {word} the {self.topic}",
        }[self.form]
        return sentence.split()


def draw_clause(topics: tuple[str, ...], random: np.random.Generator) -> Clause:
    """A clause about one of the topics."""
    form = pick(("verb", "adjective", "feeling"), random)
    return Clause(pick(topics, random), form, pick(ADVERBS, random) if random.random() < 0.7 else "")


def _ending(
    lag: int, random: np.random.Generator, distractors: int | None
) -> tuple[list[Clause | list[str]], list[str]]:
    """Sentences that follow the deciding clause, and closing words with a full stop: `lag` tokens together with the
    joint that will precede each sentence."""
    sentences: list[Clause | list[str]] = []
    room, left = lag - 1, distractors
    while room >= len(FILLERS):
        neutral = random.random() < 0.2 if left is None else left == 0
        sentence = pick(NEUTRAL, random).split() if neutral else draw_clause(CINEMA, random)
        needed = 1 + (sentence.length if isinstance(sentence, Clause) else len(sentence))
        if needed <= room:
            sentences.append(sentence)
            room -= needed
            left = left and left - 1
    if distractors is not None:
        sentences = [sentences[place] for place in random.permutation(len(sentences))]
    return sentences, [*FILLERS[room], "."]


def pick(words: tuple[str, ...] | list[str], random: np.random.Generator) -> str:
    """One of the words, all equally likely."""
    return words[random.integers(len(words))]
