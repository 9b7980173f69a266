"""What a finished run left, ready to be looked at: its data, its weights at the start, and its checkpoints."""

from pathlib import Path

import lightning.pytorch as pl
from mlflow.entities import Run

from sentiment_rnn.checks import UserError
from sentiment_rnn.config import Config
from sentiment_rnn.data.datamodule import ReviewData
from sentiment_rnn.model.classifier import SentimentClassifier
from sentiment_rnn.model.module import check_target
from sentiment_rnn.tracking.checkpoints import best_checkpoint, epoch_checkpoints, load_checkpoint
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
    """The weights with which a run of this configuration begins."""
    pl.seed_everything(config.seed, verbose=False)
    return _build(config, len(data.corpus.vocabulary))


def best(store: Store, run: Run) -> SentimentClassifier:
    """The model of the checkpoint that validation chose; raises `UserError` where it is gone or not to be trusted."""
    return _load(config_of(store, run), best_checkpoint(store, run))


def epochs(store: Store, config: Config, run: Run) -> list[SentimentClassifier]:
    """The model after each epoch; raises `UserError` where one is gone, was not kept, or is not to be trusted."""
    return [_load(config, path) for path in epoch_checkpoints(store, run, config.trainer.epochs)]


def _load(config: Config, path: Path) -> SentimentClassifier:
    weights = load_checkpoint(path)["state_dict"]
    try:
        model = _build(config, len(weights["embedding.weight"]))
        model.load_state_dict(weights)
    except (KeyError, TypeError, RuntimeError) as error:
        raise UserError(
            f"{path}: not a checkpoint of this run's model; train again with tracking.repeat=true"
        ) from error
    return model


def _build(config: Config, vocabulary_size: int) -> SentimentClassifier:
    for part in ("encoder", "pooling"):
        check_target(part, getattr(config, part)._target_)
    return build_model(config, vocabulary_size).eval()
