"""Models of finished runs before and after training, the results of a probe on them, and how these are stored.

A condition of `results.csv` names the reviews and the weights: `IMDb, after training`.
"""

import math
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import lightning.pytorch as pl
import numpy as np
import pandas as pd

from experiments.lab.rules import UNDECIDED, Evidence, Numbers, Verdict
from experiments.lab.study import Study
from experiments.lab.sweeps import trained_runs
from sentiment_rnn.config.components import class_having, named_by_file
from sentiment_rnn.data.datamodule import ReviewData
from sentiment_rnn.data.tokenizer import check_splitter
from sentiment_rnn.errors import UserError
from sentiment_rnn.inference.package import TrainedBackbone
from sentiment_rnn.model.classifier import SentimentClassifier
from sentiment_rnn.model.network import check_target
from sentiment_rnn.report.statistics import Interval
from sentiment_rnn.tasks.pretrained import settle_pretrained, start_from
from sentiment_rnn.tasks.reviews import build_model
from sentiment_rnn.tracking.checkpoints import checkpoint_of, load_checkpoint
from sentiment_rnn.tracking.results import RecordedRun
from sentiment_rnn.tracking.store import Store

GENERATED, IMDB = "generated", "IMDb"
"""Kinds of reviews that models read."""
BEFORE, AFTER = "before", "after"
"""Before and after training."""
ON_IMDB = "real_text"
"""The sweep of the study `imdb` whose models are read."""
UNKNOWN = Interval(math.nan, math.nan, math.nan)
"""Interval of an arm without measurements."""

MODEL = ["reviews", "arm", "training"]
Model = tuple[str, str, str]
"""Values of the columns `MODEL`, which name a model; there is one for each seed."""
Probed = TypeVar("Probed")


def planned_runs(
    store: Store, sweep: str, arms: Sequence[str], seeds: Sequence[int], overrides: Sequence[str] = ()
) -> list[RecordedRun]:
    """The runs of a sweep with these arms and these seeds of a protocol, ordered by arm and by seed.

    Args:
        overrides: as for `trained_runs`.

    Raises:
        UserError: one of the arms has no run.
    """
    every = trained_runs(store, sweep, overrides)
    found = [run for run in every if run.encoder in arms and run.seed in seeds]
    if missing := [arm for arm in arms if arm not in {run.encoder for run in found}]:
        raise UserError(
            f"sweep {sweep}: no run of encoder={missing[0]} has a seed of the protocol ({min(seeds)} to {max(seeds)}); "
            "train it without overrides"
        )
    return sorted(found, key=lambda run: (arms.index(run.encoder), run.seed))


def data_of(run: RecordedRun) -> ReviewData:
    """The reviews that a run read; raises `UserError` if its source or tokenizer has not been imported."""
    target = run.config.data._target_
    named_by_file("data", target, ("sentiment_rnn.data.sources.",))
    class_having(target, "data._target_", "source of reviews", "read", "fingerprint")
    check_splitter(run.config.data.tokenizer)
    start = start_of(run)
    return ReviewData(run.config.data, run.seed, start.tokenizer if start else None)


def start_of(run: RecordedRun) -> TrainedBackbone | None:
    """The model that a run started from, from the store of the run; None if its weights were drawn at random."""
    place = {"uri": run.store.uri, "directory": str(run.store.directory)}
    return settle_pretrained(replace(run.config, tracking=replace(run.config.tracking, **place)))


def load_tested(run: RecordedRun) -> SentimentClassifier:
    """The model of the tested checkpoint; raises `UserError` if that is gone or cannot be trusted."""
    weights = load_checkpoint(checkpoint_of(run))["state_dict"]
    model = untrained(run, len(weights["backbone.embedding.weight"]))
    model.load_state_dict(weights)
    return model


def untrained(run: RecordedRun, vocabulary_size: int) -> SentimentClassifier:
    """The model of a run with randomly drawn weights; raises `UserError` for a part that cannot be trusted."""
    for part in ("encoder", "pooling"):
        check_target(part, getattr(run.config, part)._target_)
    return build_model(run.config, vocabulary_size).eval()


def rebuild_initial(run: RecordedRun, data: ReviewData) -> SentimentClassifier:
    """The model with the initial weights of a run; raises `UserError` if these came from another model that is gone or
    has been replaced."""
    pl.seed_everything(run.seed, verbose=False)
    model = untrained(run, len(data.corpus.tokenizer))
    if start := start_of(run):
        start_from(start, model)
    return model


def probed(
    run: RecordedRun, data: ReviewData, probe: Callable[[SentimentClassifier], Probed]
) -> Iterator[tuple[str, Probed]]:
    """Results of a probe on a run's initial model, and on its tested model.

    Raises:
        UserError: the probe raised `ValueError`, since it has no equations for the model.
    """
    for training, model in ((BEFORE, rebuild_initial(run, data)), (AFTER, load_tested(run))):
        try:
            said = probe(model)
        except ValueError as error:
            raise UserError(f"run {run.run_id}: {error}; leave encoder={run.encoder} out of this study") from error
        yield training, said


def committed(study: Study, name: str) -> Path:
    """Path of a file with further measurements of a study; raises `UserError` if it is not there."""
    path = study.output / name
    if not path.is_file():
        raise UserError(f"{path}: not there; put the committed file back")
    return path


def condition(reviews: str, training: str) -> str:
    """`IMDb, after training`."""
    return f"{reviews}, {training} training"


def values_of_models(evidence: Evidence, seeds: Mapping[str, Container[int]]) -> pd.DataFrame:
    """Measurements of a protocol on models, in the columns of `results.csv` and `MODEL`.

    Args:
        seeds: seeds of the protocol, by reviews. Other seeds are left out.
    """
    rows = evidence.table[evidence.table.protocol == evidence.protocol.name]
    rows = rows.join(rows.condition.str.extract("^(?P<reviews>.+), (?P<training>before|after) training$"))
    planned = [seed in seeds.get(reviews, ()) for seed, reviews in zip(rows.seed, rows.reviews, strict=True)]
    return rows[np.array(planned, bool)]


def models_with(values: pd.DataFrame, metric: str) -> list[Model]:
    """The models for which the metric was measured, in the order of the rows."""
    return list(values[values.metric == metric][MODEL].drop_duplicates().itertuples(index=False, name=None))


def of_model(values: pd.DataFrame, metric: str, *model: str) -> pd.Series:
    """Values of a metric of a model, by seed; empty if it was not measured."""
    of_metric = values[values.metric == metric]
    return of_metric[(of_metric[MODEL] == list(model)).all(axis=1)].set_index("seed").value


def over_seeds(mean: Callable[[list[float]], Interval], found: pd.Series) -> Interval:
    """A mean over seeds with its interval; `UNKNOWN` if there are no values. NaN values are left out: the seed lacks
    one of the two numbers of a difference."""
    known = found.dropna()
    return mean(list(known)) if len(known) else UNKNOWN


def verdicts_on(found: Mapping[str, Verdict], missing: int) -> Mapping[str, Verdict]:
    """Verdicts by the claim's id; none is decided while seeds are missing.

    Args:
        missing: how many of its planned seeds an arm lacks.
    """
    left = Numbers("seeds still to come", number=str(missing))
    return {name: Verdict(UNDECIDED, (*one.rows, left)) for name, one in found.items()} if missing else found
