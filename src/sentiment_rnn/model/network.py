"""The network that says whether a review is positive: backbone → pooling → linear → logit.

It is a plain torch module: to use a trained model takes no more. Lightning and torchmetrics take longer to load than
torch itself.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn

from sentiment_rnn.model.components import build_module, states_of
from sentiment_rnn.model.embedding import RowEmbedding, TextDropout


class SentimentNetwork(nn.Module):
    """Logit of a review being positive, `linear(pool(encode(embed(tokens))))`.

    Args:
        vocabulary_size, embedding, encoder, padding_id, unknown_id: of the `Backbone`.
        pooling: `_target_` and `dropout`; see `PoolingConfig`.
    """

    def __init__(
        self,
        vocabulary_size: int,
        embedding: dict[str, Any],
        encoder: dict[str, Any],
        pooling: dict[str, Any],
        padding_id: int = 0,
        unknown_id: int = 1,
    ) -> None:
        super().__init__()
        self.description: dict[str, Any] = {
            "vocabulary_size": vocabulary_size, "embedding": embedding, "encoder": encoder, "pooling": pooling,
        }  # fmt: skip
        """The arguments from which the same network is built again; plain numbers, strings and dicts of them."""
        self.backbone = Backbone(vocabulary_size, embedding, encoder, padding_id, unknown_id)
        self.pooling = build_module({key: value for key, value in pooling.items() if key != "dropout"})
        self.pooling_dropout = nn.Dropout(pooling["dropout"])
        self.output = nn.Linear(self.backbone.output_size * cast(int, self.pooling.width), 1)
        self.backbone.initialize_embedding()

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """`tokens [B, T]` int64, `lengths [B]` int64 → logits `[B]` float32."""
        return self.classify(self.backbone.embed(tokens), lengths)

    def classify(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """`embedded [B, T, E]`, `lengths [B]` → logits `[B]` float32."""
        pooled = self.pooled(embedded, lengths)
        # bfloat16 keeps three digits: too few for a logit.
        with torch.autocast(pooled.device.type, enabled=False):
            return cast(Tensor, self.output(pooled.float()).squeeze(1))

    def pooled(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """`embedded [B, T, E]`, `lengths [B]` → what the output layer reads, `[B, width · D]`."""
        states = self.backbone.encode(embedded, lengths)
        return cast(Tensor, self.pooling_dropout(self.pooling(states, lengths)))


class Backbone(nn.Module):
    """A network from token ids to a state for each token.

    A head (`SentimentClassifier`) reads the states. The weights can be handed from one task to another, since none of
    them belong to a head.

    Args:
        vocabulary_size: rows of the embedding.
        embedding: `size`, `dropout`, `word_dropout` and, in models of today, `variational`; see `EmbeddingConfig`.
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
        self.dropout = (TextDropout if embedding.get("variational") else nn.Dropout)(embedding["dropout"])
        self.encoder = build_module(encoder, embedding["size"])

    @property
    def output_size(self) -> int:
        """D, width of a state."""
        return cast(int, self.encoder.output_size)

    def initialize_embedding(self) -> None:
        """Draw the token vectors, each element from N(0, 0.01); padding is 0.

        A head calls it when its own weights are drawn: in this order the same seed gives the same weights as before
        there was a backbone.
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
