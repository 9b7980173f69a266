"""Texts that a model cannot be expected to judge: it has read none like them."""

import numpy as np

from sentiment_rnn.data.tokenizer import MANY_UNKNOWN
from sentiment_rnn.inference.package import Reading
from sentiment_rnn.inference.predictor import Sentiments


def notes_of(reading: Reading) -> list[str]:
    """Reasons to doubt a model's answers, whatever the texts are."""
    if reading.data != "generated":
        return []
    return [
        "note: this model has read generated reviews alone and knows few other words; "
        "for real texts, train on real ones (make compare)"
    ]


class Doubts:
    """Counts such texts part by part, and says in the end how many there were."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.texts = self.unknown = self.shorter = self.longer = 0

    def add(self, found: Sentiments) -> None:
        """Count in a part that was answered."""
        lengths = found.known + found.unknown
        given = lengths > 0
        self.texts += int(given.sum())
        self.unknown += int(np.sum(found.unknown[given] >= MANY_UNKNOWN * lengths[given]))
        if self.reading.longest:  # which models of version 0.4.0 did not record
            self.shorter += int(np.sum(lengths[given] < self.reading.shortest))
            self.longer += int(np.sum(lengths[given] > self.reading.longest))

    def reasons(self) -> dict[str, int]:
        """Number of texts for each reason for doubt."""
        counts = {
            "a third or more of the words are unknown": self.unknown,
            f"shorter than any text in training ({self.reading.shortest} tokens)": self.shorter,
            f"longer than any text in training ({self.reading.longest} tokens)": self.longer,
        }
        return {reason: count for reason, count in counts.items() if count}

    def lines(self) -> list[str]:
        """One line per reason for doubt."""
        found = notes_of(self.reading) if self.texts else []
        return found + [
            f"warning: {count:,} of {self.texts:,} texts: {reason}" for reason, count in self.reasons().items()
        ]
