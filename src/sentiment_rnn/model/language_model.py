"""A language model: predicts the next word. It is a head on the backbone that classifiers have too, so that they can
start from its weights.

The probability of the next word w, given the state h_t of the words so far, is

    p(w | h_t) = softmax_w(e_w · P h_t + b_w)

over all words but padding. e_w is the word's vector in the embedding (tied weights: Press & Wolf 2017; Inan et al.
2017). P is a projection if a state is not as wide as a vector.
"""

import math
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from sentiment_rnn.model.network import Backbone
from sentiment_rnn.model.recurrence import linear
from sentiment_rnn.model.training import TextModule

ROWS, PIECE = 1024, 2**20
"""Number of targets whose logits are in memory at once (with fewer, matrix products are slow), and number of logits
whose softmax is taken at once (few enough for a processor's cache)."""


class LanguageModel(TextModule):
    """Predicts each next word of a review. A review is read once, from its first word to its last, from a zero state.

    `train/loss` is over the sampled words, `val/loss` over all words [nats per token], so the first is smaller. Without
    samples both are over all words. Words that are not in the vocabulary count as one word, `<unk>`.

    Args:
        vocabulary_size, embedding, encoder, padding_id, unknown_id: see `Backbone`.
        optimizer: see `OptimizerConfig`.
        samples: number of words in the softmax of a training step, beside each target; 0 takes all words.
    """

    def __init__(
        self,
        vocabulary_size: int,
        embedding: dict[str, Any],
        encoder: dict[str, Any],
        optimizer: dict[str, Any],
        samples: int = 0,
        padding_id: int = 0,
        unknown_id: int = 1,
    ) -> None:
        super().__init__()
        self.optimizer_settings = optimizer
        self.save_hyperparameters(logger=False)
        self.description: dict[str, Any] = {
            "task": "language_model", "vocabulary_size": vocabulary_size, "embedding": embedding, "encoder": encoder,
        }  # fmt: skip
        """Description of the model for its package: plain numbers, strings and dicts of them."""
        self.backbone = Backbone(vocabulary_size, embedding, encoder, padding_id, unknown_id)
        size, width = self.backbone.output_size, embedding["size"]
        self.projection = nn.Identity() if size == width else nn.Linear(size, width, bias=False)
        self.bias = nn.Parameter(torch.zeros(vocabulary_size))
        self.words = WordSampler(vocabulary_size, samples, padding_id)
        self.backbone.initialize_embedding()

    def forward(self, tokens: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """`tokens [B, T]` int64, `lengths [B]` int64 → `P h_t` at every word that has a next word, `[N, E]`, and the
        next words, `[N]` int64."""
        outputs = self.projection(self.backbone(tokens, lengths))[:, :-1]
        asked = torch.arange(outputs.shape[1], device=lengths.device) < lengths[:, None] - 1
        return outputs[asked], tokens[:, 1:][asked]

    def loss(self, outputs: Tensor, targets: Tensor, sampled: bool) -> Tensor:
        """Mean cross-entropy [nats per token] of `outputs [N, E]` and `targets [N]`, over sampled words or over all."""
        words, correction = self.words.draw() if sampled and self.words.samples else self.words.everything()
        embedding, bias = self.backbone.embedding, self.bias - correction
        target_logits = (outputs.float() * embedding(targets)).sum(1) + bias[targets]
        place = targets.new_full((len(bias),), -1).index_copy_(0, words, torch.arange(len(words), device=words.device))
        total = _CrossEntropy.apply(
            outputs, embedding(words), bias[words], target_logits, place[targets], torch.is_grad_enabled()
        )  # fmt: skip
        return cast(Tensor, total) / max(1, len(targets))

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Mean cross-entropy of a batch, over sampled words."""
        outputs, targets = self(batch.tokens, batch.lengths)
        loss = self.loss(outputs, targets, sampled=True)
        self.log_step("train/loss", loss, batch_size=len(targets))
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """`val/loss`, over all words; every token has the same weight."""
        outputs, targets = self(batch.tokens, batch.lengths)
        self.log("val/loss", self.loss(outputs, targets, sampled=False), batch_size=len(targets), sync_dist=True)

    def on_validation_epoch_end(self) -> None:
        """`val/perplexity`, exp(`val/loss`)."""
        self.log("val/perplexity", self.trainer.callback_metrics["val/loss"].exp(), sync_dist=True)


class WordSampler(nn.Module):
    """Samples words for the softmax of a training step (sampled softmax: Bengio & Senécal 2008; Jean et al. 2015).

    A sample has S different words, drawn one after the other with the probabilities of Zipf's law,

        q_k = log((k + 1) / k) / log V

    for the k-th of V - 1 words, since ids are sorted by decreasing frequency. Let y be a word, and C the sample with
    the target. If each word is in the sample with its own probability π, Bayes' rule gives
    p(target = y | C) ∝ p(y) / π_y. So each logit is corrected by log π_y = log(1 − (1 − q)^n), where n is the number of
    draws, repeated ones included, that gives S different words. The usual log(S q) corrects frequent words by too much,
    up to log(S q) nats.

    Args:
        samples: S. 0, or as many as there are words: all words, without correction.
    """

    def __init__(self, vocabulary_size: int, samples: int, padding_id: int = 0) -> None:
        super().__init__()
        words = torch.tensor([word for word in range(vocabulary_size) if word != padding_id])
        self.samples = samples if samples < len(words) else 0
        rank = torch.arange(1, vocabulary_size, dtype=torch.float64)
        q = torch.zeros(vocabulary_size, dtype=torch.float64)
        q[words] = (1 / rank).log1p() / math.log(vocabulary_size)
        correction = torch.zeros_like(q)
        if self.samples:
            correction[words] = log_inclusion(q[words], self.samples)
        # Not part of the state, since they follow from the arguments.
        for name, values in {"all": words, "q": q.float(), "correction": correction.float()}.items():
            self.register_buffer(name, values, persistent=False)

    def draw(self) -> tuple[Tensor, Tensor]:
        """A sample, int64 [S], and log π of every word, float32 [V]."""
        return torch.multinomial(cast(Tensor, self.q), self.samples), cast(Tensor, self.correction)

    def everything(self) -> tuple[Tensor, Tensor]:
        """All words but padding, int64 [V - 1], and zeros [V], since log π is 0 if all words are there."""
        return cast(Tensor, self.all), torch.zeros_like(cast(Tensor, self.correction))


def log_inclusion(q: Tensor, samples: int) -> Tensor:
    """log(1 − (1 − q)^n) `[V]` of `q [V]`, where n is such that the probabilities sum to `samples`."""

    def inclusion(logarithm: float) -> Tensor:
        return -torch.expm1(math.exp(logarithm) * torch.log1p(-q))

    low, high = 0.0, 60.0  # of log n
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (low, middle) if float(inclusion(middle).sum()) > samples else (middle, high)
    return inclusion(high).log()


class _CrossEntropy(torch.autograd.Function):
    """Σ_n log(exp(t_n) + Σ_k exp(x_n · w_k + b_k)) − t_n over `x [N, E]` and the targets' logits t; k runs over all
    words but the target.

    Only a piece of the logits `[N, K]` is in memory at a time. The gradient of a piece is computed with it: later steps
    only multiply it by a factor. So no logit is kept or computed twice.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, target_logits: Tensor, place: Tensor, differentiable: bool
    ) -> Tensor:
        """`weight [K, E]`, `bias [K]`, `target_logits [N]`, and each target's `place [N]` among the K words, or −1."""
        device = x.device.type
        numbers = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype
        lower, w = x.to(numbers), weight.to(numbers)
        total = target_logits.new_zeros(())
        if differentiable:
            found = dx, dw, db, by_target = [torch.zeros_like(each) for each in (lower, weight, bias, target_logits)]
            ctx.save_for_backward(*found)
        with torch.autocast(device, enabled=False):
            for start in range(0, len(x), ROWS):
                part = slice(start, start + ROWS)
                products = linear(lower[part], w)
                gradients = (by_target[part], db) if differentiable else None
                total += _cross_entropy_(products, bias, target_logits[part], place[part], gradients)
                if differentiable:
                    dx[part] = linear(products, w.t())
                    dw += products.t() @ lower[part]
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        scale = float(gradients[0])  # a tensor would be rounded to the type of the others, perhaps to three digits
        return *(scale * each for each in ctx.saved_tensors), None, None


