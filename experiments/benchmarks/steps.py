"""Training steps as the trainer takes them, for this project's classifier and for PyTorch's plain modules."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.nn.utils.rnn import pack_padded_sequence
from torch.optim import AdamW, Optimizer

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
"""Number of matrix products of an encoder at each step, each as wide as a state."""

Batch = tuple[Tensor, Tensor, Tensor]
"""tokens int64 [B, T], lengths int64 [B], labels float32 [B]."""
Step = Callable[[Batch], None]


@dataclass(frozen=True)
class Size:
    """Widths of a state (H) and of an embedding (E); a bag of words has no H."""

    H: int
    E: int


def operations(encoder: str, size: Size) -> int:
    """Floating-point operations of a token's matrix products: forward, plus twice as many backward."""
    return 3 * 2 * GATES[encoder] * (size.E + size.H) * size.H


def project_step(encoder: str, size: Size, half: bool) -> Step:
    """The step of this project's classifier.

    Args:
        half: compute in bfloat16, under autocast.
    """
    model = project_model(encoder, size)
    model.choose_embedding_gradient(torch.device("cpu"))
    return classifier_step(model, model.configure_optimizers(), half)


def pytorch_step(model: nn.Module, half: bool) -> Step:
    """The step of PyTorch's plain modules."""
    return classifier_step(model, AdamW(model.parameters(), lr=LEARNING_RATE), half)


def classifier_step(model: nn.Module, optimizer: Optimizer, half: bool) -> Step:
    """A step that clips the gradient, like the trainer's."""
    autocast = torch.autocast("cpu", dtype=torch.bfloat16, enabled=half)

    def step(batch: Batch) -> None:
        tokens, lengths, labels = batch
        optimizer.zero_grad()
        with autocast:
            loss = binary_cross_entropy_with_logits(model(tokens, lengths).float(), labels)
        loss.backward()
        clip_gradient_norm(model.parameters(), CLIP_NORM)
        optimizer.step()

    return step


def project_model(encoder: str, size: Size) -> SentimentClassifier:
    """This project's classifier, without dropout and with a constant learning rate."""
    settings = [f"encoder={encoder}", f"embedding.size={size.E}", f"optimizer.learning_rate={LEARNING_RATE}"]
    settings += [f"encoder.hidden_size={size.H}"] if encoder in MODULES else []
    return build_model(cast(ReviewConfig, run_config(*settings, "optimizer.schedule=constant")), VOCABULARY_SIZE)


def threads_of_run(encoder: str) -> int:
    """Processor threads that a run of an encoder uses on this machine."""
    return threads_of(run_config(f"encoder={encoder}").trainer)


class Plain(nn.Module):
    """The classifier as tutorials write it: an embedding, `nn.LSTM` or a similar module, the last state, a linear
    layer. A bag takes the mean over the words.

    Args:
        packed: read packed sequences. Without it the net also reads the padding, as in tutorials without packing.
    """

    def __init__(self, encoder: str, size: Size, packed: bool = False) -> None:
        super().__init__()
        self.packed = packed
        self.embedding = nn.Embedding(VOCABULARY_SIZE, size.E, padding_idx=0)
        self.net = MODULES[encoder](size.E, size.H, batch_first=True) if encoder in MODULES else None
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
    """Random reviews of one length. Word frequencies follow Zipf's law, 1 / r for rank r, as in real reviews."""
    frequencies = 1 / torch.arange(1, VOCABULARY_SIZE - 1)
    words = 2 + torch.multinomial(frequencies, B * T, replacement=True).reshape(B, T)  # 0 and 1: padding, unknown
    return words, torch.full((B,), T), torch.randint(0, 2, (B,)).float()
