"""Which encoders learn to remember, over what distance? The share of seeds, by experiments/learnability/protocol.md."""

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np

from sentiment_rnn.report.p_values import holm, share_p
from sentiment_rnn.report.shares import counted, share_difference
from sentiment_rnn.report.statistics import points
from sentiment_rnn.report.tables import Table, csv_text
from sentiment_rnn.studies.kit.correctness import CORRECT, correct_at_one_distance, correct_file
from sentiment_rnn.studies.kit.encoder_groups import Styles, distance_of, styles_of
from sentiment_rnn.studies.kit.findings import Findings
from sentiment_rnn.studies.kit.learning_times import (
    TIMES,
    learning_time_figure,
    learning_times_csv,
    read_learning_times,
    span_by_steps_table,
)
from sentiment_rnn.studies.kit.learnt_shares import (
    MOST,
    learnt_share_figure,
    learnt_share_table,
    seeds_above,
    share_above,
)
from sentiment_rnn.studies.kit.measurements import Measurements, read_rows, read_styles
from sentiment_rnn.studies.kit.memory_spans import COLUMNS, Scores, accuracy_rows, learnt, read_scores
from sentiment_rnn.studies.kit.random_search import read_search, search_csv, search_figure, search_table
from sentiment_rnn.studies.kit.study import Study, Sweep
from sentiment_rnn.studies.kit.verdicts import Verdict, above, below, judged
from sentiment_rnn.tracking.names import BEST_ACCURACY
from sentiment_rnn.tracking.results import RunResult, results_of_sweeps
from sentiment_rnn.tracking.store import Store

SEARCHES = (20,)
"""Distances at which learning rate and clipping were searched, so far: the protocol has 20 and 100."""
DISTANCES = (5,)
"""Distances that have been run, so far: the protocol has 5, 20, 50, 100, 200 and 400."""
BUDGETS = (450, 900, 1800)
"""Training steps of the table: a quarter, half and all of a run."""
NOT_REACHED = 0
"""In place of a distance that no arm was run at."""
VALIDATION = "validation.csv"
RNNS = ("rnn_uniform", "rnn", "rnn_gain", "rnn_relu")
EQUIVALENT = 0.4
"""Largest difference of two shares that counts as none."""
LEVEL = 0.05
"""Of the tests, all together."""


def measure(store: Store) -> Measurements:
    """Accuracies, which reviews were classified correctly, steps to learn, and the searches."""
    results = results_of_sweeps(store, *(f"learn_{distance}" for distance in DISTANCES))
    files: dict[str, str | bytes] = {
        TIMES: learning_times_csv(results),
        CORRECT: correct_file(list(correct_at_one_distance("learn", results))),
        VALIDATION: csv_text(
            ("encoder", "distance", "seed", BEST_ACCURACY),
            [(run.encoder, distance_of(run), run.seed, run.metrics[BEST_ACCURACY]) for run in results],
        ),
    }
    for distance in SEARCHES:
        searched = results_of_sweeps(store, f"learn_search_{distance}")
        files[search_file(distance)] = search_csv(searched, search_score)
    return Measurements.of_rows(COLUMNS, accuracy_rows("learn", learnt(results)), styles_of(results), files)


def search_file(distance: int) -> str:
    """The file of the search at a distance."""
    return f"search_{distance}.csv"


def search_score(result: RunResult) -> float:
    """Mean validation accuracy over the epochs [%]."""
    return 100 * float(np.mean(result.curve("val/accuracy")[1]))


def findings(folder: Path) -> Findings:
    """Findings from the files."""
    scores, styles, times = read_scores(folder, "learn"), read_styles(folder), read_learning_times(folder)
    validation = read_validation(folder)
    searches = {distance: read_search(folder, search_file(distance)) for distance in SEARCHES}
    return Findings(
        tables=[
            learnt_share_table(scores, styles),
            span_by_steps_table(times, styles, BUDGETS),
            *comparison_tables(comparisons(scores, validation), scores, styles),
            *(
                search_table(draws, styles, f"Mean validation accuracy [%] over four epochs at {distance} tokens")
                for distance, draws in searches.items()
            ),
        ],
        verdicts=[one for one in verdicts(scores, validation, styles) if one.evidence != NOT_RUN],
        figures={
            "shares": learnt_share_figure(scores, styles),
            "steps": learning_time_figure(times, styles),
            **{
                f"search_{distance}": search_figure(draws, styles, "mean validation accuracy [%]")
                for distance, draws in searches.items()
            },
        },
    )


