"""How good a packaged model is on labelled texts that are not its own."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torchmetrics.functional.classification import binary_auroc, binary_f1_score

from sentiment_rnn.analysis.calibration import calibration_error, cross_entropy, rescale
from sentiment_rnn.analysis.predictions import Predictions
from sentiment_rnn.analysis.statistics import Interval, quantile_bins, wilson_interval
from sentiment_rnn.analysis.tables import Table
from sentiment_rnn.checks import UserError
from sentiment_rnn.data.files import Rows
from sentiment_rnn.inference.package import fingerprints
from sentiment_rnn.inference.predictor import Predictor

MISTAKES = 20


class Mistake(NamedTuple):
    """A text that was judged wrongly."""

    text: str
    label: int
    """1 positive."""
    probability: float
    """That it is positive, as the model said."""


@dataclass(frozen=True)
class Evaluation:
    """What a model said of labelled texts; those without a token, of which it says nothing, are left out."""

    predictions: Predictions
    without_tokens: int
    seen: np.ndarray
    """bool [N], texts that the model was trained or chosen on."""
    identifiers: np.ndarray
    """str [N], or [0] where no column was asked for."""
    mistakes: list[Mistake]
    """The surest ones."""

    @property
    def accuracy(self) -> Interval:
        """Share of right answers, with its 95 % interval."""
        return share(self.predictions.correct)

    @property
    def accuracy_unseen(self) -> Interval | None:
        """The same without the texts that the model was trained or chosen on; None where no other is left."""
        return share(self.predictions.correct[~self.seen]) if (~self.seen).any() else None

    @property
    def consistency(self) -> Interval | None:
        """Share of the identifiers with two texts or more of which all were judged rightly (Gardner et al. 2020)."""
        if not len(self.identifiers):
            return None
        _, group, size = np.unique(self.identifiers, return_inverse=True, return_counts=True)
        right = np.bincount(group, weights=self.predictions.correct)
        return share(right[size > 1] == size[size > 1]) if (size > 1).any() else None


def share(correct: np.ndarray) -> Interval:
    """The share of what is true in bool [N], with its 95 % interval."""
    return wilson_interval(int(correct.sum()), len(correct))


def judge(predictor: Predictor, parts: Iterable[Rows]) -> Evaluation:
    """Read labelled rows part by part; what is kept of a text is a few numbers.

    Raises:
        UserError: no text has a token.
    """
    arrays: list[tuple[np.ndarray, ...]] = []
    identifiers: list[str] = []
    mistakes: list[Mistake] = []
    without_tokens = 0
    for rows in parts:
        documents = predictor.encode(rows.texts)
        given = [index for index, ids in enumerate(documents) if len(ids)]
        without_tokens += len(documents) - len(given)
        read = [documents[index] for index in given]
        labels = np.array([rows.labels[index] for index in given], dtype=np.int8)
        probabilities = predictor.probabilities(read)
        seen = np.isin(fingerprints(read), predictor.package.training_texts)
        arrays.append((probabilities, labels, np.array([len(ids) for ids in read], dtype=np.int64), seen))
        identifiers += [rows.identifiers[index] for index in given] if rows.identifiers else []
        wrong = [n for n in range(len(given)) if (probabilities[n] > 0.5) != (labels[n] == 1)]
        mistakes += [Mistake(str(rows.texts[given[n]]), int(labels[n]), float(probabilities[n])) for n in wrong]
        mistakes = sorted(mistakes, key=lambda mistake: -abs(mistake.probability - 0.5))[:MISTAKES]
    probabilities, labels, lengths, seen = (np.concatenate(column) for column in zip(*arrays, strict=True))
    if not len(labels):
        raise UserError("no text has a word or a mark in it; there is nothing to judge")
    nowhere = np.full(len(labels), -1, dtype=np.int32)
    predictions = Predictions(probabilities, labels, lengths, nowhere, predictor.package.reading.temperature)
    return Evaluation(predictions, without_tokens, seen, np.array(identifiers), mistakes)


def scores(evaluation: Evaluation) -> dict[str, float]:
    """Every number, by its name in MLflow; AUROC only where both labels occur."""
    found = evaluation.predictions
    given, labels = torch.from_numpy(found.probabilities), torch.from_numpy(found.labels.astype(np.int64))
    before = rescale(found.probabilities, found.temperature)
    values = {
        "texts": float(len(found.labels)),
        "texts_without_tokens": float(evaluation.without_tokens),
        "texts_seen_in_training": float(evaluation.seen.sum()),
        "accuracy": evaluation.accuracy.estimate,
        "f1": float(binary_f1_score(given, labels)),
        "loss": cross_entropy(found.probabilities, found.labels),
        "loss_uncalibrated": cross_entropy(before, found.labels),
        "calibration_error": calibration_error(found.probabilities, found.labels),
        "calibration_error_uncalibrated": calibration_error(before, found.labels),
    }
    if len(labels.unique()) == 2:
        values["auroc"] = float(binary_auroc(given, labels))
    if evaluation.seen.any() and evaluation.accuracy_unseen:
        values["accuracy_without_seen"] = evaluation.accuracy_unseen.estimate
    if evaluation.consistency:
        values["consistency"] = evaluation.consistency.estimate
    return values


def tables(evaluation: Evaluation) -> list[Table]:
    """Scores, confusion, accuracy by length."""
    found, values = evaluation.predictions, scores(evaluation)
    rows = [
        ("accuracy", percent(evaluation.accuracy)),
        ("F1", f"{values['f1']:.3f}"),
        ("AUROC", f"{values['auroc']:.3f}" if "auroc" in values else "– (one label only)"),
        ("calibration error", f"{values['calibration_error']:.3f} ({values['calibration_error_uncalibrated']:.3f} "
                              f"without temperature {found.temperature:.2f})"),
        ("cross-entropy [nats]", f"{values['loss']:.3f} ({values['loss_uncalibrated']:.3f} without)"),
    ]  # fmt: skip
    if evaluation.consistency:
        rows.append(("consistency", f"{percent(evaluation.consistency)} of the identifiers have all their texts right"))
    said = found.probabilities > 0.5
    confusion = [
        (name, *(f"{np.count_nonzero((found.labels == label) & (said == positive)):,}" for positive in (False, True)))
        for label, name in enumerate(("is negative", "is positive"))
    ]
    return [
        Table(f"{len(found.labels):,} texts, 95 % intervals", ("score", "value"), rows),
        Table("Confusion", ("", "said negative", "said positive"), confusion),
        Table("Accuracy by length", ("tokens", "texts", "accuracy"), by_length(found)),
    ]


def by_length(found: Predictions) -> list[tuple[str, ...]]:
    """Rows of range, count and accuracy, about as many texts in each."""
    rows: list[tuple[str, ...]] = []
    for low, high in pairwise(quantile_bins(found.lengths, 5)):
        inside = (found.lengths >= low) & (found.lengths < high)
        if inside.any():
            rows.append((f"{low}–{high - 1}", f"{inside.sum():,}", percent(share(found.correct[inside]))))
    return rows


def percent(interval: Interval) -> str:
    """`88.5 % (88.1 to 88.9)`."""
    return f"{100 * interval.estimate:.1f} % ({100 * interval.low:.1f} to {100 * interval.high:.1f})"
