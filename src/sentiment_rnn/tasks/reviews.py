"""The job of a run on reviews: is a review positive?"""

import copy
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from sentiment_rnn.config.run import ReviewConfig
from sentiment_rnn.data.batching import Batch
from sentiment_rnn.data.datamodule import ReviewData
from sentiment_rnn.data.tokenizer import PADDING_ID, UNKNOWN_ID
from sentiment_rnn.model.classifier import SentimentClassifier
from sentiment_rnn.probes.input_gradients import gradient_by_step_back
from sentiment_rnn.tasks.job import Objective
from sentiment_rnn.tasks.pretrained import note_texts_read, settle_pretrained, start_from
from sentiment_rnn.tasks.text_job import TextJob
from sentiment_rnn.tracking.models import PACKAGE
from sentiment_rnn.tracking.names import BEST_ACCURACY
from sentiment_rnn.tracking.run import TrackedRun


class ReviewJob(TextJob):
    """Train a classifier of reviews; record its predictions, its gradients and the packaged model."""

    objective = Objective("val/accuracy", "max", BEST_ACCURACY)
    tests = True

    def __init__(self, config: ReviewConfig) -> None:
        self.config = config
        self.start = settle_pretrained(config)
        self.data = ReviewData(config.data, config.seed, self.start.tokenizer if self.start else None)
        self.untrained: SentimentClassifier | None = None

    def model(self) -> SentimentClassifier:
        """The classifier as it starts: drawn, but for a backbone that was trained before."""
        model = build_model(self.config, len(self.data.corpus.tokenizer))
        if self.start:
            start_from(self.start, model)
        return model

    def before_training(self, model: Any, run: TrackedRun | None) -> None:
        """Record the corpus; keep the untrained model, whose gradient waits until training is done: nobody waits for it
        at the start."""
        super().before_training(model, run)
        if run:
            if self.start:
                note_texts_read(self.start, self.data.corpus)
            self.untrained = copy.deepcopy(model)

    def after_training(self, model: Any, run: TrackedRun) -> None:
        """Record predictions, calibration and gradients; unless the run leaves results alone, figures, mistakes and the
        model as people use it too."""
        # Here, not above: it loads SciPy, for which no training step waits.
        from sentiment_rnn.tasks.artifacts import calibration_metrics, fitted_temperature, gather_predictions, pack

        label = self.config.encoder.label_with(run.overrides)
        package = pack(model.cpu().eval(), self.data, self.config.precision, run.run_id, label, self.start)
        temperature = fitted_temperature(package, self.data)
        predictions = gather_predictions(model, self.data, temperature)
        run.log_metrics(calibration_metrics(predictions))
        sample = gradient_sample(self.data, self.config.seed)
        run.log_gradients(gradient_by_step_back(self.untrained, sample), gradient_by_step_back(model, sample))
        run.log_predictions(predictions)
        if not self.config.tracking.records_all:
            return
        # They load matplotlib.
        from sentiment_rnn.report.figures import run_figures
        from sentiment_rnn.tasks.artifacts import describe_mistakes, write_whole_package

        history = {name: run.curve(name) for name in ("train/loss", "val/loss", "val/accuracy")}
        run.log_pictures(run_figures(predictions, history), describe_mistakes(predictions, self.data))
        if not self.config.trainer.trial:
            with tempfile.TemporaryDirectory() as folder:
                write_whole_package(package, temperature, self.data, Path(folder, PACKAGE))
                run.log_model(Path(folder, PACKAGE), self.config.tags)

    def summary(self, scores: dict[str, float]) -> str:
        """`lstm, pooling last, seed 0: validation 0.8801, test 0.8850`."""
        config = self.config
        return (
            f"{config.encoder.name}, pooling {config.pooling.name}, seed {config.seed}: "
            f"validation {scores[BEST_ACCURACY]:.4f}, test {scores['test/accuracy']:.4f}"
        )


def build_model(config: ReviewConfig, vocabulary_size: int) -> SentimentClassifier:
    """The classifier of a configuration, drawn from the global random state."""
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


def gradient_sample(data: ReviewData, seed: int, size: int = 128) -> Batch:
    """A batch of validation reviews, the same for every encoder of a seed."""
    reviews = data.reviews("validation")
    return reviews[np.random.default_rng(seed).permutation(len(reviews))[:size].tolist()]
