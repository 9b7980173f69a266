"""The interface between a task and the engine: data, model, objective, and what is recorded."""

import os
import tempfile
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from sentiment_rnn.config.code import loaded_code_digest
from sentiment_rnn.config.components import class_having
from sentiment_rnn.config.run import RunConfig
from sentiment_rnn.data.datamodule import ReviewData, TaskData
from sentiment_rnn.inference.package import Package, TrainedBackbone, pack, write_package
from sentiment_rnn.model.training import TrainingModule
from sentiment_rnn.tracking.models import PACKAGE
from sentiment_rnn.tracking.names import PROTOCOL_VARIABLE
from sentiment_rnn.tracking.run import TrackedRun


class Objective(NamedTuple):
    """Metric by which validation chooses a checkpoint."""

    metric: str
    """Metric that the model logs, such as `val/accuracy`."""
    mode: str
    """`max` or `min`."""
    best: str
    """Metric under which the run records the best value."""


class Job(Protocol):
    """One run of one task. The engine knows no more of a task than this.

    A new task is a class of this shape, a head in `model/`, and a file in `conf/task/` that names the class.
    """

    config: Any
    """A subclass of `RunConfig`."""
    objective: Objective
    tests: bool
    """Whether the chosen checkpoint is scored on a test part."""

    def __init__(self, config: Any) -> None:
        """Fill in settings that the configuration leaves open, without reading data; raises `UserError` for settings
        that the task does not allow."""

    @property
    def data(self) -> TaskData:
        """Batches to train, validate and test on."""

    @property
    def digest(self) -> str:
        """Digest of the data, a part of the run's identity; empty if the configuration fully describes the data."""

    @property
    def tokens(self) -> int:
        """Steps that an encoder takes in an epoch of training."""

    @property
    def batches(self) -> int:
        """Training batches of an epoch."""

    def model(self) -> TrainingModule:
        """The model before training: drawn from the global random state, or pretrained."""

    def before_training(self, model: TrainingModule, run: TrackedRun) -> None:
        """Record facts on the data and on the untrained model."""

    def chosen(self, model: TrainingModule, score: float) -> float:
        """Choose on validation what training leaves open; the model already has the weights that are tested. Returns
        the validation score with this choice.

        Args:
            score: validation score of the chosen epoch.
        """

    def after_training(self, model: TrainingModule, run: TrackedRun) -> None:
        """Record scores of the tested model, and the model itself."""

    def summary(self, scores: dict[str, float]) -> str:
        """One line on the run and its score."""


def job_of(config: RunConfig) -> Job:
    """The job of a configuration's task; raises `UserError` if there is none."""
    job: Job = class_having(config.task._target_, "task._target_", "task", "objective")(config)
    return job


def identity_of(job: Job) -> str:
    """The identity of a job's run, from its resolved configuration, its data and its code. For a run of a study, the
    study's protocol is a part of the identity too."""
    code = loaded_code_digest(tuple(job.config.targets)) + os.environ.get(PROTOCOL_VARIABLE, "")
    return str(job.config.identity(job.digest, code))


class TextJob:
    """Base of jobs on the texts of a source; a subclass sets the configuration and the data."""

    config: Any
    """A `TextConfig`."""
    data: ReviewData

    @property
    def digest(self) -> str:
        """SHA-256 of the corpus."""
        return self.data.corpus.digest

    @property
    def tokens(self) -> int:
        """Tokens that are read in an epoch."""
        return int(self.data.reviews("train").lengths.sum())

    @property
    def batches(self) -> int:
        """Training batches of an epoch."""
        return -(-len(self.data.reviews("train")) // self.config.data.batch_size)

    def before_training(self, model: Any, run: TrackedRun) -> None:
        """Record the corpus."""
        corpus = self.data.corpus
        sizes = {split: len(texts) for split, texts in corpus.splits.items()}
        run.log_data(self.config.data.name, corpus.digest, sizes)

    def chosen(self, model: Any, score: float) -> float:
        """Return the same score, since training leaves nothing open."""
        return score

    def packed(self, model: Any, run: TrackedRun, start: TrainedBackbone | None = None) -> Package:
        """The package of the trained model; `start` is the model that it started from."""
        label = self.config.encoder.label_with(run.overrides)
        return pack(model.cpu().eval(), self.data, self.config.precision, run.run_id, label, start)

    def record_model(self, package: Package, run: TrackedRun) -> None:
        """Record a packaged model."""
        with tempfile.TemporaryDirectory() as folder:
            write_package(package, Path(folder, PACKAGE))
            run.log_model(Path(folder, PACKAGE), self.config.tags)
