"""Models and data of finished runs, restored without importing anything that a run's files name."""

from dataclasses import replace

from sentiment_rnn.config.components import named_by_file
from sentiment_rnn.config.run import ReviewConfig
from sentiment_rnn.data.datamodule import ReviewData
from sentiment_rnn.data.tokenizer import check_splitter
from sentiment_rnn.errors import UserError
from sentiment_rnn.inference.package import TrainedBackbone
from sentiment_rnn.model.classifier import SentimentClassifier
from sentiment_rnn.model.components import check_target
from sentiment_rnn.tasks.pretrained import settle_pretrained
from sentiment_rnn.tasks.reviews import build_model
from sentiment_rnn.tracking.checkpoints import checkpoint_of, load_checkpoint
from sentiment_rnn.tracking.results import RecordedRun

OUR_SOURCES = ("sentiment_rnn.data.sources.",)
"""Modules that a run may name as its source without anybody having imported it."""


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
