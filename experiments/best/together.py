"""A GRU from a language model together with n-grams, as `make best` trains it, by `protocols/2026-12-04_together.md`.

The unit is a language model with its classifier. An interval is over these and over films.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from experiments.best import pretrained
from experiments.best.pretrained import FILMS, IN_TRAIN
from experiments.lab.findings import Findings, mean_of
from experiments.lab.results import Correct, Key, read_correct, values_of
from experiments.lab.rules import Evidence, Numbers, Verdict, above, judged
from experiments.lab.statistics import points, repeated
from experiments.lab.study import Study, Sweep, find_study
from experiments.lab.sweeps import Measured, reviews_digest
from sentiment_rnn.inference.package import Package, read_package
from sentiment_rnn.inference.predictions import calibrate, is_correct
from sentiment_rnn.inference.predictor import Predictor
from sentiment_rnn.report.statistics import Interval, percent
from sentiment_rnn.report.tables import Table
from sentiment_rnn.tasks.job import job_of
from sentiment_rnn.tasks.reviews import ReviewJob
from sentiment_rnn.tracking.models import DATA, fetch_run_model
from sentiment_rnn.tracking.results import RecordedRun
from sentiment_rnn.tracking.store import Store

SWEEP, TOGETHER = "together", "gru_together"
NETWORK, NGRAMS = f"{TOGETHER}_network", f"{TOGETHER}_ngrams"
"""Arms in the results that are a part of a run alone."""
FACTORS = {"network": (1.0, 0.0), "ngrams": (0.0, 1.0)}
"""By part: factors of the logits of the network and of the n-grams that leave only this part."""
LINEAR = "linear"
"""The linear classifier of the protocol `linear` that a network alone is compared with."""
PUBLISHED: Key = ("linear", "NB logistic, words, pairs and triples, as published", "", 0)
"""The run of `LINEAR`. It draws nothing, so it counts as the same in each repetition."""
LABELS = {NETWORK: "GRU from a language model", NGRAMS: "n-grams", TOGETHER: "both together", LINEAR: PUBLISHED[1]}


class Compared(NamedTuple):
    """The comparison of a claim."""

    first: str
    """`TOGETHER` or a part."""
    second: str
    """Another, or `LINEAR`."""
    margin: float = 0.0


COMPARED = {
    "network": Compared(TOGETHER, NETWORK),
    "ngrams": Compared(TOGETHER, NGRAMS, 0.01),
    "published": Compared(NETWORK, LINEAR),
}
"""Comparisons by claim."""


def measure_run(study: Study, sweep: Sweep, arm: str, run: RecordedRun, store: Store) -> Measured:
    """Costs of a run, and of a classifier the accuracy of each part alone."""
    found = pretrained.measure_run(study, sweep, arm, run, store)
    if not sweep.compared:
        return found
    digest = reviews_digest(run.predictions, np.full(len(run.predictions.labels), True))
    for part, split, right in answers_of_parts(run, store):
        of_part = f"{arm}_{part}"
        found.rows.append((sweep.name, sweep.protocol, of_part, "", run.seed, None, split, "accuracy", right.mean()))
        if split == "test":
            found.correct[sweep.name, of_part, "", run.seed] = Correct(right, digest)
    return found


def answers_of_parts(run: RecordedRun, store: Store) -> Iterator[tuple[str, str, np.ndarray]]:
    """Part, split, and bool [N], which of its reviews that part alone classifies correctly."""
    job = job_of(run.config)
    assert isinstance(job, ReviewJob)
    splits = job.data.corpus.splits
    with tempfile.TemporaryDirectory() as folder:
        package = read_package(fetch_run_model(store, run.run_id, Path(folder)) / DATA)
        for part, factors in FACTORS.items():
            for split in ("validation", "test"):
                logits = logits_with(package, factors).logits_of(splits[split])
                yield part, split, is_correct(calibrate(logits, 1.0), splits[split].labels)


def logits_with(package: Package, factors: tuple[float, float]) -> Predictor:
    """A predictor of a model whose parts have these factors."""
    assert package.model.ngrams is not None
    package.model.ngrams.mix.copy_(torch.tensor(factors))
    return Predictor(package)


def findings(evidence: Evidence, table: pd.DataFrame) -> Findings:
    """The verdicts, the accuracy of each part and of both, and a row for each run. Empty unless all runs are there."""
    study, rows = evidence.study, table[table.protocol == evidence.protocol.name]
    runs, seeds = read_correct(study.output), study.sweep(SWEEP).seeds
    keys = {arm: [(SWEEP, arm, "", seed) for seed in seeds] for arm in (NETWORK, NGRAMS, TOGETHER)}
    keys[LINEAR] = [PUBLISHED] * len(seeds)
    if any(key not in runs for of in keys.values() for key in of):
        return Findings()
    films = np.load(find_study("imdb").folder / FILMS)
    right = {arm: np.array([runs[key].right for key in of], float) for arm, of in keys.items()}
    others = np.setdiff1d(np.arange(len(films)), double := np.load(study.folder / IN_TRAIN))
    validation = values_of(rows, "accuracy", "validation") | values_of(rows, "best_accuracy", "validation")
    lines = [
        (
            label,
            mean_of(100 * value for value in validation[arm, ""].values()) if arm != LINEAR else "",
            *(percent(repeated(right[arm][:, some], films[some]), unit="") for some in (slice(None), others)),
        )
        for arm, label in LABELS.items()
    ]
    title = (
        f"Accuracy [%], mean of {len(seeds)} language models; on validation with the standard deviation over them, on "
        "test with 95 % intervals over language models and films"
    )
    columns = ("model", "validation", "test", f"without {len(double)} reviews in train")
    tables = {"accuracy": Table(title, columns, lines), "runs": table_of_runs(rows, right, validation, seeds)}
    return Findings(tables, {claim: verdict(of, right, films) for claim, of in COMPARED.items()})


def table_of_runs(
    rows: pd.DataFrame,
    right: Mapping[str, np.ndarray],
    validation: Mapping[tuple[str, str], Mapping[int, float]],
    seeds: Sequence[int],
) -> Table:
    """A line for each run: its language model, minutes, and accuracies."""
    perplexity = values_of(rows, "perplexity", "validation")["gru_words", ""]
    minutes = [values_of(rows, "minutes", "train")[arm, ""] for arm in ("gru_words", TOGETHER)]
    shown = NETWORK, NGRAMS, TOGETHER
    lines = [
        (
            str(seed), f"{perplexity[seed]:.1f}", *(f"{of[seed]:.1f}" for of in minutes),
            *(f"{100 * validation[arm, ''][seed]:.2f}" for arm in shown),
            *(f"{100 * right[arm][place].mean():.2f}" for arm in shown),
        )
        for place, seed in enumerate(seeds)
    ]  # fmt: skip
    parts = [f"{split}, {LABELS[arm]}" for split in ("validation", "test") for arm in shown]
    columns = ("seed", "perplexity", "minutes of the language model", "minutes of the classifier", *parts)
    return Table("Each run; accuracies [%]", columns, lines)


def verdict(compared: Compared, right: Mapping[str, np.ndarray], films: np.ndarray) -> Verdict:
    """The verdict on the difference of two rows, review by review, over runs and films."""
    first, other = (right[arm] for arm in (compared.first, compared.second))
    difference = repeated(first - other, films)
    numbers = numbers_of(LABELS[compared.first], first, LABELS[compared.second], other, difference, films)
    return Verdict(judged(above(difference, compared.margin)), (numbers,))


def numbers_of(
    label: str, right: np.ndarray, against: str, other: np.ndarray, difference: Interval, films: np.ndarray
) -> Numbers:
    """The numbers of a comparison: two rows' accuracies over runs and films, and their difference.

    Args:
        right, other: float [R, N], 1 where a test review is classified correctly, a line for each run.
    """
    accuracies = [percent(repeated(of, films)) for of in (right, other)]
    return Numbers("", label, accuracies[0], against, accuracies[1], points(difference))
