"""Gates of an LSTM while it reads, by `protocols/2026-11-27_gates.md`."""

import json
import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd
from tqdm import tqdm

from experiments.gradient import figures
from experiments.gradient.models import (
    AFTER,
    GENERATED,
    IMDB,
    ON_IMDB,
    committed,
    condition,
    data_of,
    load_tested,
    models_with,
    of_model,
    over_seeds,
    planned_runs,
    probed,
    values_of_models,
    verdicts_on,
)
from experiments.gradient.readers import (
    EXPLORER,
    GATES,
    HALF_LIFE,
    LONGER_HALF_LIFE,
    LONGEST,
    OPEN,
    PROBABILITY,
    RUNNING,
    SENTENCES,
    SHARES,
    SHUT,
    UNITS,
    explored,
    read,
)
from experiments.lab.findings import Findings, mean_of
from experiments.lab.rules import LEARNS, MOST, Evidence, Numbers, Verdict, above, below, judged, tally
from experiments.lab.statistics import clopper_pearson, geometric_interval, with_bounds
from experiments.lab.study import Protocol, Study
from experiments.lab.sweeps import Measured
from sentiment_rnn import runtime
from sentiment_rnn.data.batching import Batch
from sentiment_rnn.data.datamodule import ReviewData
from sentiment_rnn.report.statistics import Interval
from sentiment_rnn.report.tables import Table
from sentiment_rnn.tracking.results import RecordedRun
from sentiment_rnn.tracking.store import Store

ON_GENERATED = "unseen"
"""The sweep of the study `length_extrapolation` whose models are read."""
READ_IMDB, HOLDERS = ("rnn", "lstm"), ("lstm", "lstm_chrono")
"""Arms on IMDb, and on generated reviews."""
SEEDS = {IMDB: range(20, 30), GENERATED: range(20)}
"""Seeds of the protocol, by reviews."""
TEST_REVIEWS = 256
"""Test reviews that are read, drawn from all."""
LASTS = 100
"""Tokens after which half of a cell has to be left."""
SAID = {
    "weather": "the weather is hot today", "liked": "i really liked the movie", "cinema": "liked … but … the cinema",
    "hated": "i really hated the movie", "cinema, hated": "hated … but … the cinema",
}  # fmt: skip
"""Names of the texts in a table that gives a probability after each."""
OF_UNITS = tuple(f"{unit} unit" for unit in UNITS)


def measure(study: Study, protocol: Protocol, store: Store, overrides: Sequence[str] = ()) -> Measured:
    """Measure the gates of the LSTMs and the predictions of the models of IMDb."""
    runtime.prepare(runtime.cores())
    imdb = planned_runs(store, ON_IMDB, READ_IMDB, SEEDS[IMDB])
    holders = that_hold(planned_runs(store, ON_GENERATED, HOLDERS, SEEDS[GENERATED]))
    runs = [*((ON_IMDB, IMDB, run) for run in imdb), *((ON_GENERATED, GENERATED, run) for run in holders)]
    found = Measured()
    for sweep, reviews, run in tqdm(runs, "Reading", unit=" runs", disable=None, leave=False):
        data = data_of(run)
        given = {"batch": sample_of(data, reviews), "tokenizer": data.corpus.tokenizer, "reviews": reviews}
        for training, metrics in probed(run, data, partial(read, **given)):
            at = sweep, protocol.name, run.encoder, condition(reviews, training), run.seed, None, "test"
            found.rows += [(*at, metric, value) for metric, value in metrics.items()]
    best = [min((run for run in imdb if run.encoder == arm), key=lambda run: run.validation_rank) for arm in READ_IMDB]
    models = {run.encoder: load_tested(run) for run in best}
    found.files[EXPLORER] = explored(models, data_of(imdb[0]).corpus.tokenizer)
    return found


def that_hold(runs: Sequence[RecordedRun]) -> list[RecordedRun]:
    """The runs that succeed at lag `LONGEST`."""
    return [run for run in runs if run.predictions.correct[run.predictions.lags == LONGEST].mean() > LEARNS]


def sample_of(data: ReviewData, reviews: str) -> Batch:
    """Test reviews, of the generated ones those with the clause `LONGEST` tokens before their end."""
    found = data.reviews("test")
    asked = np.arange(len(found)) if reviews == IMDB else np.flatnonzero(found.split.lags == LONGEST)
    # IMDb's split has all positive reviews behind all negative ones: draw.
    return found[np.random.default_rng(0).permutation(asked)[:TEST_REVIEWS].tolist()]


