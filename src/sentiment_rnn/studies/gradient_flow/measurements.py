"""The gradient on its way back through the models of finished runs, before their training and after it."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from sentiment_rnn.data.batching import Batch
from sentiment_rnn.probes.state_gradients import GradientFlow, gradient_flow
from sentiment_rnn.report.tables import csv_text
from sentiment_rnn.runs.restored import best, data_of, untrained
from sentiment_rnn.runs.reviews import gradient_sample
from sentiment_rnn.studies.kit.measurements import read_rows, reading
from sentiment_rnn.studies.kit.planned_runs import GENERATED, IMDB, refusing_other_encoders
from sentiment_rnn.tracking.results import RunResult

RATES, CURVES = "rates.csv", "gradients.csv"
"""Rates of each run, and the gradient by distance over the seeds of each encoder."""
GRADIENT_REVIEWS = 64
"""Reviews whose gradient is measured: a batch."""
SEEDS = {GENERATED: range(60, 80), IMDB: range(20, 30)}
"""Of the protocol, by reviews."""
STEPS = 50
"""Steps back over which the gradient is measured: the clause of the generated reviews ends there."""
BY_RUN = ("corpus", "encoder", "seed", "trained", "rate", "theory", "left", "denormal_share", "zero_share")
BY_DISTANCE = ("corpus", "encoder", "trained", "distance", "left", "least", "most")
"""Columns of the two files."""


@dataclass(frozen=True)
class Measured:
    """The gradient of one run, before its training or after it."""

    corpus: str
    encoder: str
    seed: int
    trained: bool
    flow: GradientFlow


class Rate(NamedTuple):
    """A row of `rates.csv`."""

    corpus: str
    encoder: str
    seed: int
    trained: bool
    measured: float
    """What the gradient is multiplied by at each step back."""
    theory: float
    """What theory says of that."""
    left: float
    """Share of the gradient at the last token that is left at the token `STEPS` before it."""
    denormal: float
    """Share of the elements of ∂L/∂h that are denormal in float32."""
    vanished: float
    """Share that are 0 there."""


class Curve(NamedTuple):
    """Share of the gradient at the last token that is left at each, by distance from it; float [T] each."""

    middle: np.ndarray
    """Median over seeds."""
    least: np.ndarray
    most: np.ndarray


Curves = Mapping[tuple[str, str, bool], Curve]
"""By reviews, encoder, and whether it was trained."""


def gradients(corpus: str, results: Sequence[RunResult]) -> Iterator[Measured]:
    """Every run with the weights with which it began, and with those that were tested."""
    for result in tqdm(results, desc=f"Gradients, {corpus}", unit=" runs", disable=None, leave=False):
        data = data_of(result)
        sample = longer_than(STEPS, gradient_sample(data, result.seed, GRADIENT_REVIEWS))
        for trained, model in ((False, untrained(result, data)), (True, best(result))):
            with refusing_other_encoders(result):
                flow = gradient_flow(model, sample)
            yield Measured(corpus, result.encoder, result.seed, trained, flow)


def longer_than(steps: int, batch: Batch) -> Batch:
    """The reviews of a batch that are so long that a token is `steps` before their end."""
    long = batch.lengths > steps
    return Batch(*(part[long] for part in batch))


def rates_csv(measured: Iterable[Measured]) -> str:
    """The content of `rates.csv`."""
    rows = (
        (
            one.corpus, one.encoder, one.seed, int(one.trained), one.flow.rate(STEPS), one.flow.predicted,
            one.flow.left(STEPS), one.flow.denormal, one.flow.vanished,
        )
        for one in measured
    )  # fmt: skip
    return csv_text(BY_RUN, rows)


def curves_csv(measured: Iterable[Measured]) -> str:
    """The content of `gradients.csv`, up to the longest distance that a sample of every seed has."""
    groups: dict[tuple[str, str, bool], list[np.ndarray]] = {}
    for one in measured:
        groups.setdefault((one.corpus, one.encoder, one.trained), []).append(one.flow.inputs)
    rows: list[tuple[object, ...]] = []
    for (corpus, encoder, trained), of_seeds in groups.items():
        steps = min(map(len, of_seeds))
        stacked = np.stack([shares[:steps] for shares in of_seeds])
        for distance, (middle, least, most) in enumerate(
            zip(np.median(stacked, 0), stacked.min(0), stacked.max(0), strict=True)
        ):
            rows.append((corpus, encoder, int(trained), distance, middle, least, most))
    return csv_text(BY_DISTANCE, rows)


@reading
def read_rates(folder: Path) -> list[Rate]:
    """The rows of `rates.csv`, of seeds of the protocol."""
    return [
        Rate(
            row["corpus"], row["encoder"], int(row["seed"]), row["trained"] == "1",
            *(float(row[column]) for column in BY_RUN[4:]),
        )
        for row in read_rows(folder, RATES) if int(row["seed"]) in SEEDS[row["corpus"]]
    ]  # fmt: skip


@reading
def read_curves(folder: Path) -> Curves:
    """The curves of `gradients.csv`."""
    groups: dict[tuple[str, str, bool], list[list[float]]] = {}
    for row in read_rows(folder, CURVES):
        key = row["corpus"], row["encoder"], row["trained"] == "1"
        groups.setdefault(key, []).append([float(row[column]) for column in BY_DISTANCE[4:]])
    return {key: Curve(*np.array(rows).T) for key, rows in groups.items()}


def by_seed(
    rates: Iterable[Rate], corpus: str, encoder: str, trained: bool, value: Callable[[Rate], float]
) -> dict[int, float]:
    """A value of each seed of an encoder; a seed of which it is no number is left out."""
    asked = (corpus, encoder, trained)
    found = {one.seed: value(one) for one in rates if (one.corpus, one.encoder, one.trained) == asked}
    return {seed: value for seed, value in found.items() if not math.isnan(value)}
