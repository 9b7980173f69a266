"""From the runs of a sweep to a table: means over seeds, and paired tests between what was compared."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from typing import NamedTuple

import numpy as np

from sentiment_rnn.inference.predictions import correct_by_seed
from sentiment_rnn.report.metrics import COLUMNS, percent_with_deviation
from sentiment_rnn.report.statistics import (
    Interval,
    Spread,
    bootstrap_difference,
    logarithmic_bins,
    mcnemar,
    spread,
)
from sentiment_rnn.tracking.names import BEST_ACCURACY, BEST_LOSS
from sentiment_rnn.tracking.results import RunResult


@dataclass(frozen=True)
class Arm:
    """The runs that differ in their seed alone."""

    name: str
    runs: list[RunResult] = field(repr=False)

    def metric(self, name: str) -> Spread:
        """Mean and standard deviation over seeds; NaN where a run does not have the metric."""
        return spread([run.metrics[name] for run in self.runs])

    @property
    def pooling(self) -> str:
        """The pooling's name."""
        return str(self.runs[0].config.pooling.name)

    @property
    def color(self) -> str | None:
        """The encoder's colour, as the configuration gives it."""
        return self.runs[0].config.encoder.color

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
    """Runs grouped by what was compared: the encoder, and whatever else the sweep varied but the seed. The best on
    validation first."""
    varied = sorted(
        key
        for key in {key for run in runs for key in run.overrides}
        if key not in ("seed", "encoder") and len({run.overrides.get(key) for run in runs}) > 1
    )
    shown = short_names(varied)
    choices: dict[str, set[str]] = {}
    for run in runs:
        choices.setdefault(run.encoder, set()).add(run.overrides.get("encoder", run.encoder))
    groups: dict[str, list[RunResult]] = {}
    for run in runs:
        # Two files with one name in them are two encoders all the same.
        name = run.encoder if len(choices[run.encoder]) == 1 else run.overrides.get("encoder", run.encoder)
        settings = [f"{shown[key]}={run.overrides[key]}" for key in varied if _is_used(run, key)]
        groups.setdefault(", ".join([name, *settings]), []).append(run)
    arms = [Arm(name, sorted(group, key=lambda run: run.seed)) for name, group in groups.items()]
    # NaN has no place in an order: arms without a metric come last. Runs of other tasks have a loss alone.
    return sorted(
        arms,
        key=lambda arm: (
            -np.nan_to_num(arm.metric(BEST_ACCURACY).mean, nan=-np.inf),
            np.nan_to_num(arm.metric(BEST_LOSS).mean, nan=np.inf),
        ),
    )


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """For each dotted key the shortest ending that no other of them has: `epochs`, but `encoder.dropout` beside
    `embedding.dropout`."""

    def endings(key: str) -> list[str]:
        parts = key.split(".")
        return [".".join(parts[place:]) for place in reversed(range(len(parts)))]

    taken = Counter(ending for key in keys for ending in endings(key))
    return {key: next((ending for ending in endings(key) if taken[ending] == 1), key) for key in keys}


def _is_used(run: RunResult, key: str) -> bool:
    """Whether an override reached the run: an encoder leaves keys that it has no use for unset (`encoder.layers` of a
    bag of words)."""
    given = run.overrides.get(key)
    if given is None:
        return False
    value: object = run.config
    for part in key.split("."):
        value = getattr(value, part, given)
    return value is not None or given == "null"


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


def table(arms: Sequence[Arm]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Columns and rows, an arm each."""
    shown = [column for column in COLUMNS if column.title]
    rows = [
        (
            arm.name,
            arm.pooling,
            f"{arm.runs[0].learning_rate:g}",
            *(column.cell(arm.metric(column.metric)) for column in shown),
        )
        for arm in arms
    ]
    return ("encoder", "pooling", "learning rate", *(column.title for column in shown)), rows


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
        rows.append((arm.name, *(_accuracy(arm, chosen) for chosen in inside)))
    return ("encoder", *columns), rows


def _accuracy(arm: Arm, chosen: np.ndarray) -> str:
    """Accuracy on the chosen reviews, bool [N]; a blank where there are none."""
    return percent_with_deviation(spread(list(arm.correct[:, chosen].mean(1)))) if chosen.any() else ""
