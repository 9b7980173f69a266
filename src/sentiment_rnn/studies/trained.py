"""What a finished run left, ready to be looked at: its data, its weights at the start, and its checkpoints."""

from pathlib import Path

import lightning.pytorch as pl
from mlflow.entities import Run

from sentiment_rnn.config import Config
from sentiment_rnn.data.datamodule import ReviewData
from sentiment_rnn.model.classifier import SentimentClassifier
from sentiment_rnn.tracking.checkpoints import best_checkpoint, epoch_checkpoints
from sentiment_rnn.tracking.results import config_of
from sentiment_rnn.tracking.store import Store
from sentiment_rnn.training import build_model


def data_of(store: Store, run: Run) -> tuple[Config, ReviewData]:
    """The configuration of a run and the reviews that it read."""
    config = config_of(store, run)
    data = ReviewData(config.data, config.seed)
    data.setup()
    return config, data


def untrained(config: Config, data: ReviewData) -> SentimentClassifier:
    """The weights with which a run of this configuration starts."""
    pl.seed_everything(config.seed, verbose=False)
    return build_model(config, len(data.corpus.vocabulary)).eval()


def best(store: Store, run: Run) -> SentimentClassifier:
    """The checkpoint that validation chose; raises `UserError` where it is gone or not to be trusted."""
    return _load(best_checkpoint(store, run))


def epochs(store: Store, config: Config, run: Run) -> list[SentimentClassifier]:
    """The checkpoint after each epoch; raises `UserError` where one is gone, was not kept, or is not to be trusted."""
    return [_load(path) for path in epoch_checkpoints(store, run, config.trainer.epochs)]


def _load(path: Path) -> SentimentClassifier:
    return SentimentClassifier.load_from_checkpoint(path, map_location="cpu", weights_only=True).eval()
