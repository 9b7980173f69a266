"""The network that says whether a review is positive: backbone → pooling → linear → logit.

It is a plain torch module: to use a trained model takes no more. Lightning and torchmetrics take longer to load than
torch itself.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn

from sentiment_rnn.model.backbone import Backbone
from sentiment_rnn.model.components import build_module


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
        """`embedded [B, T, E]`, `lengths [B]` → what the output layer reads, `[B, D]`."""
        states = self.backbone.encode(embedded, lengths)
        return cast(Tensor, self.pooling_dropout(self.pooling(states, lengths)))
