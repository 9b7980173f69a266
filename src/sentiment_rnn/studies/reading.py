"""What a trained encoder does while it reads: its gates, how long its cells last, what it says so far."""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from mlflow.entities import Run
from torch import Tensor

from sentiment_rnn.analysis.unrolled import Unrolled, unroll
from sentiment_rnn.data.text import encode, tokenize
from sentiment_rnn.studies.starts import seed_of
from sentiment_rnn.studies.trained import best, data_of
from sentiment_rnn.tracking.store import Store

SENTENCES = {
    "weather": "the weather is hot today",
    "cinema": "i really liked the movie but i was disappointed in the service and cleanliness of the cinema",
}
GATES = ("forget", "input", "output")
REVIEWS = 256
SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)
"""Parts of a review after which the running sentiment is asked."""


@dataclass(frozen=True)
class Reader:
    """One trained run, and what it did with the sentences and with test reviews."""

    encoder: str
    seed: int
    weight: np.ndarray
    """float [H], of the read-out."""
    sentences: dict[str, Unrolled]
    differences: dict[str, float]
    """By the module's precision: the largest difference between its states on the test reviews and those recomputed by
    the equations in float64. In float32 a net that is chaotic makes much of its rounding over 400 steps."""
    saturation: dict[str, np.ndarray]
    """By gate: float [2, H], the share of tokens at which a unit's gate is below 0.1, and above 0.9."""
    decay: np.ndarray
    """float [H], mean of ln f over tokens, of each unit: what is left of a cell is the product of its forget gates."""
    running: np.ndarray
    """float [SHARES], share of test reviews that are right after that part of the review."""


def reader_of(store: Store, run: Run) -> Reader:
    """Load a run's best checkpoint and have it read."""
    model, data = best(store, run), data_of(store, run)[1]
    vocabulary = data.corpus.vocabulary
    sentences = {}
    for name, text in SENTENCES.items():
        tokens = torch.tensor([encode(vocabulary, tokenize(text))])
        sentences[name] = unroll(model, tokens, torch.tensor([tokens.shape[1]]))
    reviews = data.reviews("test")
    # The split has all positive reviews behind all negative ones: draw.
    chosen = np.random.default_rng(0).permutation(len(reviews))[:REVIEWS]
    batch = reviews[chosen.tolist()]
    inside = torch.arange(batch.tokens.shape[1]) < batch.lengths[:, None]
    with torch.no_grad():
        unrolled = unroll(model, batch.tokens, batch.lengths)
        embedded = model.embedding(batch.tokens)
        states = {
            "float32": model.encoder(embedded, batch.lengths),
            "float64": copy.deepcopy(model.encoder).double()(embedded.double(), batch.lengths),
        }
    recomputed = torch.stack(unrolled.states, 1)
    gates = {name: unrolled.gates[name][inside] for name in GATES if unrolled.gates}
    return Reader(
        encoder=run.data.params["encoder.name"],
        seed=seed_of(run),
        weight=model.output.weight.detach()[0].numpy(),
        sentences=sentences,
        differences={name: float((found.double() - recomputed)[inside].abs().max()) for name, found in states.items()},
        saturation={
            n: torch.stack([(g < 0.1).double().mean(0), (g > 0.9).double().mean(0)]).numpy() for n, g in gates.items()
        },
        decay=gates["forget"].log().mean(0).numpy() if gates else np.array([]),
        running=running_accuracy(unrolled.running, batch.lengths, batch.labels),
    )


def running_accuracy(running: Tensor, lengths: Tensor, labels: Tensor) -> np.ndarray:
    """float [SHARES]: the share of reviews whose `running [B, T]` logits are right after each part of the review."""
    found = []
    for share in SHARES:
        position = (lengths * share).ceil().long().clamp(min=1) - 1
        logits = running.gather(1, position[:, None])[:, 0]
        found.append(float(((logits > 0) == (labels == 1)).double().mean()))
    return np.array(found)


def half_lives(decay: np.ndarray) -> np.ndarray:
    """Tokens after which half of a cell is left, ln ½ over the mean of ln f, of each unit."""
    return np.asarray(np.log(0.5) / decay)
