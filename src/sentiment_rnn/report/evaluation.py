"""Scores of a packaged model on labelled texts that are not its own."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from torchmetrics.functional.classification import binary_auroc, binary_calibration_error, binary_f1_score

from sentiment_rnn.data.text_files import Rows
from sentiment_rnn.data.tokenizer import whole
from sentiment_rnn.errors import UserError
from sentiment_rnn.inference.package import fingerprint, fingerprints
from sentiment_rnn.inference.predictions import Predictions, calibrate, surest_mistakes
from sentiment_rnn.inference.predictor import Predictor
from sentiment_rnn.report.statistics import Interval, binned, percent, quantile_bins, wilson_interval
from sentiment_rnn.report.tables import Table

LIMITS = (0.2, 20.0)
"""Between which a temperature is sought."""


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """T > 0 for which `sigmoid(logits / T)` has the least cross-entropy (Guo et al. 2017, section 4.2); 1 where every
    logit is on the right side, since there any smaller T would seem better still.

    Args:
        logits: float [N].
        labels: int [N], 1 positive.
    """
    signed = np.where(labels == 1, logits, -logits).astype(np.float64)
    if signed.min() > 0:
        return 1.0

    def cross_entropy(logarithm: float) -> float:
        return float(np.logaddexp(0, -signed / np.exp(logarithm)).mean())

    return float(np.exp(minimize_scalar(cross_entropy, bounds=np.log(LIMITS), method="bounded").x))


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = 15) -> float:
    """Mean difference between the probability of a positive text and the share that is positive, over bins of that
    probability (Naeini et al. 2015)."""
    given = torch.from_numpy(np.asarray(probabilities, dtype=np.float64))  # a sum of millions loses digits in float32
    return float(binary_calibration_error(given, torch.from_numpy(labels.astype(np.int64)), n_bins=bins))


def cross_entropy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean negative log-likelihood, in nats; a probability of 0 counts as 1e-7."""
    right = np.where(labels == 1, probabilities, 1 - probabilities.astype(np.float64))
    return float(-np.log(np.clip(right, 1e-7, 1)).mean())


MISTAKES = 20


class Mistake(NamedTuple):
    """A text that was judged wrongly."""

    text: str
    label: int
    """1 positive."""
    probability: float
    """The model's probability that the text is positive."""


@dataclass(frozen=True)
class Evaluation:
    """Predictions of a model on labelled texts; texts without a token have none and are left out."""

    predictions: Predictions
    without_tokens: int
    seen: np.ndarray
    """bool [N], texts that the model was trained or chosen on."""
    groups: np.ndarray
    """int64 [N], a digest of each text's identifier, 0 for a text that has none."""
    mistakes: list[Mistake]
    """The most confident mistakes."""

    @property
    def accuracy(self) -> Interval:
        """Share of right answers, with its 95 % interval."""
        return share(self.predictions.correct)

    @property
    def accuracy_unseen(self) -> Interval | None:
        """Accuracy without the texts that the model was trained or chosen on; None where no other is left."""
        return share(self.predictions.correct[~self.seen]) if (~self.seen).any() else None

    @property
    def consistency(self) -> Interval | None:
        """Share of identifiers with two texts or more whose texts were all judged rightly (Gardner et al. 2020)."""
        known = self.groups != 0
        _, group, size = np.unique(self.groups[known], return_inverse=True, return_counts=True)
        right = np.bincount(group, weights=self.predictions.correct[known])
        return share(right[size > 1] == size[size > 1]) if (size > 1).any() else None


def share(correct: np.ndarray) -> Interval:
    """The share of true values in bool [N], with its 95 % interval."""
    return wilson_interval(int(correct.sum()), len(correct))


def judge(predictor: Predictor, parts: Iterable[Rows]) -> Evaluation:
    """Read labelled rows part by part; what is kept of a text is a few numbers.

    Raises:
        UserError: no text has a token.
    """
    read: list[Part] = []
    mistakes: list[Mistake] = []
    without_tokens = 0
    for rows in parts:
        documents = predictor.encode(rows.texts)
        given = [index for index, ids in enumerate(documents) if len(ids)]
        without_tokens += len(documents) - len(given)
        read.append(_judge_part(predictor, [documents[index] for index in given], rows, given))
        mistakes = sorted([*mistakes, *_mistakes(read[-1], rows, given)], key=lambda m: -abs(m.probability - 0.5))
        mistakes = mistakes[:MISTAKES]
    found = Part(*map(np.concatenate, zip(*read, strict=True)))
    if not len(found.labels):
        raise UserError("no text has a word or a mark in it; there is nothing to judge")
    nowhere = np.full(len(found.labels), -1, dtype=np.int32)
    temperature = predictor.package.reading.temperature
    predictions = Predictions(found.probabilities, found.labels, found.lengths, nowhere, found.logits, temperature)
    return Evaluation(predictions, without_tokens, found.seen, found.groups, mistakes)


