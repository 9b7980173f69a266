"""The lesson in short: short, long and longer memory, cause, cure, memory of real text, and what it is worth there.

Each row has one claim with its verdict, the number behind it, and what it was shown with. They come from the files of
the studies.
"""

import json
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sentiment_rnn.report.shares import counted
from sentiment_rnn.report.statistics import BySeed
from sentiment_rnn.report.tables import Table
from sentiment_rnn.studies import causes, filler, learnability, long_range, mid_range, steady_rate
from sentiment_rnn.studies.filler.claims import FORGETS, MARGIN
from sentiment_rnn.studies.kit.arm_accuracies import read_accuracies
from sentiment_rnn.studies.kit.counted_seeds import read_seeds
from sentiment_rnn.studies.kit.findings import VERDICTS
from sentiment_rnn.studies.kit.learnt_shares import counted_text, seeds_text, was_run
from sentiment_rnn.studies.kit.margin_comparisons import mean_score
from sentiment_rnn.studies.kit.measurements import read_styles, reading
from sentiment_rnn.studies.kit.protocol import read_provenance
from sentiment_rnn.studies.real_text import AGAINST_BAG, NEIGHBORS_SHUFFLED, SEEDS

LEADING_FIGURE = "answer.png"
"""Of own_rate."""


class Row(NamedTuple):
    """One row of the answer."""

    question: str
    claim: str
    verdict: str
    number: str
    """With its interval."""
    shown_with: str
    """Seeds, arithmetic, processors."""
    study: str
    """Its folder of `experiments/`."""
    still_open: str = ""
    """What of the claim was not run."""


class CountedClaim(NamedTuple):
    """A claim of a study that counts seeds."""

    question: str
    study: str
    claim: str
    planned: Collection[int]
    """Seeds of an arm, by the protocol."""
    arms: tuple[str, ...]
    distances: tuple[int, ...]
    """Of the claim."""
    sweep: str
    """Its sweep at a distance, which stands for `{}`."""
    shown: tuple[int, ...] = ()
    """Distances of the number; the longest that was run where none are named."""
    beside: tuple[str, ...] = ()
    """Arms that the claim is not about, shown behind its own."""


SHORT = CountedClaim(
    "short memory", "learnability", "A vanilla RNN has a good short-term memory.",
    learnability.SEEDS, ("rnn",), (5, 20), "learn_{}", beside=("rnn_uniform",),
)  # fmt: skip
LONG = CountedClaim(
    "long memory", "learnability", "A vanilla RNN has a bad long-term memory.",
    learnability.SEEDS, ("rnn", "rnn_relu"), (100, 200, 400), "learn_{}", shown=(100,),
)  # fmt: skip
LONGER = CountedClaim(
    "longer memory", "long_range", long_range.BEST_AGAINST_BEST,
    long_range.SEEDS, ("rnn", "rnn_relu", "gru", "lstm_chrono"), (long_range.DISTANCE,), "long_range",
)  # fmt: skip
CAUSE = CountedClaim(
    "cause", "causes", "Without a gradient that reaches the clause, an LSTM does not learn it.",
    causes.SEEDS, ("lstm_chrono", "lstm_truncated_10", "lstm_truncated_50", "lstm_truncated_200"), causes.DISTANCES,
    "causes_{}",
)  # fmt: skip
CURE = CountedClaim(
    "cure", "causes", "The gradient goes along the cell.",
    causes.SEEDS, ("lstm_chrono", "lstm_detach_cell"), causes.DISTANCES, "causes_{}",
)  # fmt: skip
BESIDE = ("rnn", NEIGHBORS_SHUFFLED)
"""Arms of real_text that the row of real text shows beside those of its claim."""


def answer(experiments: Path) -> list[Row]:
    """The rows; one whose claim has not been judged is left out.

    Raises:
        UserError: a file of a study is missing or damaged.
    """
    rows = [
        counted_row(experiments, SHORT),
        long_memory(experiments),
        counted_row(experiments, LONGER),
        counted_row(experiments, CAUSE),
        counted_row(experiments, CURE),
        memory_of_real_text(experiments),
        real_text(experiments),
    ]
    return [row for row in rows if row]


def counted_row(experiments: Path, asked: CountedClaim) -> Row | None:
    """The row of a claim of a study that counts seeds; None where none of its distances was run."""
    folder = experiments / asked.study
    if (verdict := verdicts_of(folder).get(asked.claim)) is None:
        return None
    scores, styles, *_ = read_seeds(folder, asked.planned)
    run = [d for d in asked.distances if any(was_run(scores, arm, d) for arm in asked.arms)]
    if not run:
        return None
    shown = [distance for distance in run if distance in asked.shown] or run[-1:]
    seeds = {len(scores[arm][shown[-1]].seeds) for arm in asked.arms if was_run(scores, arm, shown[-1])}
    shown_with = conditions(folder, [min(seeds)], asked.sweep.format(shown[-1]))
    number = seeds_text(scores, styles, asked.arms, shown)
    if beside := counted_text(scores, styles, asked.beside, shown):
        number += f" Not meant by the claim: {beside}."
    not_run = " and ".join(str(distance) for distance in asked.distances if distance not in run)
    still_open = f"{not_run} tokens were not run" if not_run else ""
    return Row(asked.question, asked.claim, verdict["verdict"], number, shown_with, asked.study, still_open)


