"""The gradient flow of finished runs: before training, and after each of its epochs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tqdm import tqdm

from sentiment_rnn.probes.state_gradients import GradientFlow, gradient_flow, reach
from sentiment_rnn.runs.reviews import gradient_sample
from sentiment_rnn.studies.kit.memory_spans import learnt, spans
from sentiment_rnn.studies.kit.restored import data_of, epochs, refusing_other_encoders, untrained
from sentiment_rnn.tracking.results import RunResult

GRADIENT_REVIEWS = 64
"""Reviews whose gradient is measured: a batch."""
SHARE = 1e-3
"""A gradient below this share of its value at the end counts as gone; chosen before any span was known."""
LONGEST = 400
"""Distance of the reviews on which an untrained encoder's reach is measured."""
UNTRAINED = f"generated, distance {LONGEST}"
"""The reviews on which it is measured, in `results.csv`."""
TokensBySeed = dict[str, dict[int, int]]
"""A number of tokens, by encoder and seed."""


@dataclass(frozen=True)
class Measured:
    """The gradient of one encoder at one time of its training."""

    corpus: str
    encoder: str
    seed: int
    epoch: int
    """0 before training."""
    flow: GradientFlow


class Rate(NamedTuple):
    """What the gradient of one encoder is multiplied by at each step back, as `results.csv` has it."""

    corpus: str
    encoder: str
    seed: int
    epoch: int
    """0 before training."""
    measured: float
    predicted: float
    """By theory."""
    denormal: float
    """Share of the elements of ∂L/∂h that are denormal in float32."""
    vanished: float
    """Share that are 0 there."""


def during_training(corpus: str, results: Sequence[RunResult]) -> Iterator[Measured]:
    """Every run before training and after each of its epochs."""
    for result in tqdm(results, desc=f"Gradients, {corpus}", unit=" runs", disable=None, leave=False):
        data = data_of(result)
        sample = gradient_sample(data, result.seed, GRADIENT_REVIEWS)
        for epoch, model in enumerate([untrained(result, data), *epochs(result)]):
            with refusing_other_encoders(result):
                flow = gradient_flow(model, sample)
            yield Measured(corpus, result.encoder, result.seed, epoch, flow)


def before_training(results: Sequence[RunResult]) -> Iterator[Measured]:
    """Every encoder before training, on the reviews of the greatest distance."""
    for result in tqdm(results, desc="Gradients before training", unit=" runs", disable=None, leave=False):
        data = data_of(result)
        sample = gradient_sample(data, result.seed, GRADIENT_REVIEWS)
        with refusing_other_encoders(result):
            flow = gradient_flow(untrained(result, data), sample)
        yield Measured(UNTRAINED, result.encoder, result.seed, 0, flow)


def reaches(before: Sequence[Measured]) -> TokensBySeed:
    """How far back each encoder and seed keeps `SHARE` of its gradient, of `LONGEST` at most."""
    reached: TokensBySeed = {}
    for one in before:
        reached.setdefault(one.encoder, {})[one.seed] = min(reach(one.flow.memory, SHARE), LONGEST)
    return reached


def learnt_spans(results: Sequence[RunResult]) -> TokensBySeed:
    """The memory span that each encoder and seed learnt, from runs at one distance each."""
    return {
        encoder: dict(zip(next(iter(by_distance.values())).seeds, spans(by_distance)[1], strict=True))
        for encoder, by_distance in learnt(results).items()
    }
