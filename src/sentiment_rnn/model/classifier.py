"""The head that says whether a review is positive: backbone → pooling → linear → logit."""

from pkgutil import resolve_name
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torchmetrics import MetricCollection
from torchmetrics.classification import BinaryAccuracy, BinaryAUROC, BinaryCalibrationError, BinaryF1Score

from sentiment_rnn.model.backbone import Backbone
from sentiment_rnn.model.components import build_module
from sentiment_rnn.model.optimizer import RowAdamW
from sentiment_rnn.model.training import TrainingModule


class SentimentClassifier(TrainingModule):
    """Probability that a review is positive, `sigmoid(linear(pool(encode(embed(tokens)))))`.

    Hyperparameters are plain numbers, strings and dicts of them, so a checkpoint loads without Hydra.

    Args:
        vocabulary_size: rows of the embedding.
        embedding: `size`, `dropout`, `word_dropout`; see `EmbeddingConfig`.
        encoder: `_target_` and its arguments; see `EncoderConfig`.
        pooling: `_target_` and `dropout`; see `PoolingConfig`.
        optimizer: see `OptimizerConfig`.
        padding_id, unknown_id: ids of `<pad>` and `<unk>`.
    """

    def __init__(
        self,
        vocabulary_size: int,
        embedding: dict[str, Any],
        encoder: dict[str, Any],
        pooling: dict[str, Any],
        optimizer: dict[str, Any],
        padding_id: int = 0,
        unknown_id: int = 1,
    ) -> None:
        super().__init__(optimizer)
        self.save_hyperparameters(logger=False)  # tracking/record.py logs the whole configuration
        self.backbone = Backbone(vocabulary_size, embedding, encoder, padding_id, unknown_id)
        self.pooling = build_module({key: value for key, value in pooling.items() if key != "dropout"})
        self.pooling_dropout = nn.Dropout(pooling["dropout"])
        self.output = nn.Linear(self.backbone.output_size * cast(int, self.pooling.width), 1)
        self.backbone.initialize_embedding()

        scores = MetricCollection(
            {
                "accuracy": BinaryAccuracy(validate_args=False),
                "f1": BinaryF1Score(validate_args=False),
                "auroc": BinaryAUROC(validate_args=False),
                "calibration_error": BinaryCalibrationError(n_bins=15, validate_args=False),
            }
        )
        self.scores = nn.ModuleDict({"val": scores.clone("val/"), "test": scores.clone("test/")})
        self.predictions: list[tuple[Tensor, Tensor]] = []
        """Indices int64 [B] and logits float32 [B] of the last test, a pair a batch."""

    def setup(self, stage: str) -> None:
        """Before a fit: have the embedding give the gradient that its optimizer takes fastest."""
        self.take_rows(self.trainer.strategy.root_device)

    def take_rows(self, device: torch.device) -> None:
        """Have the embedding give a sparse gradient where the optimizer is the faster for it: for a large table, on a
        CPU. Otherwise `RowAdamW` takes a dense one, to the same result. A GPU would wait for the number of rows."""
        rows = issubclass(resolve_name(self.optimizer_settings["_target_"]), RowAdamW)
        embedding = self.backbone.embedding
        worthwhile = device.type == "cpu" and embedding.num_embeddings >= RowAdamW.LARGE_TABLE
        embedding.sparse = rows and worthwhile and RowAdamW.takes_rows(self.embedding_options)

    @property
    def embedding_options(self) -> dict[str, Any]:
        """The optimizer's arguments for the embedding."""
        settings = self.optimizer_settings
        return {"weight_decay": 0.0, **settings["options"], **settings["embedding_options"]}

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """`tokens [B, T]` int64, `lengths [B]` int64 → logits `[B]` float32."""
        return self.classify(self.backbone.embed(tokens), lengths)

    def classify(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """`embedded [B, T, E]`, `lengths [B]` → logits `[B]` float32."""
        states = self.backbone.encode(embedded, lengths)
        pooled = self.pooling_dropout(self.pooling(states, lengths))
        # bfloat16 keeps three digits: too few for a logit.
        with torch.autocast(pooled.device.type, enabled=False):
            return self.output(pooled.float()).squeeze(1)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Mean cross-entropy of a batch."""
        logits = self(batch.tokens, batch.lengths)
        loss = binary_cross_entropy_with_logits(logits, batch.labels)
        self.log_step("train/loss", loss, batch_size=len(logits))
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """`val/loss` and the scores."""
        self._evaluate(batch, "val")

    def on_test_start(self) -> None:
        """Forget the predictions of an earlier test."""
        self.predictions = []

    def test_step(self, batch: Any, batch_idx: int) -> None:
        """`test/loss` and the scores; keeps the logits."""
        logits = self._evaluate(batch, "test")
        self.predictions.append((batch.indices.cpu(), logits.cpu()))

    def on_test_epoch_end(self) -> None:
        """Bring the predictions of all processes together."""
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            parts: list[Any] = [None] * torch.distributed.get_world_size()
            torch.distributed.all_gather_object(parts, self.predictions)
            self.predictions = [pair for part in parts for pair in part]

    def _evaluate(self, batch: Any, split: str) -> Tensor:
        logits = self(batch.tokens, batch.lengths)
        loss = binary_cross_entropy_with_logits(logits, batch.labels)
        self.log(f"{split}/loss", loss, batch_size=len(logits), sync_dist=True)
        scores = cast(MetricCollection, self.scores[split])
        scores.update(logits.sigmoid(), batch.labels.int())
        self.log_dict(scores, batch_size=len(logits))
        return logits

    def predict_step(self, batch: Any, batch_idx: int) -> tuple[Tensor, Tensor]:
        """Indices int64 [B] and probabilities of a positive review float32 [B]."""
        return batch.indices, self(batch.tokens, batch.lengths).sigmoid()

    def configure_optimizers(self) -> Any:
        """The configured optimizer, weights decayed but for biases and the embedding, and its schedule."""
        settings = self.optimizer_settings
        table = self.backbone.embedding.weight
        matrices = [p for p in self.parameters() if p.ndim > 1 and p is not table]
        biases = [p for p in self.parameters() if p.ndim <= 1]
        optimizer = resolve_name(settings["_target_"])(
            [
                {"params": matrices, "weight_decay": settings["weight_decay"]},
                {"params": biases, "weight_decay": 0.0},
                {"params": [table], **self.embedding_options},
            ],
            lr=settings["learning_rate"],
            **settings["options"],
        )
        return self.scheduled(optimizer)
