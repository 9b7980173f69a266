"""The job of a run on reviews: is a review positive?"""

import copy
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sentiment_rnn.config.components import named_by_file
from sentiment_rnn.config.run import ReviewConfig
from sentiment_rnn.data.batching import Batch
from sentiment_rnn.data.datamodule import ReviewData
from sentiment_rnn.data.tokenizer import PADDING_ID, UNKNOWN_ID, check_splitter
from sentiment_rnn.errors import UserError
from sentiment_rnn.inference.package import TrainedBackbone
from sentiment_rnn.inference.probes import gradient_by_step_back
from sentiment_rnn.model.classifier import SentimentClassifier
from sentiment_rnn.model.network import check_target
from sentiment_rnn.tasks.job import Objective, TextJob
from sentiment_rnn.tasks.pretrained import note_texts_read, settle_pretrained, start_from
from sentiment_rnn.tracking.checkpoints import checkpoint_of, load_checkpoint
from sentiment_rnn.tracking.models import PACKAGE
from sentiment_rnn.tracking.names import BEST_ACCURACY
from sentiment_rnn.tracking.results import RecordedRun
from sentiment_rnn.tracking.run import TrackedRun

OUR_SOURCES = ("sentiment_rnn.data.sources.",)
"""Modules that a run may name as its source without anybody having imported it."""


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
        from sentiment_rnn.report.plotting import prediction_figures
        from sentiment_rnn.tasks.artifacts import describe_mistakes, write_whole_package

        run.log_pictures(prediction_figures(predictions), describe_mistakes(predictions, self.data))
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


def data_of(result: RecordedRun) -> ReviewData:
    """The reviews that a run read; raises `UserError` where they are gone, or their source is not to be trusted."""
    _check_source(result.config.data._target_)
    check_splitter(result.config.data.tokenizer)
    start = start_of(result)
    return ReviewData(result.config.data, result.seed, start.tokenizer if start else None)


def start_of(result: RecordedRun) -> TrainedBackbone | None:
    """What a run started from, in the store in which the run was found; None where its weights were drawn."""
    place = {"uri": result.store.uri, "directory": str(result.store.directory)}
    return settle_pretrained(replace(result.config, tracking=replace(result.config.tracking, **place)))


def load_tested(result: RecordedRun) -> SentimentClassifier:
    """The model of the checkpoint that was tested; raises `UserError` where it is gone or not to be trusted."""
    path = checkpoint_of(result)
    weights = load_checkpoint(path)["state_dict"]
    try:
        model = build_untrained(result.config, len(weights["backbone.embedding.weight"]))
        model.load_state_dict(weights)
    except (KeyError, TypeError, RuntimeError) as error:
        raise UserError(
            f"{path}: not a checkpoint of this run's model; delete the run in MLflow and train it again"
        ) from error
    return model


def build_untrained(config: ReviewConfig, vocabulary_size: int) -> SentimentClassifier:
    """The model of a run with weights that are drawn; raises `UserError` for a part that is not to be trusted."""
    for part in ("encoder", "pooling"):
        check_target(part, getattr(config, part)._target_)
    return build_model(config, vocabulary_size).eval()


def _check_source(target: str) -> None:
    """Refuse what a run names as its source of reviews, unless it is one and `named_by_file` takes it."""
    source = named_by_file("data", target, OUR_SOURCES)
    if not isinstance(source, type) or not all(hasattr(source, method) for method in ("fingerprint", "read")):
        raise UserError(f"data._target_={target}: no source of reviews; expected a class with `fingerprint` and `read`")
