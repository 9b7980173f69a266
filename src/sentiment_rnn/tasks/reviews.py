"""The job of a run on reviews, which tells whether a review is positive."""

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from sentiment_rnn.config.run import ReviewConfig
from sentiment_rnn.data.batching import Batch
from sentiment_rnn.data.datamodule import ReviewData
from sentiment_rnn.data.tokenizer import PADDING_ID, UNKNOWN_ID
from sentiment_rnn.inference.package import pack
from sentiment_rnn.inference.predictions import Predictions, calibrate, surest_mistakes
from sentiment_rnn.inference.predictor import Predictor
from sentiment_rnn.inference.probes import gradient_by_step_back
from sentiment_rnn.model.classifier import SentimentClassifier
from sentiment_rnn.tasks.job import Objective, TextJob
from sentiment_rnn.tasks.ngrams import check_length, combine, train_ngrams
from sentiment_rnn.tasks.pretrained import note_texts_read, settle_pretrained, start_from
from sentiment_rnn.tracking.names import BEST_ACCURACY, TEMPERATURE
from sentiment_rnn.tracking.run import TrackedRun


class ReviewJob(TextJob):
    """Trains a classifier of reviews; records its predictions, its gradients and the packaged model."""

    objective = Objective("val/accuracy", "max", BEST_ACCURACY)
    tests = True

    def __init__(self, config: ReviewConfig) -> None:
        self.config = config
        self.start = settle_pretrained(config)
        self.data = ReviewData(config.data, config.seed, self.start.tokenizer if self.start else None)
        self.untrained: SentimentClassifier | None = None

    def model(self) -> SentimentClassifier:
        """The classifier before training. Its weights are random, except those of a pretrained backbone."""
        vocabulary_size = len(self.data.corpus.tokenizer)
        check_length(self.config.task.ngrams, vocabulary_size)
        model = build_model(self.config, vocabulary_size)
        if self.start:
            start_from(self.start, model)
        return model

    def before_training(self, model: Any, run: TrackedRun) -> None:
        """Record the corpus, and keep the untrained model. Its gradient is computed after training, so that training
        starts sooner."""
        super().before_training(model, run)
        if self.start:
            note_texts_read(self.start, self.data.corpus)
        self.untrained = copy.deepcopy(model)

    def chosen(self, model: Any, score: float) -> float:
        """Combine the network with n-grams, if `task.ngrams` asks for them. Returns the score of both together."""
        if not self.config.task.ngrams:
            return score
        ngrams = train_ngrams(self.data, self.config.task.ngrams)
        return combine(Predictor(pack(model.cpu().eval(), self.data, self.config.precision)), ngrams, self.data)

    def after_training(self, model: Any, run: TrackedRun) -> None:
        """Record predictions, calibration and gradients; with `tracking.record=full` also figures, mistakes and the
        packaged model."""
        # Imported here: it loads SciPy, which training does not need.
        from sentiment_rnn.report.evaluation import MISTAKES, calibration_error, cross_entropy, fit_temperature

        package = self.packed(model, run, self.start)
        validation = self.data.corpus.splits["validation"]
        temperature = fit_temperature(Predictor(package).logits_of(validation).numpy(), validation.labels)
        predictions = gather_predictions(model, self.data, temperature)
        probabilities, labels = predictions.probabilities, predictions.labels
        run.log_metrics(
            {
                TEMPERATURE: temperature,
                "test/loss_calibrated": cross_entropy(probabilities, labels),
                "test/calibration_error_calibrated": calibration_error(probabilities, labels),
            }
        )
        sample = gradient_sample(self.data, self.config.seed)
        run.log_gradients(gradient_by_step_back(self.untrained, sample), gradient_by_step_back(model, sample))
        run.log_predictions(predictions)
        if self.config.tracking.records_all:
            from sentiment_rnn.report.plotting import prediction_figures  # here, since it loads matplotlib

            mistakes = describe_mistakes(predictions, self.data, MISTAKES)
            run.log_pictures(prediction_figures(predictions), mistakes)
            self.record_model(replace(package, reading=replace(package.reading, temperature=temperature)), run)

    def summary(self, scores: dict[str, float]) -> str:
        """`lstm, pooling last, seed 0: validation 0.8801, test 0.8850`."""
        config = self.config
        return (
            f"{config.encoder.name}, pooling {config.pooling.name}, seed {config.seed}: "
            f"validation {scores[BEST_ACCURACY]:.4f}, test {scores['test/accuracy']:.4f}"
        )


def build_model(config: ReviewConfig, vocabulary_size: int) -> SentimentClassifier:
    """The classifier of a configuration, with weights drawn from the global random state."""
    settings = config.settings()
    return SentimentClassifier(
        vocabulary_size,
        embedding=settings["embedding"],
        encoder=config.encoder.settings,
        pooling=settings["pooling"],
        optimizer=settings["optimizer"],
        padding_id=PADDING_ID,
        unknown_id=UNKNOWN_ID,
        adversarial=config.task.adversarial,
        virtual=config.task.virtual,
    )


def gather_predictions(model: SentimentClassifier, data: ReviewData, temperature: float) -> Predictions:
    """The predictions for all test reviews, in the order of the split."""
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


def gradient_sample(data: ReviewData, seed: int, size: int = 128) -> Batch:
    """A batch of validation reviews, the same for every encoder of a seed."""
    reviews = data.reviews("validation")
    return reviews[np.random.default_rng(seed).permutation(len(reviews))[:size].tolist()]


def describe_mistakes(predictions: Predictions, data: ReviewData, count: int) -> list[dict[str, Any]]:
    """The most confident mistakes, for a person to read: the texts as the encoder read them."""
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
        for index in surest_mistakes(predictions.probabilities, predictions.labels, count)
    ]