def findings(evidence: Evidence, table: pd.DataFrame) -> Findings:
    """Tables and verdicts; none where no seed of the protocol was measured on IMDb."""
    values = values_of_models(evidence, SEEDS)
    seeds = min(len(said_after(values, arm, "cinema")) for arm in READ_IMDB)
    if not seeds:
        return Findings()
    explorer, styles = json.loads(committed(evidence.study, EXPLORER).read_text()), evidence.study.arms
    sentence = next(entry for entry in explorer if " ".join(entry["tokens"]) == SENTENCES["cinema"])
    tables = {
        "half_lives": half_life_table(evidence, values),
        "longer_half_lives": longer_half_life_table(evidence, values),
        "saturation": saturation_table(evidence, values),
        "sentences": sentence_table(evidence, values),
        "running": running_table(evidence, values),
    }
    drawn = {
        "running": figures.reading(sentence, READ_IMDB[::-1], styles),
        "gates": figures.gates(sentence, styles["lstm"].label),
    }
    return Findings(tables, verdicts_on(claims(evidence, values), missing=len(SEEDS[IMDB]) - seeds), drawn)


def half_life_table(evidence: Evidence, values: pd.DataFrame) -> Table:
    """Half-lives of the cells of each LSTM by unit, before and after training."""
    metric = f"{HALF_LIFE}: median"
    rows = []
    for reviews, arm, training in models_with(values, metric):
        seeds = len(of_model(values, metric, reviews, arm, training))
        found = lives(values, HALF_LIFE, reviews, arm, training)
        rows.append((reviews, evidence.label(arm), training, str(seeds), *found))
    return Table(
        "Tokens after which half of a cell is left, geometric mean over seeds with 95 % interval, by unit",
        ("reviews", "arm", "training", "seeds", *OF_UNITS),
        rows,
    )


def longer_half_life_table(evidence: Evidence, values: pd.DataFrame) -> Table:
    """Half-lives after training in the reviews of one opinion: a gate can be open after one opinion alone."""
    metric = f"{LONGER_HALF_LIFE}: longest-lived"
    rows = []
    for reviews, arm, _ in models_with(values[values.training == AFTER], metric):
        longest = least_to_most(of_model(values, metric, reviews, arm, AFTER), 1)
        rows.append((reviews, evidence.label(arm), *lives(values, LONGER_HALF_LIFE, reviews, arm, AFTER), longest))
    return Table(
        "The same after training, for each unit in positive or in negative reviews, whichever is longer (looked at "
        "afterwards: no claim of the protocol is about it)",
        ("reviews", "arm", *OF_UNITS, "longest-lived unit, by seed"),
        rows,
    )


def lives(values: pd.DataFrame, metric: str, *model: str) -> list[str]:
    """`2.0 (1.1 to 3.8)`, of each unit."""
    return [with_bounds(half_life(values, f"{metric}: {unit}", *model), 1) for unit in UNITS]


def half_life(values: pd.DataFrame, *key: str) -> Interval:
    """Geometric mean over seeds of the half-life of a net's median unit, say [tokens]."""
    return over_seeds(geometric_interval, of_model(values, *key))


def saturation_table(evidence: Evidence, values: pd.DataFrame) -> Table:
    """Shares of shut and open gates of each trained encoder that has gates."""
    rows = [
        (
            reviews, evidence.label(arm), gate,
            percents(values, f"{SHUT}: {gate}", reviews, arm), percents(values, f"{OPEN}: {gate}", reviews, arm),
        )
        for reviews, arm, _ in models_with(values[values.training == AFTER], f"{OPEN}: {GATES[0]}") for gate in GATES
    ]  # fmt: skip
    return Table(
        f"Share [%] of units and tokens of {TEST_REVIEWS} test reviews after training, mean ± deviation over seeds",
        ("reviews", "arm", "gate", "below 0.1", "above 0.9"),
        rows,
    )


