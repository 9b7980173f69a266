"""Scores a packaged model on labelled texts other than its own."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from scipy.optimize import minimize_scalar
from torchmetrics.functional.classification import binary_auroc, binary_calibration_error, binary_f1_score

from sentiment_rnn.data.text_files import Rows
from sentiment_rnn.data.tokenizer import whole
from sentiment_rnn.errors import UserError
from sentiment_rnn.inference.package import fingerprints
from sentiment_rnn.inference.predictions import Predictions, calibrate, surest_mistakes
from sentiment_rnn.inference.predictor import Predictor
from sentiment_rnn.report.statistics import Interval, binned, percent, quantile_bins, wilson_interval
from sentiment_rnn.report.tables import Table

LIMITS = (0.2, 20.0)
"""Bounds between which the temperature is sought."""
MISTAKES = 20


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The T > 0 for which `sigmoid(logits / T)` has the least cross-entropy (Guo et al. 2017, section 4.2). 1 if every
    logit is on the right side, since then the smaller T, the lower the cross-entropy.

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
    """Mean absolute difference between predicted probability and share of positive texts, over bins of the probability
    (Naeini et al. 2015)."""
    predicted = torch.from_numpy(np.asarray(probabilities, dtype=np.float64))  # sums of millions lose digits in float32
    return float(binary_calibration_error(predicted, torch.from_numpy(labels.astype(np.int64)), n_bins=bins))


def cross_entropy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean negative log-likelihood, in nats; a probability of 0 counts as 1e-7."""
    right = np.where(labels == 1, probabilities, 1 - probabilities.astype(np.float64))
    return float(-np.log(np.clip(right, 1e-7, 1)).mean())


class Mistake(NamedTuple):
    """A text that was judged wrongly."""

    text: str
    label: int
    """1 positive."""
    probability: float
    """The model's probability that the text is positive."""


@dataclass(frozen=True)
class Evaluation:
    """Predictions of a model on labelled texts. Texts without a token are left out."""

    predictions: Predictions
    without_tokens: int
    seen: np.ndarray
    """bool [N], whether the model was trained or chosen on a text."""
    identifiers: np.ndarray
    """object [N], the identifier of each text, None for a text that has none."""
    mistakes: list[Mistake]
    """The most confident mistakes."""

    @property
    def accuracy(self) -> Interval:
        """Share of correct answers, with its 95 % interval."""
        return share(self.predictions.correct)

    @property
    def accuracy_unseen(self) -> Interval | None:
        """Accuracy without the texts that the model was trained or chosen on; None if there are no others."""
        return share(self.predictions.correct[~self.seen]) if (~self.seen).any() else None

    @property
    def consistency(self) -> Interval | None:
        """Share of the identifiers with two or more texts whose texts were all judged correctly (Gardner et al.
        2020)."""
        texts = pd.Series(self.predictions.correct).groupby(self.identifiers)
        right = texts.all()[texts.size() > 1]
        return share(right.to_numpy()) if len(right) else None


def share(correct: np.ndarray) -> Interval:
    """The share of true values in bool [N], with its 95 % interval."""
    return wilson_interval(int(correct.sum()), len(correct))


def judge(predictor: Predictor, parts: Iterable[Rows]) -> Evaluation:
    """Judge labelled rows part by part. Only a few numbers and the identifier of each text are kept.

    Raises:
        UserError: no text has a token.
    """
    package, kept, mistakes, without_tokens = predictor.package, [], [], 0
    for rows in parts:
        documents = predictor.encode(rows.texts)
        columns = {"text": rows.texts, "label": rows.labels, "identifier": rows.identifiers or None}
        texts = pd.DataFrame(columns, dtype=object).assign(length=[len(ids) for ids in documents])
        texts["seen"] = np.isin(fingerprints(documents), package.training_texts)
        without_tokens += int((texts.length == 0).sum())
        texts = texts[texts.length > 0].copy()
        logits = predictor.logits([documents[row] for row in texts.index])
        texts["logit"], texts["probability"] = logits.numpy(), calibrate(logits, package.reading.temperature)
        surest = surest_mistakes(texts.probability.to_numpy(), texts.label.to_numpy(int), MISTAKES)
        mistakes += [
            Mistake(whole(str(row.text)), int(row.label), float(row.probability))
            for row in texts.iloc[surest].itertuples()
        ]
        kept.append(texts.drop(columns="text"))
    read = pd.concat(kept, ignore_index=True)
    if read.empty:
        raise UserError("no text has a word or a mark in it; there is nothing to judge")
    predictions = Predictions(
        probabilities=read.probability.to_numpy(np.float32, copy=True),
        labels=read.label.to_numpy(np.int8),
        lengths=read.length.to_numpy(np.int64),
        lags=np.full(len(read), -1, dtype=np.int32),
        logits=read.logit.to_numpy(np.float32, copy=True),
        temperature=package.reading.temperature,
    )
    mistakes = sorted(mistakes, key=lambda mistake: -abs(mistake.probability - 0.5))[:MISTAKES]
    return Evaluation(predictions, without_tokens, read.seen.to_numpy(bool), read.identifier.to_numpy(), mistakes)