class Part(NamedTuple):
    """The texts of a part that have a token, an entry each; see `Evaluation`."""

    logits: np.ndarray
    probabilities: np.ndarray
    labels: np.ndarray
    lengths: np.ndarray
    seen: np.ndarray
    groups: np.ndarray


def _judge_part(predictor: Predictor, documents: list[np.ndarray], rows: Rows, given: list[int]) -> Part:
    logits = predictor.logits(documents)
    names = [rows.identifiers[index] if rows.identifiers else None for index in given]
    groups = [0 if name is None else fingerprint(name.encode(errors="replace")) for name in names]
    return Part(
        logits=logits.numpy(),
        probabilities=calibrate(logits, predictor.package.reading.temperature),
        labels=np.array([rows.labels[index] for index in given], dtype=np.int8),
        lengths=np.array([len(ids) for ids in documents], dtype=np.int64),
        seen=np.isin(fingerprints(documents), predictor.package.training_texts),
        groups=np.array(groups, dtype=np.int64),
    )


def _mistakes(part: Part, rows: Rows, given: list[int]) -> list[Mistake]:
    wrong = surest_mistakes(part.probabilities, part.labels, MISTAKES)
    return [Mistake(whole(str(rows.texts[given[n]])), int(part.labels[n]), float(part.probabilities[n])) for n in wrong]


def scores(evaluation: Evaluation) -> dict[str, float]:
    """Every number, by its name in MLflow; AUROC only where both labels occur."""
    found = evaluation.predictions
    given, labels = torch.from_numpy(found.probabilities), torch.from_numpy(found.labels.astype(np.int64))
    before = found.uncalibrated
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
        values["auroc"] = float(binary_auroc(torch.from_numpy(found.logits).double(), labels))
    if evaluation.seen.any() and evaluation.accuracy_unseen:
        values["accuracy_without_seen"] = evaluation.accuracy_unseen.estimate
    if evaluation.consistency:
        values["consistency"] = evaluation.consistency.estimate
    return values


def tables(evaluation: Evaluation, values: Mapping[str, float]) -> list[Table]:
    """The values of `scores`, confusion, accuracy by length."""
    found = evaluation.predictions
    rows = [
        ("accuracy", percent(evaluation.accuracy)),
        ("F1", f"{values['f1']:.3f}"),
        ("AUROC", f"{values['auroc']:.3f}" if "auroc" in values else "– (one label only)"),
        *(
            (name, f"{values[key]:.3f} with temperature {found.temperature:.2f}, as answered; "
                   f"{values[f'{key}_uncalibrated']:.3f} without")
            for name, key in (("calibration error", "calibration_error"), ("cross-entropy [nats]", "loss"))
        ),
    ]  # fmt: skip
    if evaluation.groups.any():
        rows.append((
            "consistency",
            f"{percent(evaluation.consistency)} of the identifiers have all their texts right"
            if evaluation.consistency
            else "– (no identifier has two texts)",
        ))  # fmt: skip
    said = found.probabilities > 0.5
    confusion = [
        (name, *(f"{np.count_nonzero((found.labels == label) & (said == positive)):,}" for positive in (False, True)))
        for label, name in enumerate(("is negative", "is positive"))
    ]
    return [
        Table(f"{len(found.labels):,} texts, 95 % intervals", ("score", "value"), rows),
        Table("Confusion", ("", "predicted negative", "predicted positive"), confusion),
        Table("Accuracy by length", ("tokens", "texts", "accuracy"), by_length(found)),
    ]


def by_length(found: Predictions) -> list[tuple[str, ...]]:
    """Rows of range, count and accuracy, about as many texts in each."""
    return [
        (f"{low}–{high - 1}", f"{inside.sum():,}", percent(share(found.correct[inside])))
        for low, high, inside in binned(found.lengths, quantile_bins(found.lengths, 5))
    ]
