"""Which encoders learn to remember, over what distance? The share of seeds, by experiments/learnability/protocol.md."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

from sentiment_rnn.report.tables import csv_text
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
    NOT_RUN,
    fails,
    learns,
    learnt_share_figure,
    learnt_share_table,
    seeds_text,
)
from sentiment_rnn.studies.kit.measurements import Measurements, read_rows, read_styles
from sentiment_rnn.studies.kit.memory_spans import COLUMNS, Scores, accuracy_rows, learnt, read_scores
from sentiment_rnn.studies.kit.random_search import read_search, search_csv, search_figure, search_table
from sentiment_rnn.studies.kit.share_comparisons import (
    Adjusted,
    Comparison,
    compare_shares,
    comparison_tables,
    comparison_text,
    equivalent,
    parts_of,
)
from sentiment_rnn.studies.kit.study import Study, Sweep
from sentiment_rnn.studies.kit.verdicts import Verdict, judged
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


def comparisons(scores: Scores, validation: Mapping[tuple[str, int], float]) -> Adjusted:
    """The protocol's comparisons."""
    beyond = beyond_the_rnn(scores)
    wanted = [Comparison(3, "lstm", "rnn", NOT_REACHED if beyond is None else beyond)]
    for distance in (200, 400):
        best = partial(max, key=lambda arm: validation.get((arm, distance), 0.0))
        wanted.append(Comparison(4, best(a for a in scores if a.startswith("lstm")), best(RNNS), distance))
        wanted.append(Comparison(6, "lstm_chrono", "lstm", distance))
    for distance in (50, 100):
        wanted.append(Comparison(7, "lstm_chrono", "lstm_forget_5", distance))
        wanted.append(Comparison(8, "rnn_gain", "rnn", distance))
    return compare_shares(wanted, scores)


def beyond_the_rnn(scores: Scores) -> int | None:
    """The shortest distance at which the orthogonal RNN does not learn; None where it learns all that were run."""
    return min((distance for distance in scores["rnn"] if not learns(scores, "rnn", distance)), default=None)


def verdicts(scores: Scores, validation: Mapping[tuple[str, int], float], styles: Styles) -> list[Verdict]:
    """By the rules of the protocol. A part at a distance that has not been run is open."""
    adjusted = comparisons(scores, validation)

    def of_two(claim: int, text: str) -> Verdict:
        return Verdict(
            text,
            judged(*parts_of(adjusted, scores, claim, 2)),
            comparison_text(adjusted, claim, scores, styles) or NOT_RUN,
        )

    short, long = ("rnn",), (100, 200, 400)
    return [
        Verdict(
            "A vanilla RNN has a good short-term memory.",
            judged(*(learns(scores, "rnn", distance) for distance in (5, 20))),
            seeds_text(scores, styles, short, (5, 20)),
        ),
        Verdict(
            "A vanilla RNN has a bad long-term memory.",
            judged(*(fails(scores, arm, distance) for arm in RNNS for distance in long)),
            seeds_text(scores, styles, RNNS, long),
        ),
        Verdict(
            "An LSTM with the usual initialization remembers further than a vanilla RNN.",
            judged(*parts_of(adjusted, scores, 3, 1)),
            comparison_text(adjusted, 3, scores, styles) or "The orthogonal RNN learns every distance that was run.",
        ),
        of_two(4, "With the best initialization of each, an LSTM remembers further than a vanilla RNN."),
        Verdict(
            "A GRU does what an LSTM does.",
            judged(*(equivalent(scores, "gru", "lstm", distance, EQUIVALENT) for distance in (50, 100))),
            seeds_text(scores, styles, ("gru", "lstm"), (50, 100)),
        ),
        of_two(6, "The initialization decides how far an LSTM remembers."),
        of_two(7, "Open forget gates alone do not make an LSTM learn."),
        of_two(8, "It is enough that the gradient does not vanish at first."),
    ]


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
