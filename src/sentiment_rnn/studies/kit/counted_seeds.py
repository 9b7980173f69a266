"""A study that counts seeds, by a protocol: what it measures, and the findings that such studies share.

It measures accuracies and correctness, steps to learn, the best validation accuracy, and its random searches. A sweep,
or some seeds of it, can be measured by itself, and is added to what the folder has (`parts.py`). So the findings are of
distances that are whole, at which every arm has all its seeds.
"""

from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple, TypeVar

import numpy as np
from matplotlib.figure import Figure

from sentiment_rnn.report.tables import Table, csv_text
from sentiment_rnn.studies.kit.correctness import (
    ACCURACY,
    COLUMNS,
    CORRECT,
    correct_at_one_distance,
    correct_by_distance,
    correct_file,
)
from sentiment_rnn.studies.kit.encoder_groups import Styles, by_encoder, distance_of, styles_of
from sentiment_rnn.studies.kit.findings import Findings
from sentiment_rnn.studies.kit.learning_times import (
    TIMES,
    Times,
    learning_time_figure,
    learning_times_csv,
    read_learning_times,
)
from sentiment_rnn.studies.kit.learnt_shares import learnt_share_rows, learnt_share_table
from sentiment_rnn.studies.kit.measurements import Measurements, read_rows, read_styles, reading
from sentiment_rnn.studies.kit.random_search import read_search, search_csv, search_figure, search_table
from sentiment_rnn.studies.kit.scores import Scores, read_scores
from sentiment_rnn.studies.kit.share_comparisons import Adjusted, Claim, adjusted_tests, comparison_tables
from sentiment_rnn.studies.kit.study import Study, Sweep
from sentiment_rnn.studies.kit.sweep_runs import compared_and_searched
from sentiment_rnn.studies.kit.verdicts import Verdict, undecided
from sentiment_rnn.tracking.names import BEST_ACCURACY
from sentiment_rnn.tracking.results import RunResult
from sentiment_rnn.tracking.store import Store

VALIDATION = "validation.csv"
ONE_DISTANCE, MIXED = "learn", "hold"
"""Settings in `results.csv`: of runs that are trained and tested at one distance, and of those that are trained on
mixed distances and tested at each."""
DIVIDED = {ONE_DISTANCE: correct_at_one_distance, MIXED: correct_by_distance}
"""What runs classified correctly at each distance, by setting."""

Validation = Mapping[tuple[str, int], float]
"""Median over seeds of the best validation accuracy, by encoder and distance."""


Measured = TypeVar("Measured")
ByArm = Mapping[str, Mapping[int, Measured]]
"""By arm and distance."""


def counting_study(
    name: str,
    order: int,
    sweeps: tuple[Sweep, ...],
    findings: Callable[[Path], Findings],
    setting: str = ONE_DISTANCE,
    reads: tuple[str, ...] = (),
) -> Study:
    """A study that counts seeds; see `Study`."""
    return Study(
        name=name,
        order=order,
        sweeps=sweeps,
        measure=partial(measure_seeds, setting=setting),
        findings=findings,
        reads=reads,
        in_parts=True,
        keeps_correct=True,
    )


def measure_seeds(store: Store, sweeps: Sequence[Sweep], setting: str = ONE_DISTANCE) -> Measurements:
    """The files of these sweeps of a study; those that choose rates are searches.

    Raises:
        UserError: a sweep has not finished, or they do not compare; see `compared_and_searched`.
    """
    return seeds_measured(*compared_and_searched(store, sweeps), setting)


def seeds_measured(
    found: Sequence[RunResult], searched: Sequence[RunResult] = (), setting: str = ONE_DISTANCE
) -> Measurements:
    """The files of runs that are compared, and of those of searches."""
    # In the order of `added_to`, in which parts come together.
    results = [run for group in by_encoder(found).values() for run in sorted(group, key=distance_of)]
    correct = list(DIVIDED[setting](setting, results))
    files: dict[str, str | bytes] = {
        TIMES: learning_times_csv(results),
        CORRECT: correct_file(correct),
        VALIDATION: csv_text(
            ("encoder", "distance", "seed", BEST_ACCURACY),
            [(run.encoder, distance_of(run), run.seed, run.metrics[BEST_ACCURACY]) for run in results],
        ),
    }
    for distance in sorted({distance_of(run) for run in searched}):
        there = [run for run in searched if distance_of(run) == distance]
        files[search_file(distance)] = search_csv(there, search_score)
    styles = styles_of([*results, *searched])
    rows = [(*run.key, float(run.correct.mean())) for run in correct]
    return Measurements.of_rows((*COLUMNS, ACCURACY), rows, styles, files)


def search_file(distance: int) -> str:
    """The file of the search at a distance."""
    return f"search_{distance}.csv"


def searched_distances(folder: Path) -> list[int]:
    """The distances of the searches in a folder."""
    return sorted(int(path.stem.removeprefix("search_")) for path in folder.glob("search_*.csv"))


def search_score(result: RunResult) -> float:
    """Mean validation accuracy over the epochs [%], so that learning fast counts. After an early end, the last accuracy
    fills the missing epochs."""
    accuracies = result.curve("val/accuracy")[1]
    left = result.config.trainer.epochs - len(accuracies)
    return 100 * float(np.mean([*accuracies, *[accuracies[-1]] * left]))


