"""The network that says whether a review is positive: backbone → pooling → linear → logit.

It is a plain torch module, so that using a trained model needs neither Lightning nor torchmetrics, which take longer to
load than torch itself.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from sentiment_rnn.config.components import class_named, named_by_file
from sentiment_rnn.errors import UserError
from sentiment_rnn.model.ngrams import NgramClassifier

OURS = ("sentiment_rnn.model.encoders.", "sentiment_rnn.model.pooling.")
"""Beginnings of the names of modules that a file may name although they are not imported yet."""


def check_target(part: str, target: str) -> None:
    """Refuse a file's encoder or pooling that is no torch module or that `named_by_file` refuses.

    Raises:
        UserError: the name is refused.
    """
    _check_module(named_by_file(part, target, OURS), f"{part}: {target} is")


def module_class(target: str, key: str = "_target_") -> type[Any]:
    """The class of a torch module that `target` names. It is imported, since the user named it.

    Args:
        key: the key that gives `target`, for messages.

    Raises:
        UserError: it names something else.
    """
    found = class_named(target, key)
    _check_module(found, f"{key}={target}:")
    return found


def _check_module(found: Any, named: str) -> None:
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise UserError(f"{named} no torch module; expected the class of one")


def build_module(settings: dict[str, Any], *arguments: Any) -> nn.Module:
    """The module of `settings["_target_"]`, built from these arguments and all other settings but `name`.

    Raises:
        UserError: `_target_` is not a torch module, or the class refuses a value.
    """
    given = {key: value for key, value in settings.items() if key not in ("_target_", "name")}
    try:
        return module_class(settings["_target_"])(*arguments, **given)
    except (ValueError, TypeError, AssertionError) as error:
        raise UserError(f"{settings['name']}: {(str(error).splitlines() or ['refused'])[0]}") from error


def states_of(encoder: nn.Module, embedded: Tensor, lengths: Tensor) -> Tensor:
    """`embedded [B, T, E]`, `lengths [B]` → states `[B, T, output_size]`.

    Raises:
        UserError: the encoder returns something else. This is checked in each step, which takes a microsecond.
    """
    states = encoder(embedded, lengths)
    expected = [*embedded.shape[:2], encoder.output_size]
    if isinstance(states, Tensor) and list(states.shape) == expected:
        return states
    found = list(states.shape) if isinstance(states, Tensor) else f"a {type(states).__name__}"
    raise UserError(
        f"{type(encoder).__name__}: its forward returned {found}; expected one tensor {expected}, "
        "a state for each token, [B, T, output_size]"
    )


class RowEmbedding(nn.Embedding):
    """`nn.Embedding` whose sparse gradient holds each row only once.

    With `sparse=True`, PyTorch's gradient has a row for every token of the batch but padding, and the optimizer sorts
    and sums the rows. Here equal tokens are summed in the backward pass, without sorting.
    """

    def forward(self, tokens: Tensor) -> Tensor:
        """`tokens [B, T]` int64 → `[B, T, E]`."""
        if not self.sparse:
            return super().forward(tokens)
        return cast(Tensor, _Rows.apply(self.weight, tokens, self.padding_idx))


class _Rows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, tokens: Tensor, padding_id: int | None) -> Tensor:
        ctx.save_for_backward(tokens)
        ctx.shape, ctx.padding_id = weight.shape, padding_id
        return torch.embedding(weight, tokens)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        tokens, gradient = ctx.saved_tensors[0].flatten(), gradients[0].flatten(0, -2)
        read = tokens.new_zeros(ctx.shape[0], dtype=torch.bool).index_fill_(0, tokens, True)
        rows = read.nonzero()[:, 0]
        place = torch.empty_like(read, dtype=torch.int64)
        place[rows] = torch.arange(len(rows), device=rows.device)
        values = gradient.new_zeros(len(rows), ctx.shape[1]).index_add_(0, place[tokens], gradient)
        if ctx.padding_id is not None:
            values[rows == ctx.padding_id] = 0.0
        # `rows` holds each row once, in order. So the check is skipped, and with it the warning about skipping it.
        return torch.sparse_coo_tensor(rows[None], values, ctx.shape, check_invariants=False), None, None


class SentimentNetwork(nn.Module):
    """Logit of a review being positive, `linear(pool(encode(embed(tokens))))`.

    Args:
        vocabulary_size, embedding, encoder, padding_id, unknown_id: see `Backbone`.
        pooling: `_target_` and `dropout`; see `PoolingConfig`.
        ngrams: `longest` and `size` of an `NgramClassifier` whose logit is combined with the network's; None: none.
    """

    ngrams: NgramClassifier | None

    def __init__(
        self,
        vocabulary_size: int,
        embedding: dict[str, Any],
        encoder: dict[str, Any],
        pooling: dict[str, Any],
        padding_id: int = 0,
        unknown_id: int = 1,
        ngrams: dict[str, int] | None = None,
    ) -> None:
        super().__init__()
        self._settings: dict[str, Any] = {
            "vocabulary_size": vocabulary_size, "embedding": embedding, "encoder": encoder, "pooling": pooling,
        }  # fmt: skip
        self.backbone = Backbone(vocabulary_size, embedding, encoder, padding_id, unknown_id)
        self.pooling = build_module({key: value for key, value in pooling.items() if key != "dropout"})
        self.pooling_dropout = nn.Dropout(pooling["dropout"])
        self.output = nn.Linear(self.backbone.output_size * cast(int, self.pooling.width), 1)
        self.backbone.initialize_embedding()
        self.ngrams = NgramClassifier(vocabulary_size, **ngrams) if ngrams else None

    @property
    def description(self) -> dict[str, Any]:
        """The arguments from which the same network can be built again: plain numbers, strings and dicts of them."""
        return self._settings | ({"ngrams": self.ngrams.description} if self.ngrams else {})

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """`tokens [B, T]` int64, `lengths [B]` int64 → logits `[B]` float32."""
        logits = self.classify(self.backbone.embed(tokens), lengths)
        return self.ngrams.combined(logits, tokens, lengths) if self.ngrams else logits

    def classify(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """`embedded [B, T, E]`, `lengths [B]` → logits `[B]` float32 of the network, without n-grams."""
        pooled = self.pooled(embedded, lengths)
        # bfloat16 keeps three digits: too few for a logit.
        with torch.autocast(pooled.device.type, enabled=False):
            return cast(Tensor, self.output(pooled.float()).squeeze(1))

    def pooled(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """`embedded [B, T, E]`, `lengths [B]` → the pooled vector that the output layer reads, `[B, width · D]`."""
        states = self.backbone.encode(embedded, lengths)
        return cast(Tensor, self.pooling_dropout(self.pooling(states, lengths)))


class Backbone(nn.Module):
    """A network from token ids to a state for each token.

    A head (`SentimentClassifier`) reads the states. No weight of the backbone belongs to a head, so another task can
    start from its weights.

    Args:
        vocabulary_size: rows of the embedding.
        embedding: `size`, `dropout` and `word_dropout`; see `EmbeddingConfig`.
        encoder: `_target_` and its arguments; see `EncoderConfig`.
        padding_id, unknown_id: ids of `<pad>` and `<unk>`.
    """

    def __init__(
        self,
        vocabulary_size: int,
        embedding: dict[str, Any],
        encoder: dict[str, Any],
        padding_id: int = 0,
        unknown_id: int = 1,
    ) -> None:
        super().__init__()
        self.unknown_id = unknown_id
        self.word_dropout = embedding["word_dropout"]
        self.embedding = RowEmbedding(vocabulary_size, embedding["size"], padding_idx=padding_id)
        self.dropout = nn.Dropout(embedding["dropout"])
        self.encoder = build_module(encoder, embedding["size"])

    @property
    def output_size(self) -> int:
        """D, width of a state."""
        return cast(int, self.encoder.output_size)

    def initialize_embedding(self) -> None:
        """Draw the token vectors, each element from N(0, 0.01); padding is 0.

        A head calls it after its own weights are drawn. In this order a seed gives the same weights as in versions
        without a backbone.
        """
        nn.init.normal_(self.embedding.weight, std=0.1)
        with torch.no_grad():
            self.embedding.weight[self.embedding.padding_idx].zero_()

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """`tokens [B, T]` int64, `lengths [B]` int64 → states `[B, T, D]`."""
        return self.encode(self.embed(tokens), lengths)

    def embed(self, tokens: Tensor) -> Tensor:
        """`tokens [B, T]` → `[B, T, E]`; in training some tokens are read as `<unk>`."""
        if self.training and self.word_dropout:
            tokens = self._drop_words(tokens)
        return cast(Tensor, self.embedding(tokens))

    def encode(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """`embedded [B, T, E]`, `lengths [B]` → states `[B, T, D]`."""
        return states_of(self.encoder, self.dropout(embedded), lengths)

    def _drop_words(self, tokens: Tensor) -> Tensor:
        dropped = torch.rand(tokens.shape, device=tokens.device) < self.word_dropout
        return tokens.masked_fill(dropped & (tokens != self.embedding.padding_idx), self.unknown_id)
