"""Studies of accuracy on IMDb: the seeds of each arm, the search for its learning rate, and what is said of both.

An arm is an encoder, or one with something changed. In files an arm is called an encoder.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from sentiment_rnn.report.figures import new_figure, styled
from sentiment_rnn.report.statistics import BySeed, accuracy_interval, spread
from sentiment_rnn.report.tables import Table
from sentiment_rnn.studies.kit.arm_panels import mark_rows
from sentiment_rnn.studies.kit.correctness import CORRECT, correct_file, correct_of
from sentiment_rnn.studies.kit.encoder_groups import EncoderStyle, Styles, styles_of
from sentiment_rnn.studies.kit.findings import Findings
from sentiment_rnn.studies.kit.margin_comparisons import (
    ALL,
    Adjusted,
    ScoreClaim,
    adjusted_tests,
    comparison_tables,
    mean_score,
    verdicts_on,
)
from sentiment_rnn.studies.kit.measurements import Measurements, read_rows, reading
from sentiment_rnn.studies.kit.random_search import read_search, search_csv, search_figure, search_table
from sentiment_rnn.studies.kit.study import Study, Sweep
from sentiment_rnn.studies.kit.sweep_runs import compared_and_searched
from sentiment_rnn.studies.kit.verdicts import Verdict, undecided
from sentiment_rnn.tracking.names import BEST_ACCURACY
from sentiment_rnn.tracking.results import RunResult
from sentiment_rnn.tracking.store import Store

KEYS = ("encoder", "seed")
"""Columns that tell runs apart."""
COLUMNS = (*KEYS, "peak_rate", "clip_norm", BEST_ACCURACY, "test/accuracy")
SEARCH = "search.csv"

Accuracies = Mapping[str, BySeed]
"""Test accuracies by arm and seed."""


def accuracy_study(
    name: str,
    order: int,
    sweeps: tuple[Sweep, ...],
    findings: Callable[[Path], Findings],
    arm_of: Callable[[RunResult], str],
    change_of: Callable[[RunResult], str],
    searched_by_seed: bool = False,
    reads: tuple[str, ...] = (),
) -> Study:
    """A study of accuracy on IMDb; see `Study` and `measure_arms`."""
    return Study(
        name=name,
        order=order,
        sweeps=sweeps,
        measure=partial(measure_arms, arm_of=arm_of, change_of=change_of, searched_by_seed=searched_by_seed),
        findings=findings,
        reads=reads,
        in_parts=True,
        keeps_correct=True,
    )


def measure_arms(
    store: Store,
    sweeps: Sequence[Sweep],
    arm_of: Callable[[RunResult], str],
    change_of: Callable[[RunResult], str],
    searched_by_seed: bool,
) -> Measurements:
    """Accuracies and correctness of the runs of these sweeps, and the draws of those that choose rates.

    Args:
        arm_of: the arm of a run.
        change_of: what its label says behind the encoder's, `, all shuffled`, say.
        searched_by_seed: each draw was tried with several seeds; see `search_csv`.
    """
    results, searched = compared_and_searched(store, sweeps)
    files: dict[str, str | bytes] = {
        CORRECT: correct_file([correct_of(run, (arm_of(run), str(run.seed))) for run in results], KEYS)
    }
    if searched:
        files[SEARCH] = search_csv(searched, best_accuracy, arm_of, searched_by_seed)
    rows = [
        (
            arm_of(run), run.seed, run.learning_rate, float(run.config.optimizer.gradient_clip_norm),
            run.metrics[BEST_ACCURACY], float(run.predictions.correct.mean()),
        )
        for run in results
    ]  # fmt: skip
    runs = [*results, *searched]
    styles = styles_of(runs)
    by_arm = {
        arm_of(run): EncoderStyle(styles[run.encoder].label + change_of(run), styles[run.encoder].color) for run in runs
    }
    return Measurements.of_rows(COLUMNS, rows, by_arm, files)


def best_accuracy(run: RunResult) -> float:
    """Best validation accuracy of a run, in percent: the score of a search."""
    return 100 * run.metrics[BEST_ACCURACY]


@reading
def read_accuracies(folder: Path, seeds: Collection[int]) -> dict[str, dict[int, float]]:
    """Test accuracies of each arm with the seeds of a protocol; see `whole_arms`.

    Raises:
        UserError: the file is missing or damaged.
    """
    found: dict[str, dict[int, float]] = {}
    for row in read_rows(folder):
        if int(row["seed"]) in seeds:
            found.setdefault(row["encoder"], {})[int(row["seed"])] = float(row["test/accuracy"])
    return whole_arms(found)


def whole_arms(accuracies: Mapping[str, dict[int, float]]) -> dict[str, dict[int, float]]:
    """The arms but those with fewer seeds than another: they are not whole yet."""
    most = max(accuracies.values(), key=len, default={}).keys()
    return {arm: by_seed for arm, by_seed in accuracies.items() if by_seed.keys() == most}


def search_findings(folder: Path, styles: Styles) -> Findings:
    """Table and figure of a random search; nothing where it has not been run.

    Raises:
        UserError: its file is damaged.
    """
    if not (folder / SEARCH).is_file():
        return Findings([], [])
    draws = read_search(folder, SEARCH)
    table = search_table(draws, styles, "Best validation accuracy [%] of three epochs")
    return Findings([table], [], {"search": search_figure(draws, styles)})


def accuracy_findings(
    accuracies: Accuracies,
    styles: Styles,
    claims: Iterable[ScoreClaim],
    seeds: Collection[int],
    plain: Collection[str],
    search: Findings,
) -> Findings:
    """Findings from accuracies and the searches; where only searches have been run, theirs.

    Args:
        accuracies: of all arms that the claims compare, also of those of another study; none where no arm was run.
        styles: of these arms, and of those that were searched.
        seeds: those of the protocol.
        plain: arms in which nothing is changed; the others are paler in the figure.
        search: findings about the searches.
    """
    if not accuracies:
        return search
    scores = {ALL: accuracies}
    adjusted = adjusted_tests(claims, scores)
    compared = comparison_tables(claims, adjusted, scores, styles)
    return Findings(
        tables=[accuracy_table(accuracies, styles), *compared, *search.tables],
        verdicts=accuracy_verdicts(claims, adjusted, accuracies, styles, seeds),
        figures={"accuracy": accuracy_figure(accuracies, styles, plain), **search.figures},
    )


def accuracy_verdicts(
    claims: Iterable[ScoreClaim], adjusted: Adjusted, accuracies: Accuracies, styles: Styles, seeds: Collection[int]
) -> list[Verdict]:
    """By the rules of the protocol; a claim of which no pair of arms was run is left out."""
    found = verdicts_on(claims, adjusted, {ALL: accuracies}, styles)
    return undecided(found, len(seeds) - min(map(len, accuracies.values())))


def accuracy_table(accuracies: Accuracies, styles: Styles) -> Table:
    """Accuracy of each arm over its seeds."""
    rows = []
    for arm, by_seed in accuracies.items():
        values = 100 * np.array(list(by_seed.values()))
        rows.append((
            styles[arm].label, f"{len(values)}", mean_score(by_seed), f"{spread(values).deviation:.1f}",
            f"{values.min():.1f}", f"{np.median(values):.1f}", f"{values.max():.1f}",
        ))  # fmt: skip
    columns = ("encoder", "seeds", "mean", "deviation", "worst seed", "median", "best seed")
    return Table("Test accuracy [%] over seeds, the mean with its 95 % t interval", columns, rows)


@styled
def accuracy_figure(accuracies: Accuracies, styles: Styles, plain: Collection[str]) -> Figure:
    """Test accuracy, one dot per seed, and the mean with its interval; paler where something is changed."""
    figure, (axes,) = new_figure(1, width=8, height=0.9 + 0.45 * len(accuracies))
    for row, (arm, by_seed) in enumerate(accuracies.items()):
        color, alpha = styles[arm].color, 0.7 if arm in plain else 0.3
        mean, low, high = accuracy_interval(list(by_seed.values()))
        axes.scatter(list(by_seed.values()), [row] * len(by_seed), color=color, s=26, alpha=alpha)
        axes.errorbar(mean, row + 0.25, xerr=[[mean - low], [high - mean]], color=color, marker="|", capsize=3)
    mark_rows(axes, [styles[arm].label for arm in accuracies])
    axes.set(xlabel="test accuracy\n(one dot per seed; bars: mean with 95 % interval)")
    return figure
