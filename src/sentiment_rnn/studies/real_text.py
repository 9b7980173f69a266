"""What are memory and order worth on IMDb? By experiments/real_text/protocol.md."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from sentiment_rnn.report.figures import new_figure, styled
from sentiment_rnn.report.p_values import holm, spread_p, welch_p
from sentiment_rnn.report.statistics import (
    Interval,
    accuracy_difference,
    accuracy_interval,
    percent,
    points,
    spread,
)
from sentiment_rnn.report.tables import Table
from sentiment_rnn.studies.kit.correctness import CORRECT, Correct, correct_file, reviews_digest
from sentiment_rnn.studies.kit.encoder_groups import EncoderStyle, Styles, styles_of
from sentiment_rnn.studies.kit.findings import Findings
from sentiment_rnn.studies.kit.learning_rates import validation_accuracy
from sentiment_rnn.studies.kit.measurements import Measurements, read_rows, read_styles
from sentiment_rnn.studies.kit.random_search import (
    SEARCH,
    Draw,
    best_draw,
    read_search,
    search_csv,
    search_figure,
    search_table,
)
from sentiment_rnn.studies.kit.study import Study, Sweep
from sentiment_rnn.studies.kit.verdicts import Verdict, judged, within
from sentiment_rnn.tracking.names import BEST_ACCURACY
from sentiment_rnn.tracking.results import RunResult, results_of_sweeps
from sentiment_rnn.tracking.store import Store

SEEDS = range(10)
MARGIN = 0.01
"""A difference of two mean accuracies that counts as none."""
LEVEL = 0.05
"""Of the tests, all together."""
SHUFFLED = "_shuffled"
"""Ends the name of an arm that reads shuffled words."""
SEARCH_SHUFFLED = "search_shuffled.csv"

Accuracies = Mapping[str, np.ndarray]
"""Test accuracies, float [seeds], by arm."""


class Comparison(NamedTuple):
    """A claim about the mean accuracies of two arms."""

    number: int
    """In the protocol."""
    text: str
    first: str
    second: str
    equal: bool = False
    """The two are to be as good. Else the first is to be better."""

    def difference(self, accuracies: Accuracies) -> Interval:
        """Of the means, first - second."""
        return accuracy_difference(accuracies[self.first], accuracies[self.second])


LSTM_OVER_BAG = Comparison(2, "On IMDb an LSTM is better than a bag of words.", "lstm", "bag")
LSTM_IN_ORDER = Comparison(5, "An LSTM uses the order of the words.", "lstm", "lstm_shuffled")
COMPARISONS = (
    Comparison(1, "On IMDb an LSTM is better than a vanilla RNN.", "lstm", "rnn"),
    LSTM_OVER_BAG,
    Comparison(3, "On IMDb a GRU is as good as an LSTM.", "gru", "lstm", equal=True),
    LSTM_IN_ORDER,
    Comparison(6, "A vanilla RNN uses the order of the words.", "rnn", "rnn_shuffled"),
)
SPREADS = 4
"""Number of the claim that a vanilla RNN depends on its seed more than an LSTM does."""


def measure(store: Store) -> Measurements:
    """Accuracies and correctness of every run, and the searches."""
    results = results_of_sweeps(store, "real_text", "real_text_shuffled")
    rows = [
        (arm_of(run), run.seed, run.metrics[BEST_ACCURACY], float(run.predictions.correct.mean())) for run in results
    ]
    return Measurements.of_rows(
        ("encoder", "seed", BEST_ACCURACY, "test/accuracy"),
        rows,
        styles_by_arm(results),
        {
            CORRECT: correct_file([correct_of(run) for run in results], ("encoder", "seed")),
            SEARCH: search_csv(results_of_sweeps(store, "real_text_search"), validation_accuracy),
            SEARCH_SHUFFLED: search_csv(results_of_sweeps(store, "real_text_search_shuffled"), validation_accuracy),
        },
    )


def arm_of(run: RunResult) -> str:
    """The encoder's name, and whether its words are shuffled."""
    return run.encoder + (SHUFFLED if run.config.data.word_order == "shuffled" else "")


def styles_by_arm(results: Sequence[RunResult]) -> dict[str, EncoderStyle]:
    """Label and colour of each arm: those of its encoder, and what is said of its words."""
    styles, found = styles_of(results), {}
    for run in results:
        label, color = styles[run.encoder]
        arm = arm_of(run)
        found[arm] = EncoderStyle(label + (", shuffled words" if arm.endswith(SHUFFLED) else ""), color)
    return found


def correct_of(run: RunResult) -> Correct:
    """Which test reviews a run read rightly."""
    found = run.predictions
    every = np.full(len(found.labels), True)
    return Correct((arm_of(run), str(run.seed)), found.correct, reviews_digest(found, every))


def findings(folder: Path) -> Findings:
    """Findings from the files."""
    accuracies, styles, draws = read_accuracies(folder), read_styles(folder), read_draws(folder)
    adjusted = adjusted_tests(accuracies)
    return Findings(
        tables=[
            accuracy_table(accuracies, styles, draws),
            comparison_table(accuracies, adjusted, styles),
            search_table(draws, styles, "Best validation accuracy [%] of three epochs"),
        ],
        verdicts=verdicts(accuracies, adjusted, styles),
        figures={"accuracy": accuracy_figure(accuracies, styles), "search": search_figure(draws, styles)},
    )


def read_accuracies(folder: Path) -> dict[str, np.ndarray]:
    """Test accuracies of each arm, of the seeds of the protocol."""
    found: dict[str, list[float]] = {}
    for row in read_rows(folder):
        if int(row["seed"]) in SEEDS:
            found.setdefault(row["encoder"], []).append(float(row["test/accuracy"]))
    return {arm: np.array(values) for arm, values in found.items()}


