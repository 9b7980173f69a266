"""A training step, timed as the trainer takes it: of this project's classifier, and of PyTorch's plain modules."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.nn.utils.rnn import pack_padded_sequence

from sentiment_rnn.config.run import ReviewConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.engine.machine import threads_of
from sentiment_rnn.model.classifier import SentimentClassifier
from sentiment_rnn.model.optimizer import clip_gradient_norm
from sentiment_rnn.tasks.reviews import build_model

VOCABULARY_SIZE = 30_000
LEARNING_RATE = 1e-3
CLIP_NORM = 1.0
MODULES: dict[str, Callable[..., nn.RNNBase]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}

GATES = {"lstm": 4, "gru": 3, "rnn": 1, "bag": 0}
"""Matrix products of an encoder at each step, of the size of a state."""

Batch = tuple[Tensor, Tensor, Tensor]
"""tokens int64 [B, T], lengths int64 [B], labels float32 [B]."""
Step = Callable[[Batch], float]
"""Takes a training step on a batch and returns its seconds."""


@dataclass(frozen=True)
class Size:
    """Size of a model; a bag of words has no H."""

    H: int = 256
    """Width of a state."""
    E: int = 100
    """Width of an embedding."""


USUAL = Size()


def operations(encoder: str, size: Size = USUAL) -> int:
    """The floor: floating-point operations of a token's matrix products, forward, and twice that backward."""
    return 3 * 2 * GATES[encoder] * (size.E + size.H) * size.H


def classifier_step(model: nn.Module, bfloat16: bool, rows: bool = False) -> Step:
    """The steps of a classifier; their gradient is clipped, as the trainer's is.

    Args:
        bfloat16: compute under autocast.
        rows: update this project's embedding by rows.
    """
    optimizer: torch.optim.Optimizer
    if isinstance(model, SentimentClassifier):
        if rows:
            model.choose_embedding_gradient(torch.device("cpu"))
        optimizer = model.configure_optimizers()
    else:
        optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
    half = torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16)

    def step(batch: Batch) -> float:
        started = time.perf_counter()
        tokens, lengths, labels = batch
        optimizer.zero_grad()
        with half:
            loss = binary_cross_entropy_with_logits(model(tokens, lengths).float(), labels)
        loss.backward()
        clip_gradient_norm(model.parameters(), CLIP_NORM)
        optimizer.step()
        return time.perf_counter() - started

    return step


def configuration(encoder: str, size: Size = USUAL) -> ReviewConfig:
    """A run's, without dropout and with a constant learning rate."""
    settings = [f"encoder={encoder}", f"embedding.size={size.E}"]
    if encoder in MODULES:
        settings.append(f"encoder.hidden_size={size.H}")
    constant = (f"optimizer.learning_rate={LEARNING_RATE}", "optimizer.schedule=constant")
    return cast(ReviewConfig, run_config(*settings, *constant))


def threads_of_run(encoder: str) -> int:
    """Processor threads that a run of an encoder takes here."""
    return threads_of(configuration(encoder).trainer)


def project_model(encoder: str, size: Size = USUAL) -> SentimentClassifier:
    """This project's classifier."""
    return build_model(configuration(encoder, size), VOCABULARY_SIZE)


class Plain(nn.Module):
    """The classifier as tutorials write it: embed, `nn.LSTM` or its like, the last states, a linear layer. A bag takes
    the mean over the words.

    Args:
        packed: read packed sequences. Without it the net reads the padding too, as tutorials without packing have it.
    """

    def __init__(self, encoder: str, size: Size = USUAL, packed: bool = False) -> None:
        super().__init__()
        self.packed = packed
        self.embedding = nn.Embedding(VOCABULARY_SIZE, size.E, padding_idx=0)
        self.net: nn.Module | None = None
        if encoder in MODULES:
            self.net = MODULES[encoder](size.E, size.H, batch_first=True)
        self.output = nn.Linear(size.H if self.net else size.E, 1)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """`tokens [B, T]`, `lengths [B]` → logits [B]."""
        inputs = self.embedding(tokens)
        if self.net is None:  # the vector of padding is zero
            return self.output(inputs.sum(1) / lengths[:, None]).squeeze(1)
        if self.packed:
            inputs = pack_padded_sequence(inputs, lengths.cpu(), batch_first=True, enforce_sorted=False)
        state = self.net(inputs)[1]
        (last,) = state[0] if isinstance(state, tuple) else state  # [1, B, H], of the one layer
        return self.output(last).squeeze(1)


def random_batch(B: int, T: int) -> Batch:
    """Reviews of one length. Their words follow Zipf's law, that of rank r as often as 1 / r: real reviews repeat words
    as much."""
    frequencies = 1 / torch.arange(1, VOCABULARY_SIZE - 1)
    words = 2 + torch.multinomial(frequencies, B * T, replacement=True).reshape(B, T)  # 0 and 1: padding, unknown
    return words, torch.full((B,), T), torch.randint(0, 2, (B,)).float()