def long_memory(experiments: Path) -> Row | None:
    """The row of long memory. Behind its number stands that of mid_range, which had twice the draws."""
    row, folder = counted_row(experiments, LONG), experiments / mid_range.STUDY.name
    if row is None or mid_range.RNN_FAILS not in verdicts_of(folder):
        return row
    scores, styles, *_ = read_seeds(folder, mid_range.SEEDS)
    said = counted_text(scores, styles, (mid_range.RNN, mid_range.LSTM, mid_range.CHRONO), LONG.shown)
    return row._replace(number=f"{row.number} With the best of sixteen draws there ({folder.name}): {said}.")


def memory_of_real_text(experiments: Path) -> Row | None:
    """The row of what is left of a review after neutral tokens."""
    folder = experiments / filler.STUDY.name
    if (asked := verdicts_of(folder).get(FORGETS["rnn"])) is None:
        return None
    losing, styles = filler.losing_seeds(folder), read_styles(folder)
    said = "; ".join(f"{counted(*seeds)} of {styles[arm].label}" for arm, seeds in losing.items() if seeds[1])
    shown_with = conditions(folder, (of for _, of in losing.values()), filler.SWEEP)
    number = f"Seeds that lose more than {100 * MARGIN:g} points of what their state knew, by place: {said}."
    return Row("memory of real text", asked["claim"], asked["verdict"], number, shown_with, folder.name)


def real_text(experiments: Path) -> Row | None:
    """The row of IMDb: an LSTM against a bag of words; beside them an RNN, and an LSTM that reads shuffled words.

    Seeds of the RNN can fail, so it has their range in place of a mean. It is also there with the draw that several
    seeds chose, where that was run.
    """
    folder = experiments / "real_text"
    if (asked := verdicts_of(folder).get(AGAINST_BAG.text)) is None:
        return None
    accuracies, styles = read_accuracies(folder, SEEDS), read_styles(folder)
    (pair,) = AGAINST_BAG.pairs
    arms = [arm for arm in (pair.first, pair.second, *BESIDE) if arm in accuracies]
    said = {arm: f"{mean_score(accuracies[arm])} with {styles[arm].label}" for arm in arms}
    if "rnn" in said:
        said["rnn"] = f"{range_of(accuracies['rnn'])} with {styles['rnn'].label}"
        again = experiments / steady_rate.STUDY.name
        if steady_rate.LSTM_AHEAD in verdicts_of(again):
            steady = range_of(read_accuracies(again, SEEDS)["rnn"])
            said["rnn"] += f" and the draw that one seed chose, {steady} with that of three"
    number = "; ".join(said.values())
    shown_with = conditions(folder, [len(accuracies[pair.first])], "real_text")
    return Row("real text", asked["claim"], asked["verdict"], f"Test accuracy: {number}.", shown_with, folder.name)


def range_of(by_seed: BySeed) -> str:
    """`54.6 to 84.6 % (median 75.8)`, over seeds."""
    worst, middle, best = (100 * number for number in np.quantile(list(by_seed.values()), (0, 0.5, 1)))
    return f"{worst:.1f} to {best:.1f} % (median {middle:.1f})"


def conditions(folder: Path, seeds: Iterable[int], sweep: str) -> str:
    """`20 seeds, float32, AMD EPYC`: how a sweep of a study ran. Arms can have `9 and 10 seeds`."""
    parts = [part for part in read_provenance(folder)[1] if part["sweep"] == sweep]
    precisions = sorted({precision for part in parts for precision in part["precisions"]})
    processors = sorted({processor for part in parts for processor in part["processors"]})
    counts = " and ".join(map(str, sorted(set(seeds))))
    return f"{counts} seeds, {' and '.join(precisions)}, {' and '.join(processors)}"


@reading
def verdicts_of(folder: Path) -> dict[str, dict[str, str]]:
    """The verdicts of a study by their claim; none where it has not run. Raises `UserError` for a damaged file."""
    path = folder / VERDICTS
    if not path.is_file():
        return {}
    return {found["claim"]: found for found in json.loads(path.read_text(encoding="utf-8"))}


def answer_table(rows: list[Row], experiments: str) -> Table:
    """The rows for a document.

    Args:
        experiments: address of the folder of the studies, as the document has it.
    """
    return Table(
        "The lesson in short",
        ("question", "claim", "verdict", "number", "shown with", "more"),
        [
            (
                row.question,
                row.claim,
                f"**{row.verdict}**" + (f"; {row.still_open}" if row.still_open else ""),
                row.number,
                row.shown_with,
                f"[{row.study}]({experiments}/{row.study})",
            )
            for row in rows
        ],
    )
