"""The classifiers that are timed: this project's, and PyTorch's plain modules as tutorials use them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

import device
from sentiment_rnn.config.run import ReviewConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.model.classifier import SentimentClassifier
from sentiment_rnn.runs.machine import threads_of
from sentiment_rnn.runs.reviews import build_model

VOCABULARY_SIZE = 30_000
LEARNING_RATE = 1e-3
MODULES: dict[str, Callable[..., nn.RNNBase]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}

Batch = tuple[Tensor, Tensor, Tensor]
"""tokens int64 [B, T], lengths int64 [B], labels float32 [B]."""


@dataclass(frozen=True)
class Size:
    """Of a model; H, layers and directions say nothing of a bag."""

    H: int = 256
    """Width of a state in one direction."""
    layers: int = 1
    directions: int = 1
    E: int = 100
    """Width of an embedding."""


USUAL = Size()


def configuration(encoder: str, size: Size = USUAL) -> ReviewConfig:
    """A run's, without dropout and with a constant learning rate."""
    settings = [f"encoder={encoder}", f"embedding.size={size.E}"]
    if encoder in MODULES:
        settings += [f"encoder.hidden_size={size.H}", f"encoder.layers={size.layers}"]
        settings += [f"encoder.bidirectional={str(size.directions == 2).lower()}"]
    return cast(
        ReviewConfig,
        run_config(*settings, f"optimizer.learning_rate={LEARNING_RATE}", "optimizer.schedule=constant"),
    )


def threads_of_run(encoder: str) -> int:
    """Processor threads that a run of an encoder takes here."""
    return threads_of(configuration(encoder).trainer)


def project_model(encoder: str, size: Size = USUAL) -> SentimentClassifier:
    """This project's classifier, on the device."""
    return build_model(configuration(encoder, size), VOCABULARY_SIZE).to(device.place())


def plain_model(encoder: str, size: Size = USUAL, *, packed: bool = False) -> nn.Module:
    """The classifier of PyTorch's own modules, on the device."""
    model = PlainBag(size) if encoder == "bag" else Plain(MODULES[encoder], size, packed)
    return model.to(device.place())


def random_batch(B: int, T: int) -> Batch:
    """Reviews of one length."""
    return random_words(B, T), torch.full((B,), T), torch.randint(0, 2, (B,)).float()


def random_words(B: int, T: int) -> Tensor:
    """int64 [B, T], drawn by Zipf's law, the word of rank r as often as 1 / r: real reviews repeat words as much."""
    frequencies = 1 / torch.arange(1, VOCABULARY_SIZE - 1)
    return 2 + torch.multinomial(frequencies, B * T, replacement=True).reshape(B, T)  # 0 and 1: padding, unknown


class Plain(nn.Module):
    """The classifier as tutorials write it: embed, `nn.LSTM` or its like, the last states, a linear layer.

    Args:
        packed: read packed sequences. Without it the net reads the padding too, as tutorials without packing have it.
    """

    def __init__(self, module: Callable[..., nn.RNNBase], size: Size, packed: bool) -> None:
        super().__init__()
        self.packed = packed
        self.directions = size.directions
        self.embedding = nn.Embedding(VOCABULARY_SIZE, size.E, padding_idx=0)
        self.net = module(size.E, size.H, num_layers=size.layers, bidirectional=size.directions == 2, batch_first=True)
        self.output = nn.Linear(size.directions * size.H, 1)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """`tokens [B, T]`, `lengths [B]` → logits [B]."""
        inputs = self.embedding(tokens)
        if self.packed:
            inputs = pack_padded_sequence(inputs, lengths.cpu(), batch_first=True, enforce_sorted=False)
        state = self.net(inputs)[1]
        last = state[0] if isinstance(state, tuple) else state  # [layers · directions, B, H]
        return self.output(last[-self.directions :].transpose(0, 1).flatten(1)).squeeze(1)


class PlainBag(nn.Module):
    """Embed, the mean over the words, a linear layer."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY_SIZE, size.E, padding_idx=0)
        self.output = nn.Linear(size.E, 1)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """`tokens [B, T]`, `lengths [B]` → logits [B]; the vector of padding is zero."""
        return self.output(self.embedding(tokens).sum(1) / lengths[:, None]).squeeze(1)
