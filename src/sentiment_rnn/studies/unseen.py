"""Does what is learned over short distances last over longer ones? By experiments/unseen/protocol.md."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from sentiment_rnn.report.shares import counted
from sentiment_rnn.report.statistics import bounded_interval, percent
from sentiment_rnn.report.tables import Table
from sentiment_rnn.studies.kit.counted_seeds import MIXED, counting_study, read_seeds, search_findings
from sentiment_rnn.studies.kit.encoder_groups import Styles
from sentiment_rnn.studies.kit.findings import Findings
from sentiment_rnn.studies.kit.learnt_shares import (
    learns,
    learnt_share_lines,
    learnt_share_table,
    seeds_above,
    was_run,
)
from sentiment_rnn.studies.kit.scores import REMEMBERS, Score, Scores
from sentiment_rnn.studies.kit.share_comparisons import (
    Adjusted,
    Claim,
    Pair,
    adjusted_tests,
    comparison_tables,
    verdicts_on,
)
from sentiment_rnn.studies.kit.study import Sweep
from sentiment_rnn.studies.kit.verdicts import Verdict, judged, undecided

TRAINED, UNSEEN = (2, 5, 10, 20, 50), (100, 200, 400)
"""Distances, in tokens."""
SEEDS = range(20)
CARRY = "carry it"
LASTING = {
    "rnn": "What a vanilla RNN has learned over short distances lasts over longer ones.",
    "gru": "What a GRU has learned over short distances lasts over longer ones.",
    "lstm": "What an LSTM has learned over short distances lasts over longer ones.",
}
"""Claims 1 to 3, by arm."""
COMPARISONS = tuple(
    Claim(number, text, tuple(Pair(first, second, distance) for distance in UNSEEN))
    for number, text, first, second in (
        (4, "It lasts longer in an LSTM than in a vanilla RNN.", "lstm", "rnn"),
        (5, "It lasts longer in an LSTM that is initialized for longer distances.", "lstm_chrono", "lstm_chrono_50"),
        (6, "It lasts longer in a tanh RNN than in a ReLU RNN.", "rnn", "rnn_relu"),
    )
)


def findings(folder: Path) -> Findings:
    """Findings from the files; where only the search has been run, its."""
    every, styles, *_, missing = read_seeds(folder, SEEDS, MIXED)
    searches = search_findings(folder, styles, "up to")
    if not every:
        return searches
    carried = of_learners(every)
    adjusted = adjusted_tests(COMPARISONS, carried)
    return Findings(
        tables=[
            carried_table(every, carried, styles),
            accuracy_table(carried, styles),
            *comparison_tables(adjusted, carried, styles, CARRY),
            learnt_share_table(every, styles),
            *searches.tables,
        ],
        verdicts=undecided(verdicts(adjusted, carried, styles), missing),
        figures={"carried": carried_figure(carried, styles), **searches.figures},
    )


def of_learners(every: Scores) -> Scores:
    """The scores of the seeds that learn: those that remember at each distance that they were trained at. An arm
    of which none does is left out."""
    found: Scores = {}
    for arm, by_distance in every.items():
        learn = np.all([by_distance[distance].accuracies > REMEMBERS for distance in TRAINED], axis=0)
        if learn.any():
            found[arm] = {
                distance: Score(score.accuracies[learn], tuple(np.array(score.seeds)[learn].tolist()))
                for distance, score in by_distance.items()
            }
    return found


def verdicts(adjusted: Adjusted, carried: Scores, styles: Styles) -> list[Verdict]:
    """By the rules of the protocol.

    Args:
        carried: the scores of the seeds that learn.
    """
    lasting = [
        Verdict(claim, judged(*(learns(carried, arm, d) for d in UNSEEN)), carried_text(carried, styles, arm))
        for arm, claim in LASTING.items()
    ]
    compared = []
    for claim, verdict in zip(
        COMPARISONS, verdicts_on(COMPARISONS, adjusted, carried, styles, verb=CARRY), strict=True
    ):
        if not verdict.evidence:
            first, second, _ = claim.pairs[0]  # of all its pairs
            verdict = replace(verdict, evidence=nothing_learned(carried, styles, first, second))
        compared.append(verdict)
    return lasting + compared


def nothing_learned(carried: Scores, styles: Styles, *arms: str) -> str:
    """`No seed of RNN learns.`, for those of the arms that have nothing to carry."""
    return " ".join(f"No seed of {styles[arm].label} learns." for arm in arms if arm not in carried)


def carried_text(carried: Scores, styles: Styles, arm: str) -> str:
    """`Of the seeds of GRU that learn, 20/20 (83 to 100 %) carry 100 tokens, …`"""
    if arm not in carried:
        return nothing_learned(carried, styles, arm)
    shares = ", ".join(f"{counted(*seeds_above(carried[arm][d]))} carry {d} tokens" for d in UNSEEN)
    return f"Of the seeds of {styles[arm].label} that learn, {shares}."


def carried_table(every: Scores, carried: Scores, styles: Styles) -> Table:
    """How many seeds of each arm learn, and how many of those carry each unseen distance."""
    rows = []
    for arm, by_distance in every.items():
        seeds = len(by_distance[TRAINED[0]].seeds)
        learn = len(carried[arm][TRAINED[0]].seeds) if arm in carried else 0
        cells = [counted(*seeds_above(carried[arm][d])) if was_run(carried, arm, d) else "" for d in UNSEEN]
        rows.append((styles[arm].label, counted(learn, seeds), *cells))
    title = (
        f"Seeds that learn {TRAINED[0]} to {TRAINED[-1]} tokens, and how many of those carry distances that training "
        "never saw [tokens], with exact 95 % intervals"
    )
    return Table(title, ("encoder", "learn", *map(str, UNSEEN)), rows)


def accuracy_table(carried: Scores, styles: Styles) -> Table:
    """Mean accuracy of the seeds that learn at the longest trained and the unseen distances."""
    shown = (TRAINED[-1], *UNSEEN)
    rows = [
        (styles[arm].label, *(percent(bounded_interval(by_distance[d].accuracies)) for d in shown))
        for arm, by_distance in carried.items()
    ]
    title = (
        "Mean test accuracy of the seeds that learn, by distance [tokens], with a 95 % interval that assumes nothing "
        "but values from 0 to 1"
    )
    return Table(title, ("encoder", *map(str, shown)), rows)


def carried_figure(carried: Scores, styles: Styles) -> Figure:
    """Of the seeds that learn, the share that carries each distance, with exact intervals; those of training shaded."""
    figure = learnt_share_lines(carried, styles, carried)
    (axes,) = figure.axes
    axes.axvspan(0.9 * TRAINED[0], 1.1 * TRAINED[-1], color="#F0F0F0", zorder=0)
    axes.set_title("Of the seeds that learn (shaded: the distances of training)", fontsize="medium")
    return figure


STUDY = counting_study(
    "unseen",
    order=22,
    sweeps=(Sweep("unseen_search", chooses_rates=True), Sweep("unseen")),
    findings=findings,
    setting=MIXED,
)