def read_validation(folder: Path) -> dict[tuple[str, int], float]:
    """Median over seeds of the best validation accuracy, by encoder and distance."""
    found: dict[tuple[str, int], list[float]] = {}
    for row in read_rows(folder, VALIDATION):
        found.setdefault((row["encoder"], int(row["distance"])), []).append(float(row[BEST_ACCURACY]))
    return {key: median(values) for key, values in found.items()}


class Comparison(NamedTuple):
    """That one arm learns a distance more often than another."""

    claim: int
    """Its number in the protocol."""
    first: str
    second: str
    distance: int


def comparisons(scores: Scores, validation: Mapping[tuple[str, int], float]) -> dict[Comparison, float]:
    """Fisher's p values, adjusted by Holm's method, of the protocol's comparisons at distances that have been run."""
    beyond = beyond_the_rnn(scores)
    wanted = [Comparison(3, "lstm", "rnn", NOT_REACHED if beyond is None else beyond)]
    for distance in (200, 400):
        best = partial(max, key=lambda arm: validation.get((arm, distance), 0.0))
        wanted.append(Comparison(4, best(a for a in scores if a.startswith("lstm")), best(RNNS), distance))
        wanted.append(Comparison(6, "lstm_chrono", "lstm", distance))
    for distance in (50, 100):
        wanted.append(Comparison(7, "lstm_chrono", "lstm_forget_5", distance))
        wanted.append(Comparison(8, "rnn_gain", "rnn", distance))
    run = {one for one in wanted if one.distance in scores[one.first] and one.distance in scores[one.second]}
    # What has not been run counts among the comparisons from the first, so that later ones change no verdict.
    adjusted = holm({one: share_p(*counts(one, scores)) if one in run else 1.0 for one in sorted(wanted)})
    return {one: p for one, p in adjusted.items() if one in run}


def counts(comparison: Comparison, scores: Scores) -> tuple[int, int, int, int]:
    """Seeds that learn, and of how many, of the first arm and of the second."""
    first, second = (seeds_above(scores[arm][comparison.distance]) for arm in (comparison.first, comparison.second))
    return *first, *second


def beyond_the_rnn(scores: Scores) -> int | None:
    """The shortest distance at which the orthogonal RNN does not learn; None where it learns all that were run."""
    return min((d for d, score in scores["rnn"].items() if not above(share_above(score), MOST)), default=None)


def comparison_tables(adjusted: Mapping[Comparison, float], scores: Scores, styles: Styles) -> list[Table]:
    """Every comparison that was run with its difference in share and its adjusted p value; nothing where none was."""
    rows = [
        (
            str(one.claim), styles[one.first].label, styles[one.second].label, str(one.distance),
            points(share_difference(*counts(one, scores))), f"{p:.2g}",
        )
        for one, p in adjusted.items()
    ]  # fmt: skip
    title = (
        "Comparisons: difference in the share of seeds that learn [points], and Fisher's p adjusted by Holm's method"
    )
    return [Table(title, ("claim", "encoder", "against", "tokens", "difference", "p"), rows)] if rows else []