def sentence_table(evidence: Evidence, values: pd.DataFrame) -> Table:
    """Table of the predictions of each arm on IMDb after the texts."""
    rows = [
        (
            evidence.label(arm), *(positive(said_after(values, arm, text)) for text in SAID),
            tally(*seeds_that_keep(values, arm, "liked", "hated")), tally(*seeds_that_keep(values, arm)),
        )
        for arm in READ_IMDB
    ]  # fmt: skip
    return Table(
        'Seeds that say positive after a text, and the range of the probability over seeds; seeds that tell "liked" '
        'from "hated" after the clause, and after the sentence on the cinema, with exact 95 % intervals [%]',
        ("arm", *SAID.values(), "know the clause", "keep the clause"),
        rows,
    )


def running_table(evidence: Evidence, values: pd.DataFrame) -> Table:
    """Accuracy on IMDb after a part of each review."""
    rows = [
        (evidence.label(arm), *(percents(values, f"{RUNNING}: {share:g}", IMDB, arm) for share in SHARES))
        for arm in READ_IMDB
    ]
    return Table(
        f"Running sentiment on IMDb: accuracy [%] after a part of the review, {TEST_REVIEWS} test reviews",
        ("arm", *(f"{share:.0%}" for share in SHARES)),
        rows,
    )


def percents(values: pd.DataFrame, metric: str, reviews: str, arm: str) -> str:
    """`88.2 ± 1.3`, mean and deviation over seeds after training [%]."""
    return mean_of(100 * of_model(values, metric, reviews, arm, AFTER))


def said_after(values: pd.DataFrame, arm: str, text: str) -> pd.Series:
    """The probability of a positive review after a text, by seed trained on IMDb."""
    return of_model(values, f"{PROBABILITY}: {text}", IMDB, arm, AFTER)


def positive(said: pd.Series) -> str:
    """`8/10: 0.38 to 0.89`, the seeds that say positive, and the range of the probability over seeds."""
    return f"{(said > MOST).sum()}/{len(said)}: {least_to_most(said, 2)}"


def least_to_most(said: pd.Series, places: int) -> str:
    """`0.38 to 0.89`, the range over seeds."""
    return f"{said.min():.{places}f} to {said.max():.{places}f}"


def claims(evidence: Evidence, values: pd.DataFrame) -> dict[str, Verdict]:
    """Verdicts by the rules of the protocol, by the claim's id."""
    last, kept = partial(cells_last, evidence, values), partial(clause_is_kept, evidence, values)
    return {
        "imdb_cells": last(IMDB, ["lstm"]),
        "far_cells": last(GENERATED, HOLDERS),
        "longest_cell": last(GENERATED, HOLDERS, ["longest-lived"], LONGEST),
        "lstm_keeps": kept("lstm", above),
        "rnn_loses": kept("rnn", below),
    }


def cells_last(
    evidence: Evidence,
    values: pd.DataFrame,
    reviews: str,
    arms: Sequence[str],
    units: Sequence[str] = tuple(UNITS),
    tokens: int = LASTS,
) -> Verdict:
    """Verdict on whether half of a cell is left after so many tokens, in these units of these arms. The parts of an arm
    that was not measured are open."""
    lives = {
        arm: {unit: half_life(values, f"{HALF_LIFE}: {unit}", reviews, arm, AFTER) for unit in units} for arm in arms
    }
    parts = [above(life, tokens) for by_unit in lives.values() for life in by_unit.values()]
    rows = tuple(
        Numbers(f"{unit} unit [tokens]", evidence.label(arm), with_bounds(life, 1))
        for arm, by_unit in lives.items() for unit, life in by_unit.items() if not math.isnan(life.estimate)
    )  # fmt: skip
    return Verdict(judged(*parts), rows or (Numbers(f"seeds that succeed at lag {LONGEST}", number="none"),))


def clause_is_kept(
    evidence: Evidence, values: pd.DataFrame, arm: str, part: Callable[[Interval, float], bool | None]
) -> Verdict:
    """Verdict on whether the share of seeds that keep the clause is above, or below, one half."""
    kept = seeds_that_keep(values, arm)
    row = Numbers("seeds that keep the clause", evidence.label(arm), tally(*kept))
    return Verdict(judged(part(clopper_pearson(*kept), MOST)), (row,))


def seeds_that_keep(
    values: pd.DataFrame, arm: str, liked: str = "cinema", hated: str = "cinema, hated"
) -> tuple[int, int]:
    """Number of seeds trained on IMDb that answer positive after the text with "liked" and negative after the text with
    "hated", and number of all. The default is the whole sentence on the cinema."""
    one, other = (said_after(values, arm, text) for text in (liked, hated))
    return int(((one > MOST) & (other < MOST)).sum()), len(one)
