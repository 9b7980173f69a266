"""The job of a run on sequences: adding, copying or parity."""

from dataclasses import asdict
from typing import Any

from sentiment_rnn.config.run import SequenceConfig
from sentiment_rnn.data.sequences import SequenceData, task_of
from sentiment_rnn.errors import UserError
from sentiment_rnn.model.sequence_model import SequenceModel
from sentiment_rnn.tasks.job import Objective
from sentiment_rnn.tracking.names import BASELINE, BEST_LOSS
from sentiment_rnn.tracking.run import TrackedRun


class SequenceJob:
    """Trains a model on sequences, which are generated when they are needed."""

    objective = Objective("val/loss", "min", BEST_LOSS)
    digest = ""
    tests = True

    def __init__(self, config: SequenceConfig) -> None:
        task = f"task={config.task.name}"
        for key in ("devices", "nodes"):
            if (value := getattr(config.trainer, key)) > 1:
                raise UserError(f"trainer.{key}={value}: {task} trains on one device; leave it out")
        if config.encoder.bidirectional:
            raise UserError(f"encoder.bidirectional=true: {task} reads from the left alone; leave it out")
        self.config = config
        self.task = task_of(config.task)
        self.data = SequenceData(config.task, config.seed)

    @property
    def tokens(self) -> int:
        """Steps of all sequences of an epoch."""
        return self.data.train.tokens

    @property
    def batches(self) -> int:
        """Training batches of an epoch."""
        return self.config.task.batches

    def model(self) -> SequenceModel:
        """The untrained model."""
        return SequenceModel(
            self.task.input_size,
            self.task.outputs,
            encoder=self.config.encoder.settings,
            optimizer=asdict(self.config.optimizer),
        )

    def before_training(self, model: Any, run: TrackedRun) -> None:
        """Records nothing, since the configuration fully describes the data."""

    def chosen(self, model: Any, score: float) -> float:
        """Return the same score, since training leaves nothing open."""
        return score

    def after_training(self, model: Any, run: TrackedRun) -> None:
        """Record the baseline, the loss without any memory."""
        run.log_metrics({BASELINE: self.task.baseline})

    def summary(self, scores: dict[str, float]) -> str:
        """`lstm, adding over 50 steps, seed 0: test loss 0.0012, who remembers nothing 0.1667`."""
        config = self.config
        return (
            f"{config.encoder.name}, {config.task.title}, seed {config.seed}: test loss {scores['test/loss']:.4f}, "
            f"who remembers nothing {self.task.baseline:.4f}"
        )
