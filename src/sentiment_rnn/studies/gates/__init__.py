"""What the gates do while an LSTM reads, by experiments/gates/protocol.md."""

from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from sentiment_rnn import runtime
from sentiment_rnn.report.shares import counted
from sentiment_rnn.report.statistics import with_bounds
from sentiment_rnn.report.tables import Table
from sentiment_rnn.runs.restored import best, data_of
from sentiment_rnn.studies.gates.claims import HOLDERS, half_life, seeds_that_keep, verdicts
from sentiment_rnn.studies.gates.explorer import explore
from sentiment_rnn.studies.gates.figures import DRAWN, gate_figure, running_figure, saturation_figure
from sentiment_rnn.studies.gates.measurements import (
    COLUMNS,
    HALF_LIFE,
    LONGER_HALF_LIFE,
    OPEN,
    PROBABILITY,
    RUNNING,
    SHUT,
    UNITS,
    Values,
    measure_rows,
    read_values,
)
from sentiment_rnn.studies.gates.readers import GATES, LONGEST, SHARES, TEST_REVIEWS, readers_of
from sentiment_rnn.studies.kit.encoder_groups import Styles, styles_of
from sentiment_rnn.studies.kit.findings import Findings, least_to_most, mean_of
from sentiment_rnn.studies.kit.measurements import Measurements, read_styles
from sentiment_rnn.studies.kit.planned_runs import GENERATED, IMDB, planned_runs
from sentiment_rnn.studies.kit.scores import REMEMBERS
from sentiment_rnn.studies.kit.study import Study, Sweep
from sentiment_rnn.studies.kit.verdicts import undecided
from sentiment_rnn.tracking.results import RunResult, results_of_sweeps, validation_rank
from sentiment_rnn.tracking.store import Store

ON_IMDB, ON_GENERATED = "real_text", "unseen"
"""The sweeps whose models read."""
READ_IMDB = ("rnn", "lstm")
SEEDS = {IMDB: range(20, 30), GENERATED: range(20)}
"""Of the protocol, by reviews."""
SAID = {
    "weather": "the weather is hot today", "liked": "i really liked the movie", "cinema": "liked … but … the cinema",
    "hated": "i really hated the movie", "cinema, hated": "hated … but … the cinema",
}  # fmt: skip
"""What a table calls the texts after which it gives a probability."""


def measure(store: Store, _: Sequence[Sweep]) -> Measurements:
    """What the gates of the LSTMs do, and what the models of IMDb say."""
    runtime.prepare(runtime.cores())
    imdb = planned_runs(results_of_sweeps(store, ON_IMDB), READ_IMDB, SEEDS[IMDB])
    holders = that_hold(planned_runs(results_of_sweeps(store, ON_GENERATED), HOLDERS, SEEDS[GENERATED]))
    runs = [*((run, IMDB) for run in imdb), *((run, GENERATED) for run in holders)]
    readers = [
        reader for run in tqdm(runs, "Reading", unit=" runs", disable=None, leave=False) for reader in readers_of(*run)
    ]
    chosen = {arm: min((run for run in imdb if run.encoder == arm), key=validation_rank) for arm in READ_IMDB}
    models = {arm: best(run) for arm, run in chosen.items()}
    trained = [reader for reader in readers if reader.trained]
    on_imdb = [reader for reader in trained if reader.corpus == IMDB]
    styles = styles_of([*imdb, *holders])
    return Measurements.of_rows(
        COLUMNS,
        measure_rows(readers),
        styles,
        {"explorer.json": explore(models, data_of(chosen["lstm"]).corpus.tokenizer, DRAWN)},
        {
            "gates": gate_figure(next(one for one in on_imdb if one.encoder == "lstm"), styles["lstm"].label),
            "saturation": saturation_figure([reader for reader in on_imdb if reader.saturation], styles),
            "saturation_400": saturation_figure([one for one in trained if one.corpus == GENERATED], styles),
            "running": running_figure(on_imdb, styles),
        },
    )


def that_hold(results: Sequence[RunResult]) -> list[RunResult]:
    """The runs that are right in more than 90 % of the test reviews at the distance `LONGEST`."""
    return [
        run for run in results
        if run.predictions.correct[run.predictions.distances == LONGEST].mean() > REMEMBERS
    ]  # fmt: skip