def verdicts(scores: Scores, validation: Mapping[tuple[str, int], float], styles: Styles) -> list[Verdict]:
    """By the rules of the protocol. A part at a distance that has not been run is open."""
    adjusted = comparisons(scores, validation)

    def learns(arm: str, distance: int) -> bool | None:
        return above(share_above(scores[arm][distance]), MOST) if distance in scores[arm] else None

    def fails(arm: str, distance: int) -> bool | None:
        return below(share_above(scores[arm][distance]), MOST) if distance in scores[arm] else None

    def compared(claim: int, parts: int) -> list[bool | None]:
        found = [direction(one, scores, p) for one, p in adjusted.items() if one.claim == claim]
        return [*found, *[None] * (parts - len(found))]

    def of_two(claim: int, text: str) -> Verdict:
        return Verdict(text, judged(*compared(claim, 2)), comparison_text(adjusted, claim, scores, styles) or NOT_RUN)

    short, long = ("rnn",), (100, 200, 400)
    return [
        Verdict(
            "A vanilla RNN has a good short-term memory.",
            judged(*(learns("rnn", distance) for distance in (5, 20))),
            seeds_text(scores, styles, short, (5, 20)),
        ),
        Verdict(
            "A vanilla RNN has a bad long-term memory.",
            judged(*(fails(arm, distance) for arm in RNNS for distance in long)),
            seeds_text(scores, styles, RNNS, long),
        ),
        Verdict(
            "An LSTM with the usual initialization remembers further than a vanilla RNN.",
            judged(*compared(3, 1)),
            comparison_text(adjusted, 3, scores, styles) or "The orthogonal RNN learns every distance that was run.",
        ),
        of_two(4, "With the best initialization of each, an LSTM remembers further than a vanilla RNN."),
        Verdict(
            "A GRU does what an LSTM does.",
            judged(*(equivalent(scores, "gru", "lstm", distance) for distance in (50, 100))),
            seeds_text(scores, styles, ("gru", "lstm"), (50, 100)),
        ),
        of_two(6, "The initialization decides how far an LSTM remembers."),
        of_two(7, "Open forget gates alone do not make an LSTM learn."),
        of_two(8, "It is enough that the gradient does not vanish at first."),
    ]


NOT_RUN = "Its distances have not been run."
"""Evidence of a claim that is left out of the findings."""


def direction(comparison: Comparison, scores: Scores, p: float) -> bool | None:
    """Whether the first arm learns more often; None where the test does not decide."""
    first, of_first, second, of_second = counts(comparison, scores)
    return None if p > LEVEL else first / of_first > second / of_second


def equivalent(scores: Scores, first: str, second: str, distance: int) -> bool | None:
    """Whether two arms learn a distance about as often; None where the interval does not decide, or it was not run."""
    if distance not in scores[first] or distance not in scores[second]:
        return None
    found = share_difference(*seeds_above(scores[first][distance]), *seeds_above(scores[second][distance]))
    if found.low > -EQUIVALENT and found.high < EQUIVALENT:
        return True
    return False if found.low > EQUIVALENT or found.high < -EQUIVALENT else None


def seeds_text(scores: Scores, styles: Styles, arms: Iterable[str], distances: Iterable[int]) -> str:
    """`At 5 tokens 20/20 (83 to 100 %) seeds of RNN, orthogonal learn.`, for each arm and distance that was run."""
    found = [
        f"{counted(*seeds_above(scores[arm][distance]))} of {styles[arm].label} at {distance} tokens"
        for arm in arms for distance in distances if distance in scores[arm]
    ]  # fmt: skip
    return f"Seeds that learn: {'; '.join(found)}." if found else NOT_RUN


def comparison_text(adjusted: Mapping[Comparison, float], claim: int, scores: Scores, styles: Styles) -> str:
    """`At 100 tokens 18/20 (…) seeds of LSTM learn, and 3/20 (…) of RNN (p = 0.001).`, for each of a claim."""
    found = []
    for one, p in adjusted.items():
        if one.claim == claim:
            first, of_first, second, of_second = counts(one, scores)
            found.append(
                f"At {one.distance} tokens {counted(first, of_first)} seeds of {styles[one.first].label} learn, and "
                f"{counted(second, of_second)} of {styles[one.second].label} (p = {p:.2g})."
            )
    return " ".join(found)


STUDY = Study(
    name="learnability",
    order=15,
    sweeps=(
        *(Sweep(f"learn_search_{distance}", chooses_rates=True) for distance in SEARCHES),
        *(Sweep(f"learn_{distance}") for distance in DISTANCES),
    ),
    measure=measure,
    findings=findings,
    protocol=True,
    keeps_correct=True,
)
