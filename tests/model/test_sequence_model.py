"""The model of tasks on sequences is scored where something is asked, and learns."""

from typing import Any

import lightning.pytorch as pl
import pytest
import torch

from sentiment_rnn.config.sections import SequenceTaskConfig
from sentiment_rnn.data.sequences import SequenceData, Sequences, adding, copying
from sentiment_rnn.model.sequence_model import SequenceModel

# Lightning's own advice, which does not concern these small fits.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*IterableDataset.* has `__len__`"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec"),
]
OPTIMIZER: dict[str, Any] = {
    "_target_": "sentiment_rnn.model.optimizer.RowAdamW", "learning_rate": 0.01, "weight_decay": 0.01, "options": {},
    "encoder_options": {}, "schedule": "one_cycle", "warmup_fraction": 0.3, "gradient_clip_norm": 1.0,
}  # fmt: skip


def build(task: str, encoder: str = "Lstm") -> SequenceModel:
    torch.manual_seed(0)
    cell = {"_target_": f"sentiment_rnn.model.encoders.{encoder}", "name": "one", "hidden_size": 32}
    kind = adding(5) if task == "adding" else copying(5, symbols=10, alphabet=8)
    return SequenceModel(kind.input_size, kind.outputs, cell, OPTIMIZER)


def data(task: str) -> SequenceData:
    """Short sequences: 100 batches of 32."""
    symbols, alphabet = (10, 8) if task == "copying" else (None, None)
    return SequenceData(
        SequenceTaskConfig(
            _target_="", name=task, steps=5, symbols=symbols, alphabet=alphabet, batch_size=32, batches=100,
            test_sequences=64,
        ),
        seed=0,
    )  # fmt: skip


@pytest.mark.parametrize("encoder", ["Rnn", "ReluRnn", "Gru", "Lstm"])
@pytest.mark.parametrize(("task", "shape"), [("adding", (32,)), ("copying", (32, 25, 10))])
def test_it_says_a_number_a_sequence_or_a_symbol_a_step(task: str, shape: tuple[int, ...], encoder: str) -> None:
    batch = next(iter(data(task).train))
    said = build(task, encoder)(batch.inputs, batch.lengths)
    assert said.shape == shape
    assert said.dtype == torch.float32


def test_it_learns_to_add_better_than_who_forgets() -> None:
    model = build("adding")
    trainer = pl.Trainer(
        accelerator="cpu", max_epochs=4, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(model, datamodule=data("adding"))
    assert trainer.callback_metrics["val/loss"] < adding(5).baseline / 5


def test_symbols_are_scored_at_each_step_and_at_the_last() -> None:
    targets, chances = [[1, 0, 1], [0, 1, 1]], [0.1, 0.5, 0.8, 0.9, 0.5, 0.4]
    model, logged = build("copying"), {}
    said = torch.tensor([[[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]], [[0.9, 0.1], [0.5, 0.5], [0.6, 0.4]]]).log()
    model.forward = lambda *_: said  # type: ignore[method-assign]
    model.log = lambda name, value, **_: logged.update({name: float(value)})  # type: ignore[method-assign, assignment]
    model.test_step(Sequences(torch.zeros(2, 3, 2), torch.tensor(targets)), 0)
    loss = -float(torch.tensor(chances).log().mean())
    assert logged == pytest.approx({"test/loss": loss, "test/last_step_accuracy": 0.5})
