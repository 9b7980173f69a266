"""Gradual unfreezing: which layers train in which epoch."""

from pathlib import Path
from typing import Any

import pytest
import torch

from sentiment_rnn.config.store import run_config
from sentiment_rnn.engine.train import train
from sentiment_rnn.errors import UserError
from sentiment_rnn.tasks.job import job_of
from sentiment_rnn.tasks.reviews import ReviewJob
from short_runs import ADDING, BAG, LSTM, REVIEWS, config_of

EACH_WAY = ("backbone.encoder.forwards", "backbone.encoder.backwards")
LRU = (*REVIEWS, "encoder=lru", "encoder.hidden_size=8")


@pytest.mark.parametrize(
    ("task", "more", "layers"),
    [
        (
            LSTM, "encoder.bidirectional=true",
            [["output"], [f"{way}.1" for way in EACH_WAY], [f"{way}.0" for way in EACH_WAY], ["backbone.embedding"]],
        ),
        (LRU, "seed=0", [["output"], [f"{EACH_WAY[0]}.1"], [f"{EACH_WAY[0]}.0"], ["backbone.embedding"]]),
        (
            (*LRU, "task=language_model"), "encoder.layers=1",
            [["bias"], [f"{EACH_WAY[0]}.0"], ["backbone.embedding"]],
        ),
        (BAG, "seed=0", [["output"], ["backbone.embedding"]]),
        (ADDING, "encoder=rnn_orthogonal", [["output"], ["encoder.forwards.0"]]),
    ],
)  # fmt: skip
def test_layers_are_those_of_the_head_the_encoder_and_the_embedding_from_the_top(
    task: tuple[str, ...], more: str, layers: list[list[str]], tmp_path: Path
) -> None:
    model = job_of(config_of(tmp_path, task, more)).model()
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    found = [[names[id(parameter)] for parameter in layer] for layer in model.layers_from_top()]
    assert len(found) == len(layers)
    for own, expected in zip(found, layers, strict=True):
        assert {start for start in expected for name in own if name.startswith(start)} == {*expected}
        assert all(name.startswith(tuple(expected)) for name in own)
    assert sorted(name for layer in found for name in layer) == sorted(names.values())


def test_a_further_layer_trains_after_each_so_many_epochs_and_frozen_ones_stay_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    initial: dict[str, torch.Tensor] = {}
    before_training = ReviewJob.before_training

    def note_and_go_on(job: ReviewJob, model: Any, run: Any) -> None:
        initial.update({name: weight.clone() for name, weight in model.state_dict().items()})
        before_training(job, model, run)

    monkeypatch.setattr(ReviewJob, "before_training", note_and_go_on)
    more = ("trainer.epochs=7", "trainer.keep_epochs=true", "optimizer.unfreeze_epochs=2")
    train(config_of(tmp_path, LSTM, *more, "optimizer.average_decay=0", "optimizer.weight_decay=0.5"), [])
    (checkpoints,) = tmp_path.glob("runs/checkpoints/*")
    first = {
        "output": 0, "backbone.encoder.forwards.1": 2, "backbone.encoder.forwards.0": 4, "backbone.embedding": 6,
    }  # fmt: skip
    for epoch in range(7):
        weights = torch.load(checkpoints / f"epoch{epoch}.ckpt", weights_only=True)["state_dict"]
        moved = {name.rpartition(".")[0] for name, weight in weights.items() if not torch.equal(weight, initial[name])}
        assert moved == {name for name, start in first.items() if epoch >= start}, epoch


def test_several_devices_are_refused() -> None:
    with pytest.raises(UserError, match=r"optimizer\.unfreeze_epochs=1: expected 0 on several devices"):
        run_config("optimizer.unfreeze_epochs=1", "trainer.devices=2")
