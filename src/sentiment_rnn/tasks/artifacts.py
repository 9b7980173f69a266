"""What a trained run records beside its metrics: calibrated predictions, mistakes, and the model as people use it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sentiment_rnn.data.datamodule import ReviewData
from sentiment_rnn.inference.package import Package, Reading, TrainedBackbone, fingerprints, write_package
from sentiment_rnn.inference.predictions import Predictions, calibrate, surest_mistakes
from sentiment_rnn.inference.predictor import Predictor
from sentiment_rnn.model.classifier import SentimentClassifier
from sentiment_rnn.report.evaluation import MISTAKES, calibration_error, cross_entropy, fit_temperature
from sentiment_rnn.tracking.names import TEMPERATURE


def pack(
    model: SentimentClassifier,
    data: ReviewData,
    precision: str,
    run_id: str,
    label: str = "",
    start: TrainedBackbone | None = None,
) -> Package:
    """The trained model as people use it, its temperature not yet fitted; of its training texts it has those that the
    model has read from which it started."""
    read, corpus = data.config, data.corpus
    lengths = corpus.splits["train"].lengths
    reading = Reading(
        read.max_tokens, read.keep, read.eval_batch_size, precision, 1.0, run_id, read.name, int(lengths.min()),
        int(lengths.max()), read.shuffle_span, label,
    )  # fmt: skip
    return Package(model, corpus.tokenizer, reading, start.training_texts if start else np.array([], dtype=np.int64))


def fitted_temperature(package: Package, data: ReviewData) -> float:
    """The temperature that fits a model to the validation reviews."""
    validation = data.corpus.splits["validation"]
    return fit_temperature(Predictor(package).logits_of(validation).numpy(), validation.labels)


def write_whole_package(package: Package, temperature: float, data: ReviewData, folder: Path) -> None:
    """Write the files of a packaged model, with its temperature and with what tells the texts that it was trained and
    chosen on."""
    texts = [fingerprints(data.corpus.splits[name].documents()) for name in ("train", "validation")]
    reading = replace(package.reading, temperature=temperature)
    every = np.unique(np.concatenate([package.training_texts, *texts]))
    write_package(replace(package, reading=reading, training_texts=every), folder)


def calibration_metrics(predictions: Predictions) -> dict[str, float]:
    """The temperature, and what it makes of the test scores that Lightning logged without it."""
    probabilities, labels = predictions.probabilities, predictions.labels
    return {
        TEMPERATURE: predictions.temperature,
        "test/loss_calibrated": cross_entropy(probabilities, labels),
        "test/calibration_error_calibrated": calibration_error(probabilities, labels),
    }


def gather_predictions(model: SentimentClassifier, data: ReviewData, temperature: float) -> Predictions:
    """Every test review's prediction, in the order of the split."""
    split = data.corpus.splits["test"]
    logits = torch.full((len(split),), float("nan"))
    for indices, values in model.predictions:
        logits[indices] = values
    return Predictions(
        probabilities=calibrate(logits, temperature),
        labels=np.array(split.labels),
        lengths=split.lengths,
        lags=np.array(split.lags),
        logits=logits.numpy(),
        temperature=temperature,
    )


def describe_mistakes(predictions: Predictions, data: ReviewData) -> list[dict[str, Any]]:
    """The most confident mistakes, for a person to read, as the encoder read them."""
    reviews = data.reviews("test")
    tokenizer = data.corpus.tokenizer
    return [
        {
            "review": reviews.split.names[index],
            "probability": round(float(predictions.probabilities[index]), 4),
            "label": int(predictions.labels[index]),
            "rating": int(reviews.split.ratings[index]),
            "text": " ".join(tokenizer.decode(reviews.tokens_of(index))),
        }
        for index in surest_mistakes(predictions.probabilities, predictions.labels, MISTAKES)
    ]
