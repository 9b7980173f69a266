"""Texts in, probabilities out, in the same order. Texts are tokenized and batched by length."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from sentiment_rnn import runtime
from sentiment_rnn.data.batching import LengthBuckets, Reviews
from sentiment_rnn.data.corpus import Split
from sentiment_rnn.data.tokenizer import MANY_UNKNOWN, UNKNOWN_ID, whole
from sentiment_rnn.inference.package import Package, Reading
from sentiment_rnn.inference.predictions import calibrate

NEGATIVE, POSITIVE = "negative", "positive"


class Sentiments(NamedTuple):
    """Answers of a model, one entry per text."""

    probabilities: np.ndarray
    """float32 [N], probability that the text is positive; NaN for a text without a token."""
    known: np.ndarray
    """int64 [N], tokens of the whole text that are in the vocabulary."""
    unknown: np.ndarray
    """int64 [N], tokens of the whole text that are not in the vocabulary."""

    @property
    def labels(self) -> list[str | None]:
        """`positive` or `negative`; None for a text without a token."""
        return [None if np.isnan(p) else POSITIVE if p > 0.5 else NEGATIVE for p in self.probabilities]

    def records(self) -> Iterator[dict[str, Any]]:
        """`label`, `probability` (that the text is positive), `known_tokens`, `unknown_tokens` of each text, for
        JSON."""
        for label, probability, known, unknown in zip(self.labels, *self, strict=True):
            yield {
                "label": label,
                "probability": None if label is None else round(float(probability), 6),
                "known_tokens": int(known),
                "unknown_tokens": int(unknown),
            }


class Predictor:
    """A packaged model that predicts on the CPU.

    >>> Predictor(read_package(folder)).predict(["a wonderful film, warm and funny"]).labels
    ['positive']
    """

    def __init__(self, package: Package) -> None:
        self.package = package
        precision = package.reading.precision
        # If the processor only emulates bfloat16, float32 gives the same answers faster.
        self.half = precision == "bfloat16" and runtime.resolve_precision("auto", "cpu") == "bfloat16"

    def predict(self, texts: Sequence[str | None]) -> Sentiments:
        """The sentiment of each text; a text that is None or has no token gets no probability."""
        documents = self.encode(texts)
        unknown = np.array([np.count_nonzero(ids == UNKNOWN_ID) for ids in documents], dtype=np.int64)
        lengths = np.array([len(ids) for ids in documents], dtype=np.int64)
        return Sentiments(self.probabilities(documents), lengths - unknown, unknown)

    def encode(self, texts: Iterable[str | None]) -> list[np.ndarray]:
        """int32 [tokens] of each text."""
        tokenizer = self.package.tokenizer
        return [tokenizer.encode(whole(text)) if text else np.array([], dtype=np.int32) for text in texts]

    def probabilities(self, documents: Sequence[np.ndarray]) -> np.ndarray:
        """float32 [N], probabilities from token ids; NaN for a text without ids."""
        probabilities = np.full(len(documents), np.nan, dtype=np.float32)
        with_tokens = [index for index, ids in enumerate(documents) if len(ids)]
        logits = self.logits([documents[index] for index in with_tokens])
        probabilities[with_tokens] = calibrate(logits, self.package.reading.temperature)
        return probabilities

    def logits(self, documents: Sequence[np.ndarray]) -> torch.Tensor:
        """float32 [N], logits from token ids, before the temperature; every text has at least one token."""
        return self.logits_of(Split.of(documents)) if len(documents) else torch.empty(0)

    def logits_of(self, split: Split) -> torch.Tensor:
        """float32 [N], logits of a split. It is batched as in a run's test, so that the logits are the run's own."""
        reading = self.package.reading
        reviews = Reviews(split, reading.max_tokens, reading.keep, reading.shuffle_span)
        logits = torch.empty(len(split))
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.half):
            for indices in LengthBuckets(reviews.lengths, reading.batch_size, shuffle=False):
                batch = reviews[indices]
                logits[indices] = self.package.model(batch.tokens, batch.lengths)
        return logits


def notes_of(reading: Reading) -> list[str]:
    """Reasons to doubt all answers of a model, whatever the texts are."""
    if reading.data != "generated":
        return []
    return [
        "note: this model has read generated reviews alone and knows few other words; "
        "for real texts, train on real ones (make compare)"
    ]


class Doubts:
    """Counts texts whose answers are in doubt, part by part, and reports the counts in the end."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.texts = 0
        """Number of texts with a token."""
        self.counts: Counter[str] = Counter()
        """Number of texts for each reason for doubt."""

    def add(self, sentiments: Sentiments) -> None:
        """Add the answers of a part."""
        reading, lengths = self.reading, sentiments.known + sentiments.unknown
        self.texts += np.count_nonzero(lengths)
        doubtful = {
            "a third or more of the words are unknown": sentiments.unknown >= MANY_UNKNOWN * lengths,
            f"shorter than any text in training ({reading.shortest} tokens)": lengths < reading.shortest,
            # Models of version 0.4.0 did not record the longest text.
            f"longer than any text in training ({reading.longest} tokens)": lengths > (reading.longest or np.inf),
        }
        for reason, texts in doubtful.items():
            self.counts[reason] += np.count_nonzero(texts & (lengths > 0))

    def reasons(self) -> dict[str, int]:
        """Number of texts for each reason for doubt that applies to any text."""
        return dict(+self.counts)

    def lines(self) -> list[str]:
        """One line per reason for doubt."""
        notes = notes_of(self.reading) if self.texts else []
        return notes + [
            f"warning: {count:,} of {self.texts:,} texts: {reason}" for reason, count in self.reasons().items()
        ]
