"""Accuracy by distance, and the memory span: how far back an encoder remembers, trained on mixed distances (held) or at
one (learnt)."""

import textwrap
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from sentiment_rnn.inference.predictions import correct_by_seed
from sentiment_rnn.report.figures import decorate_accuracy
from sentiment_rnn.report.statistics import Interval, accuracy_interval
from sentiment_rnn.report.tables import Table
from sentiment_rnn.studies.kit.encoder_groups import Styles, by_encoder, distance_of
from sentiment_rnn.studies.kit.findings import mean_of
from sentiment_rnn.studies.kit.measurements import read_rows
from sentiment_rnn.tracking.results import RunResult

LEARN = ("memory_learn", "memory_learn_50", "memory_learn_100")
"""The sweeps that are trained at one distance; the later two have learning rates of their own."""
REMEMBERS = 0.9
"""Accuracy above which an encoder counts as remembering."""


class Score(NamedTuple):
    """Test accuracy at one distance, of every seed."""

    accuracies: np.ndarray
    """float [seeds]."""
    seeds: tuple[int, ...]

    @property
    def interval(self) -> Interval:
        """The mean over seeds, with its interval."""
        return accuracy_interval(self.accuracies)


ByDistance = dict[int, Score]
Scores = dict[str, ByDistance]
"""By encoder and distance."""


def held(results: Sequence[RunResult]) -> Scores:
    """Scores of runs on mixed distances: the test reviews are divided by their distance."""
    scores: Scores = {}
    for encoder, group in by_encoder(results).items():
        predictions = [result.predictions for result in group]
        correct = correct_by_seed(predictions)
        distances, seeds = predictions[0].distances, tuple(result.seed for result in group)
        scores[encoder] = {int(d): Score(correct[:, distances == d].mean(1), seeds) for d in np.unique(distances)}
    return scores


def learnt(results: Sequence[RunResult]) -> Scores:
    """Scores of runs at one distance each."""
    scores: Scores = {}
    for encoder, group in by_encoder(results).items():
        by_distance: dict[int, list[RunResult]] = {}
        for result in group:
            by_distance.setdefault(distance_of(result), []).append(result)
        scores[encoder] = {
            distance: Score(
                correct_by_seed([result.predictions for result in by_distance[distance]]).mean(1),
                tuple(result.seed for result in by_distance[distance]),
            )
            for distance in sorted(by_distance)
        }
    return scores


def span(accuracies: Mapping[int, float]) -> int:
    """The memory span: the longest distance up to which the accuracy stays above `REMEMBERS`; 0 for none."""
    longest = 0
    for distance in sorted(accuracies):
        if accuracies[distance] <= REMEMBERS:
            break
        longest = distance
    return longest


def spans(distances: Mapping[int, Score]) -> tuple[int, list[int]]:
    """Memory span of the mean over seeds, and of each seed."""
    seeds = len(next(iter(distances.values())).accuracies)
    of_mean = span({distance: float(score.accuracies.mean()) for distance, score in distances.items()})
    return of_mean, [
        span({d: float(score.accuracies[seed]) for d, score in distances.items()}) for seed in range(seeds)
    ]


COLUMNS = ("setting", "encoder", "distance", "seed", "test/accuracy")
"""Of `results.csv`."""


def accuracy_rows(setting: str, scores: Scores) -> list[tuple[object, ...]]:
    """One row per run and distance, in `COLUMNS`."""
    return [
        (setting, encoder, distance, seed, float(accuracy))
        for encoder, distances in scores.items()
        for distance, score in distances.items()
        for seed, accuracy in zip(score.seeds, score.accuracies, strict=True)
    ]


def read_scores(folder: Path, setting: str, seeds: Collection[int] | None = None) -> Scores:
    """The scores of a setting, from the `results.csv` of a study.

    Args:
        seeds: those that count; None for all.
    """
    found: dict[str, dict[int, dict[int, float]]] = {}
    for row in read_rows(folder):
        if row["setting"] == setting and (seeds is None or int(row["seed"]) in seeds):
            by_seed = found.setdefault(row["encoder"], {}).setdefault(int(row["distance"]), {})
            by_seed[int(row["seed"])] = float(row["test/accuracy"])
    return {
        encoder: {
            distance: Score(np.array(list(by_seed.values())), tuple(by_seed)) for distance, by_seed in distances.items()
        }
        for encoder, distances in found.items()
    }


def accuracy_by_distance_table(title: str, scores: Scores, styles: Styles) -> Table:
    """Test accuracy by distance, mean ± standard deviation over seeds."""
    distances = sorted({distance for encoder in scores.values() for distance in encoder})
    rows = []
    for encoder, by_distance in scores.items():
        cells = [mean_of(list(100 * by_distance[d].accuracies)) if d in by_distance else "" for d in distances]
        rows.append((styles[encoder].label, *cells))
    return Table(f"Test accuracy [%] by distance [tokens], {title}", ("encoder", *map(str, distances)), rows)


def draw_accuracy(axes: Axes, title: str, scores: Mapping[str, ByDistance], styles: Styles) -> None:
    """Accuracy by distance, one line per encoder: the mean over seeds, in a band from the worst seed to the best."""
    for encoder, by_distance in scores.items():
        distances = list(by_distance)
        accuracies = np.array([by_distance[distance].accuracies for distance in distances])
        (label, color), line = styles[encoder], "--" if encoder == "bag" else "-"
        mean, low, high = accuracies.mean(1), accuracies.min(1), accuracies.max(1)
        axes.plot(distances, mean, line, marker="o", markersize=4, color=color, label=label, linewidth=1.8)
        axes.fill_between(distances, low, high, color=color, alpha=0.15, linewidth=0)
    decorate_accuracy(axes, "distance")
    axes.axhline(REMEMBERS, color="#999999", linestyle=":", linewidth=1)
    axes.set(title=title, xlabel="from the deciding clause to the end [tokens]", ylim=(0.4, 1.02))
    always = [
        styles[encoder].label
        for encoder, by_distance in scores.items()
        if min(score.accuracies.min() for score in by_distance.values()) > 0.99
    ]
    if len(always) > 1:  # their lines lie on one another
        listed = "always right: " + ", ".join(always)
        note = textwrap.fill(listed.replace(", LSTM, ", ", LSTM ").replace("RNN, ", "RNN "), 52)
        axes.annotate(note, (0.02, 0.985), xycoords=("axes fraction", "data"), va="top", fontsize=8, color="#444444")
