"""A training step, as the trainer takes it, and its seconds."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

import device
from models import LEARNING_RATE, Batch
from sentiment_rnn.model.classifier import SentimentClassifier
from sentiment_rnn.model.optimizer import clip_gradient_norm

CLIP_NORM = 1.0

Step = Callable[[Batch], float]
"""Takes a training step on a batch and returns its seconds."""


def classifier_step(model: nn.Module, bfloat16: bool, rows: bool = False) -> Step:
    """The steps of a classifier.

    Args:
        bfloat16: compute under autocast.
        rows: update this project's embedding by rows.
    """
    if isinstance(model, SentimentClassifier):
        if rows:
            model.take_rows(device.place())
        optimizer = model.configure_optimizers()
    else:
        optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)

    def loss(tokens: Tensor, lengths: Tensor, labels: Tensor) -> Tensor:
        return binary_cross_entropy_with_logits(model(tokens, lengths).float(), labels)

    return timed_step(loss, optimizer, bfloat16)


def timed_step(
    loss: Callable[..., Tensor], optimizer: torch.optim.Optimizer, bfloat16: bool
) -> Callable[[tuple[Tensor, ...]], float]:
    """The steps of what gives a loss for the parts of a batch; clipped, as the trainer's are."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    half = torch.autocast(device.place().type, dtype=torch.bfloat16, enabled=bfloat16)

    def step(batch: tuple[Tensor, ...]) -> float:
        started = device.now()
        parts = [part.to(device.place(), non_blocking=True) for part in batch]
        optimizer.zero_grad()
        with half:
            value = loss(*parts)
        value.backward()
        with torch.profiler.record_function("clip"):
            clip_gradient_norm(parameters, CLIP_NORM)
        optimizer.step()
        return device.now() - started

    return step