class SeedCounts(NamedTuple):
    """What a study has measured, read from its folder."""

    scores: Scores
    styles: Styles
    times: Times
    validation: Validation
    missing: int = 0
    """Planned seeds that no arm has yet."""


@reading
def read_seeds(
    folder: Path, planned: Collection[int], setting: str = ONE_DISTANCE, at_each: int | None = None
) -> SeedCounts:
    """What `measure_seeds` wrote of these seeds, but the searches, at distances that are whole; see `whole_distances`.

    Args:
        planned: the seeds of the protocol. Runs with others, of development, are none of the study.
        at_each: how many of them an arm has at each distance; None for all.

    Raises:
        UserError: a file is missing or damaged.
    """
    scores, of_arm = read_scores(folder, setting, planned), at_each or len(planned)
    whole = whole_distances(scores, of_arm)
    most = max((len(score.seeds) for by_distance in scores.values() for score in by_distance.values()), default=of_arm)
    best: dict[tuple[str, int], list[float]] = {}
    for row in read_rows(folder, VALIDATION):
        if int(row["seed"]) in planned:
            best.setdefault((row["encoder"], int(row["distance"])), []).append(float(row[BEST_ACCURACY]))
    return SeedCounts(
        at_distances(scores, whole),
        read_styles(folder),
        at_distances(read_learning_times(folder, planned), whole),
        {key: median(values) for key, values in best.items() if key[1] in whole},
        of_arm - most,
    )


def whole_distances(scores: Scores, planned: int) -> set[int]:
    """The distances at which every arm that was run has all its seeds: those planned, or fewer where none has so many.

    A long sweep can be run some seeds at a time. Until it has as many as others, nothing is said of its distance. Where
    none has all, no verdict is decided; see `SeedCounts.missing`.

    Args:
        planned: seeds of an arm, by the protocol.
    """
    seeds: dict[int, list[int]] = {}
    for by_distance in scores.values():
        for distance, score in by_distance.items():
            seeds.setdefault(distance, []).append(len(score.seeds))
    enough = min(planned, max(map(max, seeds.values()), default=0))
    return {distance for distance, numbers in seeds.items() if min(numbers) >= enough}


def at_distances(arms: ByArm[Measured], distances: Container[int]) -> dict[str, dict[int, Measured]]:
    """What was measured of each arm at some distances; arms that were not run at any are left out."""
    found = {arm: {d: one for d, one in by_distance.items() if d in distances} for arm, by_distance in arms.items()}
    return {arm: by_distance for arm, by_distance in found.items() if by_distance}


Judge = Callable[[Sequence[Claim], Adjusted, Scores, Styles], Iterable[Verdict]]
"""From claims, their tests and the scores to verdicts."""


def best_on_validation(validation: Validation, arms: Sequence[str], distance: int) -> str:
    """The arm with the best median at a distance, the first of equals.

    While an arm has not been run there it is the answer, so that nothing is judged before it has.
    """
    missing = [arm for arm in arms if (arm, distance) not in validation]
    return missing[0] if missing else max(arms, key=lambda arm: validation[arm, distance])


def seed_findings(
    folder: Path,
    seeds: SeedCounts,
    claims: Sequence[Claim],
    judge: Judge,
    shares: Callable[[Scores, Styles], Figure] = learnt_share_rows,
    more: Iterable[Table] = (),
    searched_epochs: str = "four",
) -> Findings:
    """Shares, tests and searches in tables and figures, and the verdicts on claims of which something has been run.

    Where only searches have been run, the findings are theirs.

    Args:
        claims: those of two arms.
        judge: the rules of the protocol, for these claims and what others it has.
        shares: draws the figure of the shares of seeds that learn.
        more: tables that stand behind that of the shares.
        searched_epochs: how many epochs a run of a search has.
    """
    searches = search_findings(folder, seeds.styles, epochs=searched_epochs)
    if not seeds.scores:
        return searches
    adjusted = adjusted_tests(claims, seeds.scores)
    return Findings(
        tables=[
            learnt_share_table(seeds.scores, seeds.styles),
            *more,
            *comparison_tables(adjusted, seeds.scores, seeds.styles),
            *searches.tables,
        ],
        verdicts=undecided(
            [found for found in judge(claims, adjusted, seeds.scores, seeds.styles) if found.evidence],
            seeds.missing,
        ),
        figures={
            "shares": shares(seeds.scores, seeds.styles),
            "steps": learning_time_figure(seeds.times, seeds.styles),
            **searches.figures,
        },
    )


def search_findings(folder: Path, styles: Styles, at: str = "at", epochs: str = "four") -> Findings:
    """A table and a figure of each random search.

    Args:
        at: how the search's distance is that of its reviews: they are `at` it, or `up to` it.
        epochs: how many a run of the search has.
    """
    draws = {distance: read_search(folder, search_file(distance)) for distance in searched_distances(folder)}
    return Findings(
        tables=[
            search_table(found, styles, f"Mean validation accuracy [%] over {epochs} epochs {at} {distance} tokens")
            for distance, found in draws.items()
        ],
        verdicts=[],
        figures={
            f"search_{distance}": search_figure(found, styles, "mean validation accuracy [%]")
            for distance, found in draws.items()
        },
    )