def scores(evaluation: Evaluation) -> dict[str, float]:
    """Every score by its name in MLflow; AUROC only if both labels occur."""
    predicted = evaluation.predictions
    probabilities, labels = (
        torch.from_numpy(predicted.probabilities),
        torch.from_numpy(predicted.labels.astype(np.int64)),
    )
    before = predicted.uncalibrated
    values = {
        "texts": float(len(predicted.labels)),
        "texts_without_tokens": float(evaluation.without_tokens),
        "texts_seen_in_training": float(evaluation.seen.sum()),
        "accuracy": evaluation.accuracy.estimate,
        "f1": float(binary_f1_score(probabilities, labels)),
        "loss": cross_entropy(predicted.probabilities, predicted.labels),
        "loss_uncalibrated": cross_entropy(before, predicted.labels),
        "calibration_error": calibration_error(predicted.probabilities, predicted.labels),
        "calibration_error_uncalibrated": calibration_error(before, predicted.labels),
    }
    if len(labels.unique()) == 2:
        values["auroc"] = float(binary_auroc(torch.from_numpy(predicted.logits).double(), labels))
    if evaluation.seen.any() and evaluation.accuracy_unseen:
        values["accuracy_without_seen"] = evaluation.accuracy_unseen.estimate
    if evaluation.consistency:
        values["consistency"] = evaluation.consistency.estimate
    return values


def tables(evaluation: Evaluation, values: Mapping[str, float]) -> list[Table]:
    """Tables of the values of `scores`, of the confusion matrix, and of accuracy by length."""
    predicted = evaluation.predictions
    rows = [
        ("accuracy", percent(evaluation.accuracy)),
        ("F1", f"{values['f1']:.3f}"),
        ("AUROC", f"{values['auroc']:.3f}" if "auroc" in values else "– (one label only)"),
        *(
            (name, f"{values[key]:.3f} with temperature {predicted.temperature:.2f}, as answered; "
                   f"{values[f'{key}_uncalibrated']:.3f} without")
            for name, key in (("calibration error", "calibration_error"), ("cross-entropy [nats]", "loss"))
        ),
    ]  # fmt: skip
    if pd.notna(evaluation.identifiers).any():
        rows.append((
            "consistency",
            f"{percent(evaluation.consistency)} of the identifiers have all their texts right"
            if evaluation.consistency
            else "– (no identifier has two texts)",
        ))  # fmt: skip
    if evaluation.without_tokens:
        rows.append(("without a word or a mark", f"{evaluation.without_tokens:,} more texts, which are in no score"))
    if seen := evaluation.seen.sum():
        unseen = evaluation.accuracy_unseen
        rest = f"without them, accuracy is {percent(unseen)}" if unseen else "no other is left"
        rows.append(("read before", f"the model was trained or chosen on {seen:,}, or on ones it reads alike; {rest}"))
    positive = predicted.probabilities > 0.5
    confusion = [
        (name, *(f"{((predicted.labels == label) & (positive == answer)).sum():,}" for answer in (False, True)))
        for label, name in enumerate(("is negative", "is positive"))
    ]
    by_length = [
        (f"{low}–{high - 1}", f"{inside.sum():,}", percent(share(predicted.correct[inside])))
        for low, high, inside in binned(predicted.lengths, quantile_bins(predicted.lengths, 5))
    ]
    return [
        Table(f"{len(predicted.labels):,} texts, 95 % intervals", ("score", "value"), rows),
        Table("Confusion", ("", "predicted negative", "predicted positive"), confusion),
        Table("Accuracy by length", ("tokens", "texts", "accuracy"), by_length),
    ]
