"""A study that counts seeds, by a protocol: what it measures, and the findings that such studies share.

It measures accuracies and correctness, steps to learn, the best validation accuracy, and its random searches.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from sentiment_rnn.report.tables import Table, csv_text
from sentiment_rnn.studies.kit.correctness import CORRECT, correct_at_one_distance, correct_file
from sentiment_rnn.studies.kit.encoder_groups import Styles, distance_of, styles_of
from sentiment_rnn.studies.kit.findings import Findings
from sentiment_rnn.studies.kit.learning_times import (
    TIMES,
    Times,
    learning_time_figure,
    learning_times_csv,
    read_learning_times,
)
from sentiment_rnn.studies.kit.learnt_shares import NOT_RUN, learnt_share_table
from sentiment_rnn.studies.kit.measurements import Measurements, read_rows, read_styles
from sentiment_rnn.studies.kit.memory_spans import COLUMNS, Scores, accuracy_rows, learnt, read_scores
from sentiment_rnn.studies.kit.random_search import read_search, search_csv, search_figure, search_table
from sentiment_rnn.studies.kit.share_comparisons import Adjusted, comparison_tables
from sentiment_rnn.studies.kit.verdicts import Verdict
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


class SeedCounts(NamedTuple):
    """What a study has measured, read from its folder."""

    scores: Scores
    styles: Styles
    times: Times
    validation: Validation


def read_seeds(folder: Path) -> SeedCounts:
    """What `measure_seeds` wrote but the searches; raises `UserError` where a file is missing."""
    best: dict[tuple[str, int], list[float]] = {}
    for row in read_rows(folder, VALIDATION):
        best.setdefault((row["encoder"], int(row["distance"])), []).append(float(row[BEST_ACCURACY]))
    validation = {key: median(values) for key, values in best.items()}
    return SeedCounts(read_scores(folder, SETTING), read_styles(folder), read_learning_times(folder), validation)


def best_on_validation(validation: Validation, arms: Iterable[str], distance: int) -> str:
    """The arm with the best median at a distance; the first of equals, and of arms that were not run there."""
    return max(arms, key=lambda arm: validation.get((arm, distance), 0.0))


def seed_findings(
    folder: Path,
    seeds: SeedCounts,
    adjusted: Adjusted,
    verdicts: Iterable[Verdict],
    shares: Figure,
    searches: Iterable[int],
    more: Iterable[Table] = (),
) -> Findings:
    """Shares, tests and searches in tables and figures, and the verdicts on claims of which something has been run.

    Args:
        adjusted: the tests.
        shares: figure of the shares of seeds that learn.
        searches: distances at which was searched.
        more: tables that stand behind that of the shares.
    """
    draws = {distance: read_search(folder, search_file(distance)) for distance in searches}
    return Findings(
        tables=[
            learnt_share_table(seeds.scores, seeds.styles),
            *more,
            *comparison_tables(adjusted, seeds.scores, seeds.styles),
            *(
                search_table(found, seeds.styles, f"Mean validation accuracy [%] over four epochs at {distance} tokens")
                for distance, found in draws.items()
            ),
        ],
        verdicts=[verdict for verdict in verdicts if verdict.evidence != NOT_RUN],
        figures={
            "shares": shares,
            "steps": learning_time_figure(seeds.times, seeds.styles),
            **{
                f"search_{distance}": search_figure(found, seeds.styles, "mean validation accuracy [%]")
                for distance, found in draws.items()
            },
        },
    )
