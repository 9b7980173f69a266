"""What jobs that read texts share: how much there is to read, and what is recorded of it."""

from typing import Any

from sentiment_rnn.data.datamodule import ReviewData
from sentiment_rnn.tracking.run import TrackedRun


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

    def before_training(self, model: Any, run: TrackedRun | None) -> None:
        """Record the corpus."""
        if run:
            corpus = self.data.corpus
            sizes = {split: len(texts) for split, texts in corpus.splits.items()}
            run.log_data(self.config.data.name, corpus.digest, sizes)
