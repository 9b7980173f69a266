"""Whoever trains on a GPU is promised steps that stay on it, as far as a processor can test that.

PyTorch's meta device stands for the GPU: its tensors have shapes and types and no numbers, and an operation on one
tensor there and one on the processor raises, as it would on a GPU.
"""

import contextlib

import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from sentiment_rnn.config.run import ReviewConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.data.batching import Batch
from sentiment_rnn.model.classifier import SentimentClassifier
from sentiment_rnn.model.optimizer import clip_gradient_norm
from sentiment_rnn.tasks.reviews import build_model

META = torch.device("meta")


@pytest.fixture(autouse=True)
def _autocast_that_knows_meta(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch's refuses a device without numbers."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())


def composed(*overrides: str) -> ReviewConfig:
    """A small configuration."""
    return run_config("encoder.hidden_size=8", "embedding.size=8", *overrides)


def train_a_step(model: SentimentClassifier) -> tuple[Tensor, Tensor]:
    """Loss and gradient norm of one step on the meta device, as the trainer takes it."""
    model.to(META)
    model.choose_embedding_gradient(META)
    optimizer = model.configure_optimizers()
    lengths = torch.empty(3, dtype=torch.int64, device=META)
    batch = Batch(torch.empty(3, 7, dtype=torch.int64, device=META), lengths, torch.empty(3, device=META), lengths)
    logits = model(batch.tokens, batch.lengths)
    loss = binary_cross_entropy_with_logits(logits, batch.labels)
    loss.backward()
    norm = clip_gradient_norm(model.parameters(), 1.0)
    optimizer.step()
    return loss, norm


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "mean_max", "last_mean_max"])
@pytest.mark.parametrize("encoder", ["rnn", "lstm", "bag"])
def test_a_training_step_stays_on_the_device_of_its_inputs(encoder: str, pooling: str) -> None:
    config = composed(
        f"encoder={encoder}", f"pooling={pooling}", "encoder.bidirectional=true", "encoder.layers=2",
        "embedding.word_dropout=0.1", "embedding.dropout=0.1", "optimizer.schedule=constant",
    )  # fmt: skip
    model = build_model(config, 50)
    loss, norm = train_a_step(model)
    assert loss.device == norm.device == META
    gradients = [parameter.grad for parameter in model.parameters()]
    assert all(gradient is not None and gradient.device == META for gradient in gradients)
    assert not model.backbone.embedding.sparse  # its size would have to come back from the GPU
