"""Test accuracy by encoder and distance, of runs on mixed distances (held) and of runs at one (learnt)."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sentiment_rnn.inference.predictions import correct_by_seed
from sentiment_rnn.report.statistics import Interval, accuracy_interval
from sentiment_rnn.studies.kit.encoder_groups import by_encoder, distance_of
from sentiment_rnn.studies.kit.measurements import read_rows, reading
from sentiment_rnn.tracking.results import RunResult

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


Scores = dict[str, dict[int, Score]]
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


@reading
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
