"""`SentimentNetwork` in training: its loss, its scores, its optimizer."""

from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torchmetrics import MetricCollection
from torchmetrics.classification import BinaryAccuracy, BinaryAUROC, BinaryCalibrationError, BinaryF1Score

from sentiment_rnn.model.adversarial import Read, adversarial_loss, virtual_loss, with_same_noise
from sentiment_rnn.model.network import SentimentNetwork
from sentiment_rnn.model.training import TextModule


class SentimentClassifier(SentimentNetwork, TextModule):
    """The network as Lightning trains it.

    Hyperparameters are plain numbers, strings and dicts of them, so a checkpoint loads without Hydra.

    Args:
        optimizer: see `OptimizerConfig`.
        vocabulary_size, embedding, encoder, pooling, padding_id, unknown_id: see `SentimentNetwork`.
        adversarial, virtual: ε of adversarial and of virtual adversarial training; 0: none.
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
        adversarial: float = 0.0,
        virtual: float = 0.0,
    ) -> None:
        super().__init__(vocabulary_size, embedding, encoder, pooling, padding_id, unknown_id)
        self.optimizer_settings = optimizer
        self.adversarial, self.virtual = adversarial, virtual
        self.save_hyperparameters(logger=False)  # a run records the whole configuration

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
        """Indices int64 [B] and logits float32 [B] of the last test, one pair per batch."""

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Mean cross-entropy of a batch, `train/loss`, and the losses on perturbed reviews, with weight 1 each."""
        read: Read = partial(self.classify, lengths=batch.lengths)
        embedded = self.backbone.embed(batch.tokens)
        if self.adversarial or self.virtual:
            read = with_same_noise(read)
            embedded.requires_grad_()  # it has no gradient if the embedding is frozen
        logits = read(embedded)
        loss = total = binary_cross_entropy_with_logits(logits, batch.labels)
        self.log_step("train/loss", loss, batch_size=len(logits))
        if self.adversarial:
            total = total + adversarial_loss(read, embedded, batch.lengths, batch.labels, loss, self.adversarial)
        if self.virtual:
            total = total + virtual_loss(read, embedded, batch.lengths, logits, self.virtual)
        return total

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
        """Gather the predictions of all processes."""
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
