"""Comparisons of classifiers that start from several language models.

The unit is a language model with its classifier. An interval is over these and over films.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from experiments.best.pretrained import FILMS, IN_TRAIN, MINUTES
from experiments.lab.findings import Findings, mean_of
from experiments.lab.results import BySeed, Key, read_correct, values_of
from experiments.lab.rules import Evidence, Numbers, Verdict, above, judged
from experiments.lab.statistics import points, repeated, repeated_difference
from experiments.lab.study import Study, find_study
from sentiment_rnn.report.statistics import Interval, percent
from sentiment_rnn.report.tables import Table

SEEDS = (0, 1, 2)
"""Seeds of the language models, and of the classifiers from them."""


class Row(NamedTuple):
    """Classifiers whose mean is one line of the table."""

    label: str
    sweep: str
    """A sweep of one arm, and of its parts."""
    arm: str
    seeds: tuple[int, ...] = SEEDS
    """One for a classifier that draws nothing, and so is the same with each language model."""

    @property
    def keys(self) -> list[Key]:
        """Its runs in the results."""
        return [(self.sweep, self.arm, "", seed) for seed in self.seeds]


PUBLISHED = "NB logistic, words, pairs and triples, as published"
LINEAR = Row(PUBLISHED, "linear", PUBLISHED, seeds=(0,))
"""The linear classifier of the protocol `linear`."""


class Pair(NamedTuple):
    """Two rows of which a claim says that the first is more accurate by more than a margin."""

    first: Row
    second: Row
    margin: float = 0.0


@dataclass(frozen=True)
class Answers:
    """Which test reviews the classifiers of each row classify correctly."""

    right: Mapping[Row, np.ndarray]
    """float [R, N], 1 where correct, a line for each run; rows of which a run is missing are not there."""
    films: np.ndarray
    """int [N]."""
    in_train: np.ndarray
    """int [K], positions of reviews whose text is in train too."""

    def accuracy(self, row: Row, some: np.ndarray | slice = slice(None)) -> Interval:
        """Accuracy on these reviews."""
        return repeated(self.right[row][:, some], self.films[some])

    def accuracies(self, row: Row) -> Iterator[str]:
        """Accuracy [%] on all reviews, and on those whose text is not in train."""
        for some in (slice(None), np.setdiff1d(np.arange(len(self.films)), self.in_train)):
            yield percent(self.accuracy(row, some), unit="")

    def difference(self, pair: Pair) -> Interval:
        """The difference of two rows. Of the same runs, it is taken run by run; otherwise runs are independent."""
        first, second = self.right[pair.first], self.right[pair.second]
        if pair.first.sweep == pair.second.sweep:
            return repeated(first - second, self.films)
        return repeated_difference(first, second, self.films)

    def verdict(self, pairs: Sequence[Pair]) -> Verdict:
        """The verdict on a claim with these comparisons."""
        parts = [above(self.difference(pair), pair.margin) for pair in pairs]
        return Verdict(judged(*parts), tuple(map(self.numbers, pairs)))

    def numbers(self, pair: Pair) -> Numbers:
        """The numbers of a comparison: both accuracies, and their difference."""
        first, second = (percent(self.accuracy(row)) for row in pair[:2])
        return Numbers("", pair.first.label, first, pair.second.label, second, points(self.difference(pair)))


def answers_of(study: Study, rows: Sequence[Row]) -> Answers:
    """What the results of a study say of these rows."""
    runs = read_correct(study.output)
    right = {
        row: np.array([runs[key].right for key in row.keys], float)
        for row in rows
        if all(key in runs for key in row.keys)
    }
    return Answers(right, np.load(find_study("imdb").folder / FILMS), np.load(study.folder / IN_TRAIN))


class Measures(NamedTuple):
    """What else is known of a row's runs, by seed."""

    perplexity: BySeed
    """Of the language models; empty for a row that draws nothing."""
    minutes: BySeed
    """Of the language model and the classifier together; empty for a row that draws nothing."""
    validation: BySeed
    """Accuracy [%]; empty where the reviews of validation were trained on."""


def findings_of_rows(
    evidence: Evidence, table: pd.DataFrame, rows: Sequence[Row], claims: Mapping[str, Sequence[Pair]]
) -> Findings:
    """A line for each of these rows that is there, one for each run of those that were repeated, and the verdicts on
    claims whose rows are all there. Empty without a row of the protocol's own sweeps."""
    found, own = answers_of(evidence.study, rows), {sweep.name for sweep in evidence.protocol.sweeps}
    if not any(row.sweep in own for row in found.right):
        return Findings()
    lines, by_run = [], []
    for row, right in found.right.items():
        measures = measures_of_row(row, evidence.study, table)
        lines.append((row.label, *map(mean_or_nothing, measures), *found.accuracies(row)))
        if len(right) > 1:
            by_run += [
                (row.label, str(seed), *(f"{of[seed]:.2f}" for of in measures), f"{100 * share:.2f}")
                for seed, share in zip(row.seeds, right.mean(1), strict=True)
            ]
    columns = ("perplexity", "minutes", "validation", "test")
    title = (
        f"Accuracy [%], and minutes on 2 cores with the language model. {len(SEEDS)} language models: means with the "
        "standard deviation over them, on test with 95 % intervals over them and films"
    )
    without = f"without {len(found.in_train)} reviews in train"
    tables = {
        "accuracy": Table(title, ("model", *columns, without), lines),
        "runs": Table("Each run; accuracies [%]", ("model", "seed", *columns), by_run),
    }
    verdicts = {
        claim: found.verdict(pairs) for claim, pairs in claims.items()
        if all({pair.first, pair.second} <= found.right.keys() for pair in pairs)
    }  # fmt: skip
    return Findings(tables, verdicts)


def measures_of_row(row: Row, study: Study, table: pd.DataFrame) -> Measures:
    """The measures of a row."""
    own = table[table.sweep == row.sweep]
    validation = values_of(own, "accuracy", "validation") | values_of(own, "best_accuracy", "validation")
    percents = {seed: 100 * share for seed, share in validation.get((row.arm, ""), {}).items() if seed in row.seeds}
    if len(row.seeds) == 1:
        return Measures({}, {}, percents)
    of_words = table[table.sweep == study.sweep(row.sweep).settings["pretrained"]]
    (perplexity,) = values_of(of_words, "perplexity", "validation").values()
    minutes = pd.concat([of_words, own])
    minutes = minutes[minutes.metric == MINUTES].groupby("seed").value.sum()
    return Measures(perplexity, dict(minutes), percents)


def mean_or_nothing(values: BySeed) -> str:
    """The mean with its standard deviation; nothing of no values."""
    return mean_of(values.values()) if values else ""
