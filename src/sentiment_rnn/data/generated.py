"""Reviews written by a grammar, in which one clause decides and the rest distracts.

*"the seating was rather awful and i really liked the movie but i was disappointed in the service ."*: the clause
about the film is the label; clauses about the cinema use the same opinion words. What makes it an instrument:

- The distance, in tokens from the deciding clause to the end, is exact for every review.
- After the deciding clause, opinions are drawn at random: who does not remember the clause knows nothing.
- Before it, one clause about the cinema has the opposite opinion, in the same forms. Swap the two opinions and the
  label turns while the words stay the same: a bag of words is at chance, not only near it.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sentiment_rnn.config import GeneratedConfig
from sentiment_rnn.data.reviews import Review
from sentiment_rnn.data.splits import split_by_film

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
# What fills a gap too short for a clause, by its length in tokens.
FILLERS = ((), ("anyway",), ("so", "there"), ("that", "was", "it"), ("and", "that", "was", "it"))


class Generated:
    """The corpus as `data=generated` describes it."""

    name = "generated"

    def __init__(self, config: GeneratedConfig) -> None:
        self.config = config

    def fingerprint(self) -> str:
        """Digest of the grammar (this file) and its settings."""
        config = self.config
        settings = [config.train_reviews, config.test_reviews, config.max_distance, config.distances]
        settings += [config.generator_seed, config.validation_fraction, config.split_seed]
        return hashlib.sha256(Path(__file__).read_bytes() + repr(settings).encode()).hexdigest()

    def read(self) -> dict[str, list[Review]]:
        """The reviews of every split; no text occurs twice, within a split or between two."""
        config = self.config
        random = np.random.default_rng(config.generator_seed)
        seen: set[str] = set()
        train, test = (
            [self._review(f"{part}/{number}", number % 2, random, seen) for number in range(size)]
            for part, size in (("train", config.train_reviews), ("test", config.test_reviews))
        )
        train, validation = split_by_film(train, config.validation_fraction, config.split_seed)
        return {"train": train, "validation": validation, "test": test}

    def _review(self, name: str, label: int, random: np.random.Generator, seen: set[str]) -> Review:
        while True:
            distance = self._distance(random)
            text = " ".join(write_review(label, distance, random))
            if text not in seen:
                seen.add(text)
                return Review(text, label, rating=0, film=name, name=name, distance=distance)

    def _distance(self, random: np.random.Generator) -> int:
        longest = self.config.max_distance
        if self.config.distances == "equal":
            return longest
        return int(np.exp(random.uniform(0, np.log(longest + 1))))


def write_review(label: int, distance: int, random: np.random.Generator) -> list[str]:
    """The tokens of a review whose last `distance` tokens follow the clause that decides `label`."""
    opinions = [1 - label, *random.integers(0, 2, random.integers(0, 3)).tolist()]
    random.shuffle(opinions)
    tokens: list[str] = []
    for opinion in opinions:
        tokens += [*clause(pick(CINEMA, random), opinion, random), pick(JOINTS, random)]
    return [*tokens, *clause(pick(FILM, random), label, random), *_ending(distance, random)]


def clause(topic: str, opinion: int, random: np.random.Generator) -> Iterator[str]:
    """An opinion (1 good, 0 bad) of a topic, as tokens; topics of film and cinema take the same forms."""
    form = pick(("verb", "adjective", "feeling"), random)
    word = pick(OPINIONS[opinion][form], random)
    adverb = pick(ADVERBS, random) if random.random() < 0.7 else ""
    sentence = {
        "verb": f"i {adverb} {word} the {topic}",
        "adjective": f"the {topic} was {adverb} {word}",
        "feeling": f"i was {adverb} {word} the {topic}",
    }[form]
    return iter(sentence.split())


def _ending(distance: int, random: np.random.Generator) -> list[str]:
    """Exactly `distance` tokens about the cinema, the last of them a full stop."""
    tokens: list[str] = []
    while (room := distance - 1 - len(tokens)) >= len(FILLERS):
        neutral = random.random() < 0.2
        sentence = (
            pick(NEUTRAL, random).split() if neutral else clause(pick(CINEMA, random), int(random.integers(2)), random)
        )
        addition = [pick(JOINTS, random), *sentence]
        if len(addition) <= room:
            tokens += addition
    return [*tokens, *FILLERS[room], "."]


def pick(words: tuple[str, ...] | list[str], random: np.random.Generator) -> str:
    """One of the words, each as likely."""
    return words[random.integers(len(words))]