def findings(folder: Path) -> Findings:
    """Findings from the measures of the gates; none where no seed of the protocol was measured on IMDb."""
    values, styles = read_values(folder, SEEDS), read_styles(folder)
    seeds = [len(values[IMDB, arm, True][PROBABILITY, "cinema"]) for arm in READ_IMDB if (IMDB, arm, True) in values]
    if len(seeds) < len(READ_IMDB):
        return Findings([], [])
    return Findings(
        tables=[
            half_life_table(values, styles),
            longer_half_life_table(values, styles),
            saturation_table(values, styles),
            sentence_table(values, styles),
            running_table(values, styles),
        ],
        verdicts=undecided(verdicts(values, styles), len(SEEDS[IMDB]) - min(seeds)),
    )


def half_life_table(values: Values, styles: Styles) -> Table:
    """How long units of each LSTM keep half of a cell, before its training and after it."""
    rows = []
    for (corpus, arm, trained), measures in values.items():
        if (HALF_LIFE, "median") in measures:
            seeds = str(len(measures[HALF_LIFE, "median"]))
            lives = (with_bounds(half_life(values, corpus, arm, unit, trained), 1) for unit in UNITS)
            rows.append((corpus, styles[arm].label, "after" if trained else "before", seeds, *lives))
    title = "Tokens after which half of a cell is left, geometric mean over seeds with 95 % interval, by unit"
    return Table(title, ("reviews", "encoder", "training", "seeds", *(f"{unit} unit" for unit in UNITS)), rows)


def longer_half_life_table(values: Values, styles: Styles) -> Table:
    """How long they keep it after training in the reviews of one opinion: a gate can be open after that one alone."""
    rows = []
    for (corpus, arm, trained), measures in values.items():
        if trained and (LONGER_HALF_LIFE, "median") in measures:
            lives = (with_bounds(half_life(values, corpus, arm, unit, measure=LONGER_HALF_LIFE), 1) for unit in UNITS)
            longest = list(measures[LONGER_HALF_LIFE, "longest-lived"].values())
            rows.append((corpus, styles[arm].label, *lives, least_to_most(longest, 1)))
    title = (
        "The same after training, for each unit in positive or in negative reviews, whichever is longer (looked at "
        "afterwards: no claim of the protocol is about it)"
    )
    columns = ("reviews", "encoder", *(f"{unit} unit" for unit in UNITS), "longest-lived unit, by seed")
    return Table(title, columns, rows)


def saturation_table(values: Values, styles: Styles) -> Table:
    """How often the gates are shut and open, of each trained encoder that has gates."""
    rows = []
    for (corpus, arm, trained), measures in values.items():
        for gate in GATES:
            if trained and (OPEN, gate) in measures:
                shares = (mean_of([100 * value for value in measures[side, gate].values()]) for side in (SHUT, OPEN))
                rows.append((corpus, styles[arm].label, gate, *shares))
    title = f"Share [%] of units and tokens of {TEST_REVIEWS} test reviews after training, mean ± deviation over seeds"
    return Table(title, ("reviews", "encoder", "gate", "below 0.1", "above 0.9"), rows)


def sentence_table(values: Values, styles: Styles) -> Table:
    """What each encoder of IMDb says after the texts."""
    rows = []
    for arm in READ_IMDB:
        measures = values[IMDB, arm, True]
        cells = []
        for text in SAID:
            said = list(measures[PROBABILITY, text].values())
            cells.append(f"{sum(value > 1 / 2 for value in said)}/{len(said)}: {least_to_most(said, 2)}")
        before = seeds_that_keep(values, arm, "liked", "hated")
        kept = seeds_that_keep(values, arm)
        rows.append((styles[arm].label, *cells, counted(*before), counted(*kept)))
    title = (
        'Seeds that say positive after a text, and the range of the probability over seeds; seeds that tell "liked" '
        'from "hated" after the clause, and after the sentence on the cinema, with exact 95 % intervals'
    )
    return Table(title, ("encoder", *SAID.values(), "know the clause", "keep the clause"), rows)


def running_table(values: Values, styles: Styles) -> Table:
    """How many reviews on IMDb are right already after a part of them."""
    rows = []
    for arm in READ_IMDB:
        measures = values[IMDB, arm, True]
        right = (mean_of([100 * value for value in measures[RUNNING, f"{share:g}"].values()]) for share in SHARES)
        rows.append((styles[arm].label, *right))
    columns = ("encoder", *(f"{share:.0%}" for share in SHARES))
    title = f"Running sentiment on IMDb: accuracy [%] after a part of the review, {TEST_REVIEWS} test reviews"
    return Table(title, columns, rows)


STUDY = Study(
    name="gates",
    order=95,
    sweeps=(),
    measure=measure,
    findings=findings,
    needs={"real_text": ON_IMDB, "unseen": ON_GENERATED},
)
