"""The head of the tasks on sequences: vectors → encoder → linear, at the last step or at every one."""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from sentiment_rnn.model.network import build_module, states_of
from sentiment_rnn.model.training import TrainingModule


class SequenceModel(TrainingModule):
    """Predicts a number for a sequence (loss: mean squared error), or a symbol at each step (loss: cross-entropy [nats
    per step with a target]).

    Args:
        input_size: E.
        symbols: number of classes at each step; 0: one number is read out at the last step.
        encoder: `_target_` and its arguments; see `EncoderConfig`.
        optimizer: see `OptimizerConfig`.
    """

    def __init__(self, input_size: int, symbols: int, encoder: dict[str, Any], optimizer: dict[str, Any]) -> None:
        super().__init__()
        self.optimizer_settings = optimizer
        self.save_hyperparameters(logger=False)
        self.symbols = symbols
        self.encoder = build_module(encoder, input_size)
        self.output = nn.Linear(cast(int, self.encoder.output_size), symbols or 1)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """`inputs [B, T, E]`, all of length T → `[B]`, or logits `[B, T, symbols]`; float32."""
        states = states_of(self.encoder, inputs, lengths)
        read = states if self.symbols else states[:, -1]
        with torch.autocast(read.device.type, enabled=False):
            said = self.output(read.float())
        return said if self.symbols else said.squeeze(1)

    def loss(self, said: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy of the symbols at steps with a target, or mean squared error of the numbers."""
        if self.symbols:
            return cross_entropy(said.flatten(0, 1), targets.flatten())
        return mse_loss(said, targets)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """The loss of a batch."""
        loss = self.loss(self(batch.inputs, batch.lengths), batch.targets)
        self.log_step("train/loss", loss, batch_size=len(batch.inputs))
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """`val/loss`."""
        loss = self.loss(self(batch.inputs, batch.lengths), batch.targets)
        self.log("val/loss", loss, batch_size=len(batch.inputs))

    def test_step(self, batch: Any, batch_idx: int) -> None:
        """`test/loss`; for symbols also `test/last_step_accuracy`, the accuracy at the last step."""
        said = self(batch.inputs, batch.lengths)
        self.log("test/loss", self.loss(said, batch.targets), batch_size=len(batch.inputs))
        if self.symbols:
            right = said[:, -1].argmax(1) == batch.targets[:, -1]
            self.log("test/last_step_accuracy", right.float().mean(), batch_size=len(batch.inputs))
