"""A training step of a language model: tokens a second beside plain PyTorch's, and where its time goes.

    python experiments/benchmarks/language_model.py [--repeats N] [--length T] [override …]

The model is an LSTM's (H 512, vectors of 256, 30,000 words, 2,048 of them sampled), unless an override says otherwise.
It reads 64 texts of one length. Plain PyTorch is as its tutorials write it: `nn.LSTM` and
`nn.AdaptiveLogSoftmaxWithLoss` in float32, with as many threads. All take turns, and medians count. Run it alone. A
quick try:

    python experiments/benchmarks/language_model.py --repeats 1 --length 3 encoder.hidden_size=32 embedding.size=4
"""

import resource
import statistics
import time
from collections.abc import Callable
from typing import cast

import sentiment_rnn  # noqa: F401  # before torch: it sets how threads wait, as in every command

# isort: split
import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from benchmark import new_parser
from sentiment_rnn import runtime
from sentiment_rnn.cli.errors import run
from sentiment_rnn.config.run import LanguageModelConfig
from sentiment_rnn.config.store import run_config
from sentiment_rnn.data.tokenizer import PADDING_ID
from sentiment_rnn.engine.machine import resolved, threads_of
from sentiment_rnn.model.optimizer import clip_gradient_norm
from sentiment_rnn.model.recurrence import linear
from sentiment_rnn.tasks.language_model import build_model
from steps import CLIP_NORM, LEARNING_RATE, VOCABULARY_SIZE, random_batch

B = 64
"""Texts in a batch."""
CUTOFFS = [2_000, 10_000]
"""Words of the first, and of the first two clusters of the adaptive softmax: each next cluster is rarer."""


def main() -> None:
    """Print tokens a second, the shares of a step, and peak memory."""
    parser = new_parser(__doc__, overrides="a run")
    parser.add_argument("--repeats", type=int, default=5, help="steps of each kind (default: %(default)s)")
    parser.add_argument("--length", type=int, default=250, help="T, words of a text (default: %(default)s)")
    arguments = parser.parse_args()
    settings = (
        "trainer=cpu", "task=language_model", "data=imdb", "encoder=lstm", "encoder.hidden_size=512",
        "embedding.size=256", f"optimizer.learning_rate={LEARNING_RATE}", "optimizer.schedule=constant",
    )  # fmt: skip
    config = resolved(cast(LanguageModelConfig, run_config(*settings, *arguments.overrides)))
    runtime.prepare(threads_of(config.trainer))
    torch.manual_seed(0)
    words, lengths, _ = random_batch(B, arguments.length)
    kinds = kinds_of(config, words, lengths)
    for name, step in kinds.items():  # the first step of each allocates
        step()
        if name == "full step":
            print(f"peak memory so far {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")
    took: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(arguments.repeats):
        for name, step in kinds.items():
            started = time.perf_counter()
            step()
            took[name].append(time.perf_counter() - started)
    seconds = {name: statistics.median(times) for name, times in took.items()}
    for name, value in seconds.items():
        print(f"{name}: {value:.3f} s, {words.numel() / value:,.0f} tokens a second")
    for one, other in (
        ("plain PyTorch", "sampled step"), ("sampled step", "recurrence"), ("full output", "its products"),
    ):  # fmt: skip
        print(f"{one} / {other}: {seconds[one] / seconds[other]:.2f}")


def kinds_of(config: LanguageModelConfig, words: Tensor, lengths: Tensor) -> dict[str, Callable[[], object]]:
    """What is timed, by its name, on `words [B, T]` and `lengths [B]`.

    *Recurrence* is the backbone, forward and backward; *its products* the three of all logits with nothing between.
    """
    model = build_model(config, VOCABULARY_SIZE)
    model.choose_embedding_gradient(torch.device("cpu"))
    plain = Plain(config.embedding.size, config.encoder.hidden_size or 0, config.encoder.layers or 1)
    half = torch.autocast("cpu", dtype=torch.bfloat16, enabled=config.precision == "bfloat16")
    with half:
        said, targets = (each.detach() for each in model(words, lengths))
        states = model.backbone(words, lengths).detach()
    numbers = torch.bfloat16 if config.precision == "bfloat16" else torch.float32
    x, w = said.to(numbers), model.backbone.embedding.weight.detach().to(numbers)

    def loss(sampled: bool) -> Tensor:
        with half:
            found, asked = model(words, lengths)
            return model.loss(found, asked, sampled)

    def recurrence() -> None:
        model.zero_grad()
        with half:
            found = model.backbone(words, lengths)
        found.backward(states)

    def full_output() -> None:
        with half:
            model.loss(said.requires_grad_(), targets, sampled=False)

    def products() -> None:
        for part in x.split(1024):
            logits = linear(part, w)
            linear(logits, w.t())
            logits.t() @ part

    return {
        "sampled step": step_of(model, model.configure_optimizers(), lambda: loss(sampled=True)),
        "full step": step_of(model, model.configure_optimizers(), lambda: loss(sampled=False)),
        "recurrence": recurrence,
        "full output": full_output,
        "its products": products,
        "plain PyTorch": step_of(plain, AdamW(plain.parameters(), lr=LEARNING_RATE), lambda: plain(words)),
    }


def step_of(model: nn.Module, optimizer: Optimizer, loss: Callable[[], Tensor]) -> Callable[[], object]:
    """A training step, with its clipping."""

    def step() -> None:
        optimizer.zero_grad()
        loss().backward()
        clip_gradient_norm(model.parameters(), CLIP_NORM)
        optimizer.step()

    return step


class Plain(nn.Module):
    """A language model of PyTorch's modules, in float32, with weights that are not tied: its softmax has none to tie.

    Args:
        E, H: widths of a word's vector and of a state.
    """

    def __init__(self, E: int, H: int, layers: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY_SIZE, E, padding_idx=PADDING_ID)
        self.net = nn.LSTM(E, H, layers, batch_first=True)
        self.output = nn.AdaptiveLogSoftmaxWithLoss(H, VOCABULARY_SIZE, CUTOFFS)

    def forward(self, words: Tensor) -> Tensor:
        """Mean loss of `words [B, T]`."""
        states = self.net(self.embedding(words[:, :-1]))[0]
        return cast(Tensor, self.output(states.flatten(0, 1), words[:, 1:].flatten()).loss)


if __name__ == "__main__":
    run(main)
