"""What a study that counts seeds measures: accuracies and correctness, steps to learn, validation, and its searches."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median

import numpy as np
from matplotlib.figure import Figure

from sentiment_rnn.report.tables import Table, csv_text
from sentiment_rnn.studies.kit.correctness import CORRECT, correct_at_one_distance, correct_file
from sentiment_rnn.studies.kit.encoder_groups import Styles, distance_of, styles_of
from sentiment_rnn.studies.kit.learning_times import TIMES, learning_times_csv
from sentiment_rnn.studies.kit.measurements import Measurements, read_rows
from sentiment_rnn.studies.kit.memory_spans import COLUMNS, accuracy_rows, learnt
from sentiment_rnn.studies.kit.random_search import read_search, search_csv, search_figure, search_table
from sentiment_rnn.tracking.names import BEST_ACCURACY
from sentiment_rnn.tracking.results import RunResult

VALIDATION = "validation.csv"
SETTING = "learn"
"""The setting in `results.csv`: each run is trained and tested at one distance."""

Validation = Mapping[tuple[str, int], float]
"""Median over seeds of the best validation accuracy, by encoder and distance."""


def measure_seeds(results: Sequence[RunResult], searched: Mapping[int, Sequence[RunResult]]) -> Measurements:
    """The files of a study.

    Args:
        results: runs at one distance each.
        searched: those of the random searches, by distance.
    """
    files: dict[str, str | bytes] = {
        TIMES: learning_times_csv(results),
        CORRECT: correct_file(list(correct_at_one_distance(SETTING, results))),
        VALIDATION: csv_text(
            ("encoder", "distance", "seed", BEST_ACCURACY),
            [(run.encoder, distance_of(run), run.seed, run.metrics[BEST_ACCURACY]) for run in results],
        ),
    }
    files |= {search_file(distance): search_csv(runs, search_score) for distance, runs in searched.items()}
    return Measurements.of_rows(COLUMNS, accuracy_rows(SETTING, learnt(results)), styles_of(results), files)


def search_file(distance: int) -> str:
    """The file of the search at a distance."""
    return f"search_{distance}.csv"


def search_score(result: RunResult) -> float:
    """Mean validation accuracy over the epochs [%]: learning fast counts."""
    return 100 * float(np.mean(result.curve("val/accuracy")[1]))


def read_validation(folder: Path) -> Validation:
    """The medians, from `validation.csv`."""
    found: dict[tuple[str, int], list[float]] = {}
    for row in read_rows(folder, VALIDATION):
        found.setdefault((row["encoder"], int(row["distance"])), []).append(float(row[BEST_ACCURACY]))
    return {key: median(values) for key, values in found.items()}


def best_on_validation(validation: Validation, arms: Iterable[str], distance: int) -> str:
    """The arm with the best median at a distance; the first of equals, and of arms that were not run there."""
    return max(arms, key=lambda arm: validation.get((arm, distance), 0.0))


def search_findings(folder: Path, styles: Styles, distances: Sequence[int]) -> tuple[list[Table], dict[str, Figure]]:
    """A table and a figure of the search at each distance."""
    draws = {distance: read_search(folder, search_file(distance)) for distance in distances}
    tables = [
        search_table(found, styles, f"Mean validation accuracy [%] over four epochs at {distance} tokens")
        for distance, found in draws.items()
    ]
    figures = {
        f"search_{distance}": search_figure(found, styles, "mean validation accuracy [%]")
        for distance, found in draws.items()
    }
    return tables, figures
