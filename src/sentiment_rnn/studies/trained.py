"""What a finished run left, ready to be looked at: its data, its weights at the start, and its checkpoints."""

from pathlib import Path

import lightning.pytorch as pl
from mlflow.entities import Run

from sentiment_rnn.checks import UserError
from sentiment_rnn.config import Config
from sentiment_rnn.data.datamodule import ReviewData
from sentiment_rnn.model.classifier import SentimentClassifier
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


def best(run: Run) -> SentimentClassifier:
    """The checkpoint that validation chose; raises `UserError` where it is gone."""
    return _load(Path(run.data.tags["sentiment_rnn.checkpoint"]))


def epochs(config: Config, run: Run) -> list[SentimentClassifier]:
    """The checkpoint after each epoch; raises `UserError` where one is gone, or was not kept."""
    folder = Path(run.data.tags["sentiment_rnn.checkpoint"]).parent
    return [_load(folder / f"epoch{epoch}.ckpt") for epoch in range(config.trainer.epochs)]


def _load(path: Path) -> SentimentClassifier:
    if not path.exists():
        raise UserError(
            f"{path}: this checkpoint is gone; give the folder where the runs were trained, or train them again with "
            "tracking.repeat=true"
        )
    return SentimentClassifier.load_from_checkpoint(path, map_location="cpu").eval()
