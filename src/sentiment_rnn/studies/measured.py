"""The gradient flow of finished runs: before training, and after each of its epochs."""

from collections.abc import Iterator
from dataclasses import dataclass

from mlflow.entities import Run
from tqdm import tqdm

from sentiment_rnn.analysis.gradient_flow import GradientFlow, gradient_flow, reach
from sentiment_rnn.studies.spans import LEARN, learnt, spans
from sentiment_rnn.studies.trained import data_of, epochs, untrained
from sentiment_rnn.tracking.results import runs_of
from sentiment_rnn.tracking.store import Store
from sentiment_rnn.training import gradient_sample

REVIEWS = 64
"""Reviews whose gradient is looked at: a batch."""
SHARE = 1e-3
"""A gradient of less than this share of what it is at the end counts as gone; chosen before any span was known."""
LONGEST = 400
"""Distance of the reviews on which an untrained encoder's reach is measured."""
BySeed = dict[str, dict[int, int]]
"""Tokens, by start and seed."""


@dataclass(frozen=True)
class Measured:
    """The gradient of one encoder at one time of its training."""

    corpus: str
    encoder: str
    seed: int
    epoch: int
    """0 before training."""
    flow: GradientFlow


def during_training(store: Store, corpus: str, runs: list[Run]) -> Iterator[Measured]:
    """Every run before training and after each of its epochs."""
    for run in tqdm(runs, desc=f"Gradients, {corpus}", unit=" runs", disable=None, leave=False):
        config, data = data_of(store, run)
        sample = gradient_sample(data, config.seed, REVIEWS)
        for epoch, model in enumerate([untrained(config, data), *epochs(store, config, run)]):
            yield Measured(corpus, config.encoder.name, config.seed, epoch, gradient_flow(model, sample))


def before_training(store: Store, runs: list[Run]) -> Iterator[Measured]:
    """Every start before training, on the reviews of the greatest distance."""
    for run in tqdm(runs, desc="Gradients before training", unit=" runs", disable=None, leave=False):
        config, data = data_of(store, run)
        flow = gradient_flow(untrained(config, data), gradient_sample(data, config.seed, REVIEWS))
        yield Measured(f"generated, distance {LONGEST}", config.encoder.name, config.seed, 0, flow)


def reaches(before: list[Measured]) -> BySeed:
    """How far back each start and seed keeps `SHARE` of its gradient, of `LONGEST` at most."""
    found: BySeed = {}
    for one in before:
        found.setdefault(one.encoder, {})[one.seed] = min(reach(one.flow.memory, SHARE), LONGEST)
    return found


def learnt_spans(store: Store) -> BySeed:
    """The memory span that each start and seed learnt, from the learning study."""
    return {
        name: dict(zip(next(iter(by_distance.values())).seeds, spans(by_distance)[1], strict=True))
        for name, by_distance in learnt(store, runs_of(store, *LEARN)).items()
    }
