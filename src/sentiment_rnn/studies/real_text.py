"""What are memory and the order of words worth on IMDb? By experiments/real_text/protocol.md."""

from collections.abc import Mapping, Sequence
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
    Claim,
    Pair,
    adjusted_tests,
    comparison_tables,
    mean_score,
    verdicts_on,
)
from sentiment_rnn.studies.kit.measurements import Measurements, read_rows, read_styles
from sentiment_rnn.studies.kit.random_search import (
    Draw,
    read_search,
    search_csv,
    search_figure,
    search_table,
    validation_accuracy,
)
from sentiment_rnn.studies.kit.study import Study, Sweep
from sentiment_rnn.studies.kit.sweep_runs import compared_and_searched
from sentiment_rnn.studies.kit.verdicts import Verdict, undecided
from sentiment_rnn.tracking.names import BEST_ACCURACY
from sentiment_rnn.tracking.results import RunResult
from sentiment_rnn.tracking.store import Store

SEEDS = range(20, 30)
MARGIN = 0.01
"""A difference in accuracy that counts as none."""
NEAR, WHOLE = 20, 400
"""`data.shuffle_span` of the arms that read shuffled words: neighbors, and all."""
NEIGHBORS_SHUFFLED = f"lstm_shuffled_{NEAR}"
"""Arm of an LSTM that reads neighboring words in any order."""
KEYS = ("encoder", "seed")
"""Columns that tell runs apart; an arm is called an encoder there."""

Accuracies = Mapping[str, BySeed]
"""Test accuracies by arm and seed."""

AGAINST_BAG = Claim(2, "On IMDb an LSTM is better than a bag of words.", (Pair("lstm", "bag"),), MARGIN)
CLAIMS = (
    Claim(1, "On IMDb an LSTM is better than a vanilla RNN.", (Pair("lstm", "rnn"),), MARGIN),
    AGAINST_BAG,
    Claim(3, "On IMDb a GRU is as good as an LSTM.", (Pair("gru", "lstm"),), MARGIN, equal=True),
    Claim(
        4, "The order of neighboring words is worth more than a point to an LSTM.",
        (Pair("lstm", NEIGHBORS_SHUFFLED),), MARGIN,
    ),
    Claim(
        5, "Where in a review words stand is worth more than a point to an LSTM.",
        (Pair(NEIGHBORS_SHUFFLED, f"lstm_shuffled_{WHOLE}"),), MARGIN,
    ),
)  # fmt: skip


def measure(store: Store, sweeps: Sequence[Sweep]) -> Measurements:
    """Accuracies and correctness of the runs of these sweeps, and the draws of those that choose rates."""
    results, searched = compared_and_searched(store, sweeps)
    files: dict[str, str | bytes] = {
        CORRECT: correct_file([correct_of(run, (arm_of(run), str(run.seed))) for run in results], KEYS)
    }
    for span in sorted({span_of(run) for run in searched}):
        files[search_file(span)] = search_csv((run for run in searched if span_of(run) == span), validation_accuracy)
    rows = [
        (
            arm_of(run), run.seed, run.learning_rate, float(run.config.optimizer.gradient_clip_norm),
            run.metrics[BEST_ACCURACY], float(run.predictions.correct.mean()),
        )
        for run in results
    ]  # fmt: skip
    columns = (*KEYS, "peak_rate", "clip_norm", BEST_ACCURACY, "test/accuracy")
    return Measurements.of_rows(columns, rows, styles_by_arm([*results, *searched]), files)


def span_of(run: RunResult) -> int:
    """Tokens of the stretches that a run shuffles; 0 for none."""
    return int(run.config.data.shuffle_span)


def arm_named(encoder: str, span: int) -> str:
    """An encoder, and how far it is from reading words in order."""
    return f"{encoder}_shuffled_{span}" if span else encoder


def arm_of(run: RunResult) -> str:
    """The arm that a run is of."""
    return arm_named(run.encoder, span_of(run))


