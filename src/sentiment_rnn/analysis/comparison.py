"""From the runs of a sweep to a table: means over seeds, and paired tests between what was compared."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from typing import NamedTuple

import numpy as np

from sentiment_rnn.analysis.predictions import Predictions, correct_by_seed
from sentiment_rnn.analysis.statistics import (
    Interval,
    Spread,
    bootstrap_difference,
    logarithmic_bins,
    mcnemar,
    spread,
    with_deviation,
)


@dataclass(frozen=True)
class RunResult:
    """One finished run, read back."""

    run_id: str
    arm: str
    """What is compared: the encoder, and whatever else the sweep varied but the seed."""
    pooling: str
    learning_rate: float
    seed: int
    metrics: dict[str, float]
    """The last value of each."""
    validation: np.ndarray
    """float [epochs], validation accuracy."""
    predictions: Predictions
    gradients: np.ndarray
    """float [3, D]: distance from the end, ‖∂L/∂x‖ there at the start, and after training."""

    @property
    def encoder(self) -> str:
        """The encoder's name, with which the arm's begins."""
        return self.arm.split(", ")[0]


@dataclass(frozen=True)
class Arm:
    """The runs that differ in their seed alone."""

    name: str
    runs: list[RunResult] = field(repr=False)

    def metric(self, name: str) -> Spread:
        """Mean and standard deviation over seeds."""
        return spread([run.metrics[name] for run in self.runs])

    @property
    def correct(self) -> np.ndarray:
        """bool [seeds, N]."""
        return correct_by_seed([run.predictions for run in self.runs])


class Difference(NamedTuple):
    """A paired comparison on the same reviews."""

    first: str
    second: str
    accuracy: Interval
    """First minus second, with its bootstrap interval."""
    p_value: float
    """Exact McNemar test, the largest of the pairs of seeds."""


def arms_of(runs: Sequence[RunResult]) -> list[Arm]:
    """Runs grouped by what was compared, the best on validation first."""
    names = dict.fromkeys(run.arm for run in runs)
    arms = [Arm(name, sorted((r for r in runs if r.arm == name), key=lambda r: r.seed)) for name in names]
    return sorted(arms, key=lambda arm: -arm.metric("val/best_accuracy").mean)


def differences(arms: Sequence[Arm], resamples: int) -> list[Difference]:
    """Every pair of arms that read the same test reviews; of more than four arms, each against the first."""
    found: list[Difference] = []
    for first, second in combinations(arms, 2):
        if len(arms) > 4 and first is not arms[0]:
            break
        if not first.runs[0].predictions.same_reviews(second.runs[0].predictions):
            continue
        pairs = zip(first.correct, second.correct, strict=False)
        p_value = max(mcnemar(a, b) for a, b in pairs)
        found.append(
            Difference(
                first.name,
                second.name,
                bootstrap_difference(first.correct, second.correct, resamples),
                p_value,
            )
        )
    return found


TABLE_COLUMNS = (
    "encoder", "pooling", "learning rate", "parameters", "validation accuracy", "test accuracy", "F1", "AUROC",
    "s / epoch", "tokens / s",
)  # fmt: skip


def table(arms: Sequence[Arm]) -> list[tuple[str, ...]]:
    """A row an arm, in the order of `TABLE_COLUMNS`."""
    return [
        (
            arm.name,
            arm.runs[0].pooling,
            f"{arm.runs[0].learning_rate:g}",
            f"{arm.metric('parameters').mean:,.0f}",
            percent(arm.metric("val/best_accuracy")),
            percent(arm.metric("test/accuracy")),
            decimals(arm.metric("test/f1")),
            decimals(arm.metric("test/auroc")),
            f"{arm.metric('train/epoch_seconds').mean:.1f}",
            f"{arm.metric('train/tokens_per_second').mean:,.0f}",
        )
        for arm in arms
    ]


DIFFERENCE_COLUMNS = ("first", "second", "difference in test accuracy [points]", "95 % interval", "McNemar p")


def difference_table(rows: Sequence[Difference]) -> list[tuple[str, ...]]:
    """A row a pair, in the order of `DIFFERENCE_COLUMNS`."""
    return [
        (
            row.first,
            row.second,
            f"{100 * row.accuracy.estimate:+.2f}",
            f"{100 * row.accuracy.low:+.2f} to {100 * row.accuracy.high:+.2f}",
            f"{row.p_value:.2g}" if row.p_value >= 1e-4 else "< 0.0001",
        )
        for row in rows
    ]


def distance_table(arms: Sequence[Arm], bins: int = 7) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Columns and rows of test accuracy by distance; empty where distances are unknown."""
    if not all(run.predictions.has_distances for arm in arms for run in arm.runs):
        return (), []
    of_arm = [arm.runs[0].predictions.distances for arm in arms]
    bounds = list(pairwise(logarithmic_bins(np.concatenate(of_arm), bins)))
    columns = tuple(f"{low}" if high == low + 1 else f"{low}–{high - 1}" for low, high in bounds)
    rows = []
    for arm, distances in zip(arms, of_arm, strict=True):
        inside = [(distances >= low) & (distances < high) for low, high in bounds]
        scores = [percent(spread(list(arm.correct[:, chosen].mean(1)))) if chosen.any() else "" for chosen in inside]
        rows.append((arm.name, *scores))
    return ("encoder", *columns), rows


def percent(value: Spread) -> str:
    """`88.1 ± 0.2 %`, or `88.1 %` of a single seed."""
    return f"{with_deviation(Spread(100 * value.mean, 100 * value.deviation), 1)} %"


def decimals(value: Spread) -> str:
    """`0.881 ± 0.002`, or `0.881` of a single seed."""
    return with_deviation(value, 3)
