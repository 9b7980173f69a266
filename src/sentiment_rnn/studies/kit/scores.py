"""Test accuracy by encoder and distance, as `results.csv` has it."""

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sentiment_rnn.report.statistics import Interval, accuracy_interval
from sentiment_rnn.studies.kit.correctness import ACCURACY
from sentiment_rnn.studies.kit.measurements import read_rows, reading

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
            by_seed[int(row["seed"])] = float(row[ACCURACY])
    return {
        encoder: {
            distance: Score(np.array(list(by_seed.values())), tuple(by_seed)) for distance, by_seed in distances.items()
        }
        for encoder, distances in found.items()
    }
