"""The job of a language model, which predicts the next word."""

import copy
import math
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import torch

from sentiment_rnn.config.run import LanguageModelConfig
from sentiment_rnn.data.datamodule import TextData
from sentiment_rnn.data.tokenizer import PADDING_ID, UNKNOWN_ID
from sentiment_rnn.errors import UserError
from sentiment_rnn.model.language_model import LanguageModel
from sentiment_rnn.tasks.job import Objective, TextJob
from sentiment_rnn.tracking.names import BEST_LOSS
from sentiment_rnn.tracking.run import TrackedRun


class LanguageModelJob(TextJob):
    """Trains a language model, and packages it for classifiers that start from it (`pretrained`). There is no test."""

    objective = Objective("val/loss", "min", BEST_LOSS)
    tests = False

    def __init__(self, config: LanguageModelConfig) -> None:
        if config.encoder.bidirectional:
            raise UserError(
                "encoder.bidirectional=true: task=language_model reads from the left alone, or it would see the word "
                "that it is asked for; give encoder.bidirectional=false"
            )
        if config.encoder.gradient_steps:
            raise UserError(
                f"encoder.gradient_steps={config.encoder.gradient_steps}: only the last tokens of a text would be "
                "learned, since the gradient of all others ends; expected 0 with task=language_model"
            )
        self.config = config
        self.data = TextData(config.data, config.seed)

    def model(self) -> LanguageModel:
        """The untrained model; raises `UserError` for an encoder whose states depend on later tokens."""
        model = build_model(self.config, len(self.data.corpus.tokenizer))
        tokens = torch.tensor([[UNKNOWN_ID] * 3, [UNKNOWN_ID] * 2 + [PADDING_ID]])
        with torch.no_grad(), suppress(RuntimeError):  # the encoder may work only on a GPU
            before, after = copy.deepcopy(model.backbone).eval()(tokens, torch.tensor([3, 3]))[:, :2]
            if not torch.allclose(before, after):
                raise UserError(
                    f"encoder={self.config.encoder.name}: a state changes with the tokens behind it, so a language "
                    "model would see the word that it is asked for; expected one that reads from the left alone"
                )
        return model

    def after_training(self, model: Any, run: TrackedRun) -> None:
        """Record the packaged model."""
        self.record_model(self.packed(model, run), run)

    def summary(self, scores: dict[str, float]) -> str:
        """`lstm, language model, seed 0: validation 4.4543 nats a token, perplexity 86.0`."""
        config, loss = self.config, scores[BEST_LOSS]
        return (
            f"{config.encoder.name}, language model, seed {config.seed}: "
            f"validation {loss:.4f} nats a token, perplexity {math.exp(loss):.1f}"
        )


def build_model(config: LanguageModelConfig, vocabulary_size: int) -> LanguageModel:
    """The language model of a configuration, drawn from the global random state."""
    return LanguageModel(
        vocabulary_size,
        embedding=asdict(config.embedding),
        encoder=config.encoder.settings,
        optimizer=asdict(config.optimizer),
        samples=config.task.samples,
        padding_id=PADDING_ID,
        unknown_id=UNKNOWN_ID,
    )
