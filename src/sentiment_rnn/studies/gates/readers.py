"""What a trained encoder does while it reads: its gates, how long its cells last, and its running prediction."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sentiment_rnn.data.batching import Batch
from sentiment_rnn.data.tokenizer import Tokenizer
from sentiment_rnn.model.classifier import SentimentClassifier
from sentiment_rnn.probes.unrolled import Unrolled, unroll
from sentiment_rnn.runs.restored import best, data_of, untrained
from sentiment_rnn.studies.kit.planned_runs import IMDB, refusing_other_encoders
from sentiment_rnn.tracking.results import RunResult

CINEMA = "but i was disappointed in the service and cleanliness of the cinema"
SENTENCES = {
    "weather": "the weather is hot today",
    "liked": "i really liked the movie",
    "cinema": f"i really liked the movie {CINEMA}",
    "hated": "i really hated the movie",
    "cinema, hated": f"i really hated the movie {CINEMA}",
}
"""Texts of ours, of which some models read each."""
GATES = ("forget", "input", "output")
LONGEST = 400
"""Tokens from the clause to the end of the generated reviews that are read."""
ALL = "all"
"""Reviews of either opinion."""
LONGEST_LIFE = 1e6
"""Tokens; of a unit that forgets next to nothing."""
TEST_REVIEWS = 256
"""Test reviews that are read, drawn from all."""
SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)
"""Parts of a review after which the running prediction is scored."""


class Sentence(NamedTuple):
    """A text of ours as a model read it."""

    tokens: list[str]
    unrolled: Unrolled


@dataclass(frozen=True)
class Reader:
    """One model of a run, and what it did with test reviews, and with the sentences if it has learned English."""

    corpus: str
    encoder: str
    seed: int
    trained: bool
    """Else it has the weights with which the run began."""
    weight: np.ndarray
    """float [H], of the output layer."""
    sentences: dict[str, Sentence]
    differences: dict[str, float]
    """By the module's precision: the largest difference between its states on the test reviews and those recomputed by
    the equations in float64. In float32 a chaotic network amplifies its rounding errors over 400 steps."""
    saturation: dict[str, np.ndarray]
    """By gate: float [2, H], the share of tokens at which a unit's gate is below 0.1, and above 0.9."""
    decay: dict[str, np.ndarray]
    """float [H], mean of ln f over the tokens that count, of each unit: what is left of a cell is the product of its
    forget gates. Of `ALL` reviews, and of those of each opinion; empty without a cell."""
    running: np.ndarray
    """float [SHARES], share of test reviews that are right after that part of the review. In a generated review one
    clause decides."""


def readers_of(result: RunResult, corpus: str) -> Iterator[Reader]:
    """A run before its training, and with the checkpoint that was tested.

    Args:
        corpus: `IMDB`, or `GENERATED`, of which reviews of the distance `LONGEST` are read.
    """
    data = data_of(result)
    reviews = data.reviews("test")
    asked = np.arange(len(reviews)) if corpus == IMDB else np.flatnonzero(reviews.split.distances == LONGEST)
    # IMDb's split has all positive reviews behind all negative ones: draw.
    batch = reviews[np.random.default_rng(0).permutation(asked)[:TEST_REVIEWS].tolist()]
    for trained, model in ((False, untrained(result, data)), (True, best(result))):
        with refusing_other_encoders(result):
            reader = read(model, batch, data.corpus.tokenizer, corpus, result, trained)
        yield reader


@torch.no_grad()
def read(
    model: SentimentClassifier, batch: Batch, tokenizer: Tokenizer, corpus: str, result: RunResult, trained: bool
) -> Reader:
    """Have a model read the reviews of a batch, and the sentences if they are in the language of its reviews."""
    before_end = batch.lengths[:, None] - torch.arange(batch.tokens.shape[1])
    inside = before_end > 0
    counted = inside if corpus == IMDB else inside & (before_end <= LONGEST)
    positive = (batch.labels == 1)[:, None]
    unrolled = unroll(model, batch.tokens, batch.lengths)
    embedded = model.backbone.embedding(batch.tokens)
    states = {
        "float32": model.backbone.encoder(embedded, batch.lengths),
        "float64": copy.deepcopy(model.backbone.encoder).double()(embedded.double(), batch.lengths),
    }
    recomputed = torch.stack(unrolled.states, 1)
    gates = {name: unrolled.gates[name] for name in GATES if unrolled.cells}
    groups = {ALL: counted, "positive": counted & positive, "negative": counted & ~positive}
    sentences = SENTENCES if corpus == IMDB else {}
    return Reader(
        corpus=corpus,
        encoder=result.encoder,
        seed=result.seed,
        trained=trained,
        weight=model.output.weight.detach()[0].numpy(),
        sentences={name: read_text(model, tokenizer, text) for name, text in sentences.items()},
        differences={
            precision: float((of_module.double() - recomputed)[inside].abs().max())
            for precision, of_module in states.items()
        },
        saturation={name: saturation(values[counted]) for name, values in gates.items()},
        decay={name: gates["forget"][there].log().mean(0).numpy() for name, there in groups.items() if gates},
        running=running_accuracy(unrolled.running, batch.lengths, batch.labels),
    )


def saturation(gate: Tensor) -> np.ndarray:
    """float [2, H]: the share of tokens at which a gate `[N, H]` is below 0.1, and above 0.9."""
    return torch.stack([(gate < 0.1).double().mean(0), (gate > 0.9).double().mean(0)]).numpy()


def read_text(model: SentimentClassifier, tokenizer: Tokenizer, text: str) -> Sentence:
    """Have a model read one text step by step."""
    tokens = tokenizer.split(text)
    ids = torch.from_numpy(tokenizer.ids(tokens).astype(np.int64))
    return Sentence(tokens, unroll(model, ids[None], torch.tensor([len(tokens)])))


def running_accuracy(running: Tensor, lengths: Tensor, labels: Tensor) -> np.ndarray:
    """float [SHARES]: the share of reviews whose `running [B, T]` logits are right after each part of the review."""
    accuracies = []
    for share in SHARES:
        position = (lengths * share).ceil().long().clamp(min=1) - 1
        logits = running.gather(1, position[:, None])[:, 0]
        accuracies.append(float(((logits > 0) == (labels == 1)).double().mean()))
    return np.array(accuracies)


def half_lives(decay: np.ndarray) -> np.ndarray:
    """Tokens after which half of a cell is left, ln ½ over the mean of ln f, of each unit; `LONGEST_LIFE` at most."""
    return np.asarray(np.log(0.5) / np.minimum(decay, np.log(0.5) / LONGEST_LIFE))
