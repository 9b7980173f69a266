"""Runs for a GPU, as far as a processor can test them: tensors stay on the inputs' device, and the settings fit a GPU.

PyTorch's meta device stands for the GPU: its tensors have shapes and types and no numbers, and an operation on one
tensor there and one on the processor raises, as it would on a GPU.
"""

import contextlib

import pytest
import torch
from torch import Tensor, nn
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


class Misplaced(nn.Module):
    """An encoder that makes a tensor on the processor, wherever its inputs are."""

    output_size = 8

    def forward(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """`[B, T, 8]`."""
        return embedded + torch.ones(8)


def test_a_tensor_on_another_device_would_be_noticed() -> None:
    model = build_model(composed("encoder=bag", "optimizer.schedule=constant"), 50)
    model.backbone.encoder = Misplaced()
    with pytest.raises(RuntimeError, match=r"device|meta"):
        train_a_step(model)


def test_a_batch_goes_to_the_device_as_a_whole(batch: Batch) -> None:
    moved = build_model(composed(), 50).transfer_batch_to_device(batch, META, 0)
    assert isinstance(moved, Batch)
    assert {part.device for part in moved} == {META}