def _cross_entropy_(
    products: Tensor, bias: Tensor, target_logits: Tensor, place: Tensor, gradients: tuple[Tensor, Tensor] | None
) -> Tensor:
    """The sum over a few targets. `gradients`, if given, are those of `target_logits [R]`, which is overwritten, and of
    `bias [K]`, which is added to; `products [R, K]` is then replaced by the gradient of the logits."""
    K, total = len(bias), target_logits.new_zeros(())
    rows = max(1, PIECE // K)
    for start in range(0, len(target_logits), rows):
        part = slice(start, start + rows)
        logits = target_logits.new_empty(len(target_logits[part]), K + 1)
        torch.add(products[part], bias, out=logits[:, :K])
        logits[:, K] = target_logits[part]
        (accidental,) = (place[part] >= 0).nonzero(as_tuple=True)
        logits[accidental, place[part][accidental]] = -torch.inf
        p = logits.softmax(1)
        # The logarithm of the largest p, which is never denormal; the target's p may be 0.
        total += (logits.amax(1) - p.amax(1).log() - target_logits[part]).sum()
        if gradients is not None:
            by_target, by_bias = gradients
            products[part] = p[:, :K]
            by_target[part] = p[:, K] - 1
            by_bias += p[:, :K].sum(0)
    return total
