"""What a trained encoder does while it reads: its gates, how long its cells last, and its running prediction."""

import copy
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sentiment_rnn.data.tokenizer import Tokenizer
from sentiment_rnn.model.classifier import SentimentClassifier
from sentiment_rnn.probes.unrolled import Unrolled, unroll
from sentiment_rnn.studies.kit.restored import best, data_of, refusing_other_encoders
from sentiment_rnn.tracking.results import RunResult

SENTENCES = {
    "weather": "the weather is hot today",
    "cinema": "i really liked the movie but i was disappointed in the service and cleanliness of the cinema",
}
CLAUSE = "i really liked the movie"
"""The first clause of the sentence on the cinema."""
GATES = ("forget", "input", "output")
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
    """One trained run, and what it did with the sentences and with test reviews."""

    encoder: str
    seed: int
    weight: np.ndarray
    """float [H], of the output layer."""
    sentences: dict[str, Sentence]
    differences: dict[str, float]
    """By the module's precision: the largest difference between its states on the test reviews and those recomputed by
    the equations in float64. In float32 a chaotic network amplifies its rounding errors over 400 steps."""
    saturation: dict[str, np.ndarray]
    """By gate: float [2, H], the share of tokens at which a unit's gate is below 0.1, and above 0.9."""
    decay: np.ndarray
    """float [H], mean of ln f over tokens, of each unit: what is left of a cell is the product of its forget gates.
    Empty where nothing is forgotten."""
    running: np.ndarray
    """float [SHARES], share of test reviews that are right after that part of the review."""


def reader_of(result: RunResult) -> Reader:
    """Load a run's best checkpoint and have it read."""
    model, data = best(result), data_of(result)
    reviews = data.reviews("test")
    # The split has all positive reviews behind all negative ones: draw.
    chosen = np.random.default_rng(0).permutation(len(reviews))[:TEST_REVIEWS]
    batch = reviews[chosen.tolist()]
    inside = torch.arange(batch.tokens.shape[1]) < batch.lengths[:, None]
    with refusing_other_encoders(result), torch.no_grad():
        unrolled = unroll(model, batch.tokens, batch.lengths)
        embedded = model.backbone.embedding(batch.tokens)
        states = {
            "float32": model.backbone.encoder(embedded, batch.lengths),
            "float64": copy.deepcopy(model.backbone.encoder).double()(embedded.double(), batch.lengths),
        }
    recomputed = torch.stack(unrolled.states, 1)
    gates = {name: unrolled.gates[name][inside] for name in GATES if unrolled.gates}
    forgets = bool(gates) and bool((gates["forget"] < 1).any())
    return Reader(
        encoder=result.encoder,
        seed=result.seed,
        weight=model.output.weight.detach()[0].numpy(),
        sentences={name: read_text(model, data.corpus.tokenizer, text) for name, text in SENTENCES.items()},
        differences={
            precision: float((of_module.double() - recomputed)[inside].abs().max())
            for precision, of_module in states.items()
        },
        saturation={
            n: torch.stack([(g < 0.1).double().mean(0), (g > 0.9).double().mean(0)]).numpy() for n, g in gates.items()
        },
        decay=gates["forget"].log().mean(0).numpy() if forgets else np.array([]),
        running=running_accuracy(unrolled.running, batch.lengths, batch.labels),
    )


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
    """Tokens after which half of a cell is left, ln ½ over the mean of ln f, of each unit."""
    return np.asarray(np.log(0.5) / decay)