def read_draws(folder: Path) -> dict[str, list[Draw]]:
    """The draws of each arm."""
    shuffled = read_search(folder, SEARCH_SHUFFLED)
    return read_search(folder) | {arm + SHUFFLED: draws for arm, draws in shuffled.items()}


def adjusted_tests(accuracies: Accuracies) -> dict[int, float]:
    """p values of the protocol's tests by the number of their claim, adjusted by Holm's method; 1 of a single seed."""
    p_values = {
        claim.number: welch_p(accuracies[claim.first], accuracies[claim.second], MARGIN)
        for claim in COMPARISONS if not claim.equal
    }  # fmt: skip
    p_values[SPREADS] = spread_p(accuracies["rnn"], accuracies["lstm"])
    return holm({claim: 1.0 if np.isnan(p) else p for claim, p in p_values.items()})


def verdicts(accuracies: Accuracies, adjusted: Mapping[int, float], styles: Styles) -> list[Verdict]:
    """By the rules of the protocol."""
    found = {claim.number: verdict_on(claim, accuracies, adjusted, styles) for claim in COMPARISONS}
    found[SPREADS] = verdict_on_spreads(accuracies, adjusted[SPREADS], styles)
    return [found[number] for number in sorted(found)]


def verdict_on(claim: Comparison, accuracies: Accuracies, adjusted: Mapping[int, float], styles: Styles) -> Verdict:
    """Whether the first arm is better by more than the margin, or both are as good within it."""
    difference = claim.difference(accuracies)
    one, other = (percent(accuracy_interval(accuracies[arm])) for arm in (claim.first, claim.second))
    evidence = (
        f"{styles[claim.first].label} is right in {one}, {styles[claim.second].label} in {other}: "
        f"{points(difference)} points"
    )
    if claim.equal:
        return Verdict(claim.text, judged(within(difference, MARGIN)), f"{evidence}.")
    p = adjusted[claim.number]
    part = difference.estimate > MARGIN if p <= LEVEL else None
    return Verdict(claim.text, judged(part), f"{evidence}; that it is one point has adjusted p = {p:.2g}.")


def verdict_on_spreads(accuracies: Accuracies, p: float, styles: Styles) -> Verdict:
    """Whether a vanilla RNN's accuracy varies more over seeds than an LSTM's."""
    rnn, lstm = (spread(accuracies[arm]).deviation for arm in ("rnn", "lstm"))
    return Verdict(
        "A vanilla RNN depends on its seed more than an LSTM does.",
        judged(rnn > lstm if p <= LEVEL else None),
        f"Standard deviation of {styles['rnn'].label} {100 * rnn:.1f} points, of {styles['lstm'].label} "
        f"{100 * lstm:.1f}; adjusted p = {p:.2g}.",
    )


def accuracy_table(accuracies: Accuracies, styles: Styles, draws: Mapping[str, Sequence[Draw]]) -> Table:
    """Accuracy of each arm over its seeds, and the learning rate and clipping that its search chose."""
    rows = []
    for arm, values in accuracies.items():
        chosen = best_draw(draws[arm])
        rows.append((
            styles[arm].label, f"{len(values)}", percent(accuracy_interval(values)),
            f"{100 * spread(values).deviation:.1f}", f"{100 * values.min():.1f}", f"{100 * values.max():.1f}",
            f"{chosen.learning_rate:.2g}", f"{chosen.clip:.2g}",
        ))  # fmt: skip
    columns = ("encoder", "seeds", "mean", "deviation", "worst seed", "best seed", "learning rate", "clip")
    return Table("Test accuracy [%] over seeds, the mean with its 95 % t interval", columns, rows)


def comparison_table(accuracies: Accuracies, adjusted: Mapping[int, float], styles: Styles) -> Table:
    """Difference of the means of every claim about two arms, and the adjusted p value of its test."""
    rows = [
        (
            str(claim.number), styles[claim.first].label, styles[claim.second].label,
            points(claim.difference(accuracies)), f"{adjusted[claim.number]:.2g}" if claim.number in adjusted else "",
        )
        for claim in COMPARISONS
    ]  # fmt: skip
    title = (
        "Comparisons: difference of the means [points] with Welch's 95 % interval, and the p value, adjusted by Holm's "
        "method, that it is one point"
    )
    return Table(title, ("claim", "encoder", "against", "difference", "p"), rows)


@styled
def accuracy_figure(accuracies: Accuracies, styles: Styles) -> Figure:
    """Test accuracy, one dot per seed, and the mean with its interval; shuffled words in paler dots."""
    figure, (axes,) = new_figure(1, width=8, height=0.9 + 0.45 * len(accuracies))
    for row, (arm, values) in enumerate(accuracies.items()):
        color, alpha = styles[arm].color, 0.35 if arm.endswith(SHUFFLED) else 0.7
        mean, low, high = accuracy_interval(values)
        axes.scatter(values, np.full(len(values), row), color=color, s=26, alpha=alpha)
        axes.errorbar(mean, row + 0.25, xerr=[[mean - low], [high - mean]], color=color, marker="|", capsize=3)
    axes.set_yticks(range(len(accuracies)), [styles[arm].label for arm in accuracies])
    axes.set_ylim(len(accuracies) - 0.4, -0.6)
    axes.set(xlabel="test accuracy (one dot per seed; bars: mean with 95 % interval)")
    return figure


STUDY = Study(
    name="real_text",
    order=85,
    sweeps=(
        Sweep("real_text_search", chooses_rates=True),
        Sweep("real_text_search_shuffled", chooses_rates=True),
        Sweep("real_text"),
        Sweep("real_text_shuffled"),
    ),
    measure=measure,
    findings=findings,
    protocol=True,
    keeps_correct=True,
)