def styles_by_arm(results: Sequence[RunResult]) -> dict[str, EncoderStyle]:
    """Label and colour of each arm: those of its encoder, and what is said of its words."""
    styles, found = styles_of(results), {}
    for run in results:
        label, color = styles[run.encoder]
        span = span_of(run)
        words = "" if not span else ", all shuffled" if span >= WHOLE else f", shuffled within {span}"
        found[arm_of(run)] = EncoderStyle(label + words, color)
    return found


def search_file(span: int) -> str:
    """The file of the search of runs that shuffle stretches of so many tokens."""
    return f"search_shuffled_{span}.csv" if span else "search.csv"


def findings(folder: Path) -> Findings:
    """Findings from the files; where only searches have been run, theirs.

    Raises:
        UserError: a file is missing or damaged.
    """
    accuracies, styles, draws = read_accuracies(folder), read_styles(folder), read_draws(folder)
    tables = [search_table(draws, styles, "Best validation accuracy [%] of three epochs")] if draws else []
    figures = {"search": search_figure(draws, styles)} if draws else {}
    if not accuracies:
        return Findings(tables, [], figures)
    scores = {ALL: accuracies}
    adjusted = adjusted_tests(CLAIMS, scores)
    return Findings(
        tables=[accuracy_table(accuracies, styles), *comparison_tables(CLAIMS, adjusted, scores, styles), *tables],
        verdicts=verdicts(adjusted, accuracies, styles),
        figures={"accuracy": accuracy_figure(accuracies, styles), **figures},
    )


def read_accuracies(folder: Path) -> dict[str, dict[int, float]]:
    """Test accuracies of each arm; of seeds that are not the protocol's, none. An arm with fewer seeds than another is
    left out: it is not whole yet.

    Raises:
        UserError: the file is missing or damaged.
    """
    found: dict[str, dict[int, float]] = {}
    for row in read_rows(folder):
        if int(row["seed"]) in SEEDS:
            found.setdefault(row["encoder"], {})[int(row["seed"])] = float(row["test/accuracy"])
    most = max(found.values(), key=len, default={}).keys()
    return {arm: by_seed for arm, by_seed in found.items() if by_seed.keys() == most}


def read_draws(folder: Path) -> dict[str, list[Draw]]:
    """The draws of each arm that was searched."""
    return {
        arm_named(encoder, span): draws
        for span in (0, NEAR, WHOLE) if (folder / search_file(span)).is_file()
        for encoder, draws in read_search(folder, search_file(span)).items()
    }  # fmt: skip


def verdicts(adjusted: Adjusted, accuracies: Accuracies, styles: Styles) -> list[Verdict]:
    """By the rules of the protocol; a claim of an arm that was not run is left out."""
    found = verdicts_on(CLAIMS, adjusted, {ALL: accuracies}, styles)
    return undecided(found, len(SEEDS) - min(map(len, accuracies.values())))


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
def accuracy_figure(accuracies: Accuracies, styles: Styles) -> Figure:
    """Test accuracy, one dot per seed, and the mean with its interval; paler where words are shuffled."""
    figure, (axes,) = new_figure(1, width=8, height=0.9 + 0.45 * len(accuracies))
    for row, (arm, by_seed) in enumerate(accuracies.items()):
        color, alpha = styles[arm].color, 0.3 if "_shuffled_" in arm else 0.7
        mean, low, high = accuracy_interval(list(by_seed.values()))
        axes.scatter(list(by_seed.values()), [row] * len(by_seed), color=color, s=26, alpha=alpha)
        axes.errorbar(mean, row + 0.25, xerr=[[mean - low], [high - mean]], color=color, marker="|", capsize=3)
    mark_rows(axes, [styles[arm].label for arm in accuracies])
    axes.set(xlabel="test accuracy (one dot per seed; bars: mean with 95 % interval)")
    return figure


SWEEPS = (
    Sweep("real_text_search", chooses_rates=True),
    Sweep("real_text_search_shuffled", chooses_rates=True),
    Sweep("real_text"),
    Sweep(f"real_text_shuffled_{NEAR}"),
    Sweep(f"real_text_shuffled_{WHOLE}"),
)


STUDY = Study(
    name="real_text",
    order=85,
    sweeps=SWEEPS,
    measure=partial(measure, sweeps=SWEEPS),
    measure_part=measure,
    findings=findings,
    protocol=True,
    keeps_correct=True,
)
