"""What every encoder and pooling of `conf/` promises in training, and how the classifier trains: clipping,
rates, decay, scores and precision."""

import csv
import functools
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
import yaml
from lightning.pytorch.loggers import CSVLogger
from sklearn.metrics import accuracy_score, f1_score, log_loss, roc_auc_score
from torch import Tensor, nn
from torch.utils.data import DataLoader

from sentiment_rnn.config import CONFIGURATION
from sentiment_rnn.config.store import run_config
from sentiment_rnn.data.batching import Batch
from sentiment_rnn.model.classifier import SentimentClassifier

BOTH_WAYS = ("encoder.bidirectional=true", "encoder.layers=2")
ENCODERS: dict[str, tuple[str, ...]] = {
    **{path.stem: (f"encoder={path.stem}",) for path in sorted(Path(CONFIGURATION, "encoder").glob("*.yaml"))},
    "rnn_both_ways": ("encoder=rnn", *BOTH_WAYS),
    "lstm_both_ways": ("encoder=lstm", *BOTH_WAYS),
    "slstm_both_ways": ("encoder=slstm", *BOTH_WAYS),
}
"""Overrides of every encoder that `conf/` has, a new one too, and of three that read in both directions."""
POOLINGS = {
    path.stem: yaml.safe_load(path.read_text()) for path in sorted(Path(CONFIGURATION, "pooling").glob("*.yaml"))
}
"""Every pooling that `conf/` has, a new one too."""
EACH_ENCODER = pytest.mark.parametrize("encoder", list(ENCODERS))
SOME_ENCODERS = pytest.mark.parametrize("encoder", ["rnn", "lstm", "gru", "lstm_both_ways", "bag"])
EACH_POOLING = pytest.mark.parametrize("pooling", list(POOLINGS))

# Lightning's own advice, which does not concern these small fits.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers.*"),
    pytest.mark.filterwarnings("ignore:.*have no `val_dataloader`.*"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*"),
]


@functools.cache
def encoder_settings(encoder: str) -> dict[str, Any]:
    """A small one, as a configuration gives it to the model."""
    return run_config(*ENCODERS[encoder], "encoder.hidden_size=8", "embedding.size=8").encoder.settings


def build_classifier(encoder: str = "lstm", pooling: str = "last", **overrides: Any) -> SentimentClassifier:
    """A small classifier; `overrides` go to the section that has the key."""
    torch.manual_seed(0)
    sections: dict[str, dict[str, Any]] = {
        "embedding": {"size": 8, "dropout": 0.0, "word_dropout": 0.0},
        "optimizer": {
            "_target_": "sentiment_rnn.model.optimizer.RowAdamW", "learning_rate": 0.01, "learning_rates": {},
            "weight_decay": 0.01, "options": {}, "embedding_options": {"betas": [0.0, 0.999]}, "encoder_options": {},
            "schedule": "constant", "warmup_fraction": 0.3, "gradient_clip_norm": 1.0,
        },
    }  # fmt: skip
    for key, value in overrides.items():
        section = next(section for section in sections.values() if key in section)
        section[key] = value
    return SentimentClassifier(
        50,
        encoder=encoder_settings(encoder),
        pooling=POOLINGS[pooling],
        **sections,
    )  # fmt: skip


def fit(model: SentimentClassifier, batches: list[Batch], *callbacks: pl.Callback, epochs: int = 1) -> pl.Trainer:
    """Train on the batches as they are."""
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=1,
        callbacks=list(callbacks),
    )
    trainer.fit(model, loader(batches))
    return trainer


def loader(batches: list[Batch]) -> DataLoader:
    """The batches as they are, in their order."""
    return DataLoader(batches, batch_size=None)  # type: ignore[arg-type]


def named_parameters(model: nn.Module) -> dict[str, Tensor]:
    """Copies of all parameters."""
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


@EACH_ENCODER
@EACH_POOLING
def test_padding_does_not_change_the_logit(batch: Batch, encoder: str, pooling: str) -> None:
    model = build_classifier(encoder, pooling).eval()
    together = model(batch.tokens, batch.lengths)
    assert together.shape == (5,)
    for review, length in enumerate(batch.lengths):
        alone = model(batch.tokens[review : review + 1, :length], batch.lengths[review : review + 1])
        torch.testing.assert_close(together[review : review + 1], alone, atol=1e-5, rtol=0)


@EACH_ENCODER
@EACH_POOLING
def test_one_training_step_changes_every_parameter(batch: Batch, encoder: str, pooling: str) -> None:
    model = build_classifier(encoder, pooling)
    before = named_parameters(model)
    fit(model, [batch])
    unchanged = [name for name, parameter in model.named_parameters() if torch.equal(parameter, before[name])]
    assert unchanged == []


@pytest.mark.parametrize(
    ("encoder", "pooling"),
    [
        ("rnn", "last"),
        ("lstm", "last"),
        ("bag", "mean"),
        ("lstm_both_ways", "mean_max"),
        ("rnn_both_ways", "max"),
    ],
)
def test_one_training_step_moves_the_embeddings_of_the_tokens_that_were_read_and_no_others(
    batch: Batch, encoder: str, pooling: str
) -> None:
    model = build_classifier(encoder, pooling)
    before = model.backbone.embedding.weight.detach().clone()
    fit(model, [batch])
    moved = (model.backbone.embedding.weight != before).any(1)
    read = torch.zeros(50, dtype=torch.bool)
    read[batch.tokens.unique()] = True
    read[0] = False
    assert torch.equal(moved, read)
    assert not model.backbone.embedding.weight[0].any()


@pytest.fixture
def eight_reviews() -> Batch:
    """Eight reviews of distinct words, half of them positive, of 3 to 6 tokens."""
    lengths = torch.tensor([3, 4, 5, 6, 3, 4, 5, 6])
    tokens = torch.arange(2, 50).view(8, 6).clone()
    tokens[torch.arange(6) >= lengths[:, None]] = 0
    return Batch(tokens, lengths, torch.tensor([0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0]), torch.arange(8))


def gradient_norm(model: SentimentClassifier, batch: Batch) -> float:
    """Norm of the whole gradient of one batch."""
    logits = model(batch.tokens, batch.lengths)
    loss = nn.functional.binary_cross_entropy_with_logits(logits, batch.labels)
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    return float(torch.cat([gradient.flatten() for gradient in gradients]).norm())


@pytest.mark.parametrize("limit", [0.01, 0.0, 100.0])
def test_clipping_holds_the_step_to_the_limit_and_logs_the_norm_before_it(batch: Batch, limit: float) -> None:
    model = build_classifier(
        _target_="torch.optim.SGD", embedding_options={}, learning_rate=1.0, weight_decay=0.0, gradient_clip_norm=limit
    )
    whole = gradient_norm(model, batch)
    assert whole > 0.1
    before = named_parameters(model)
    trainer = fit(model, [batch])
    moved = torch.cat([(after - before[name]).flatten() for name, after in named_parameters(model).items()]).norm()
    assert float(moved) == pytest.approx(0.01 if limit == 0.01 else whole, rel=1e-3)
    assert float(trainer.callback_metrics["train/gradient_norm"]) == pytest.approx(whole, rel=1e-4)


def test_the_loss_and_the_norm_are_logged_at_the_steps_that_the_logger_takes(batch: Batch, tmp_path: Path) -> None:
    trainer = pl.Trainer(
        accelerator="cpu", max_epochs=2, log_every_n_steps=3, logger=CSVLogger(tmp_path), enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(build_classifier(), loader([batch] * 5))
    rows = list(csv.DictReader((Path(trainer.log_dir) / "metrics.csv").open()))
    assert [int(row["step"]) for row in rows if row["train/loss"] and row["train/gradient_norm"]] == [2, 5, 8]


@SOME_ENCODERS
def test_weight_decay_holds_for_matrices_but_not_for_biases_or_the_embedding(encoder: str) -> None:
    model = build_classifier(encoder, weight_decay=0.02)
    groups = model.configure_optimizers().param_groups
    decay = {parameter: group["weight_decay"] for group in groups for parameter in group["params"]}
    assert {name: decay[parameter] for name, parameter in model.named_parameters()} == {
        name: 0.0 if "bias" in name or name == "backbone.embedding.weight" else 0.02
        for name, _ in model.named_parameters()
    }


@SOME_ENCODERS
def test_a_sparse_gradient_of_the_embedding_trains_to_the_same_as_a_dense_one(
    batch: Batch, eight_reviews: Batch, encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for sparse in (True, False):
        model = build_classifier(encoder, "mean_max")
        if not sparse:
            monkeypatch.setattr(model, "choose_embedding_gradient", lambda device: None)
        fit(model, [batch, eight_reviews, batch, eight_reviews])
        assert model.backbone.embedding.sparse == sparse
        found.append(named_parameters(model))
    for name, parameter in found[0].items():
        torch.testing.assert_close(parameter, found[1][name], atol=1e-5, rtol=1e-4, msg=name)


@pytest.mark.parametrize(
    ("settings", "sparse"),
    [
        ({}, True),
        ({"options": {"betas": [0.8, 0.99]}}, True),
        ({"embedding_options": {}}, False),
        ({"embedding_options": {"betas": [0.9, 0.999]}}, False),
        ({"options": {"amsgrad": True}}, False),
        ({"_target_": "torch.optim.SGD", "embedding_options": {}}, False),
    ],
)
def test_the_embeddings_gradient_is_sparse_where_the_optimizer_takes_rows(
    batch: Batch, settings: dict[str, Any], sparse: bool
) -> None:
    model = build_classifier("bag", "mean", **settings)
    before = model.backbone.embedding.weight.detach().clone()
    fit(model, [batch, batch])
    assert model.backbone.embedding.sparse == sparse
    assert not torch.equal(model.backbone.embedding.weight, before)


class LearningRates(pl.Callback):
    """Keeps the rate that each step was made with, in one group of parameters."""

    def __init__(self, group: int = -1) -> None:
        self.group = group
        self.rates: list[float] = []

    def on_before_optimizer_step(self, trainer: pl.Trainer, *_: Any) -> None:
        """A step is about to be made."""
        self.rates.append(trainer.optimizers[0].param_groups[self.group]["lr"])


def test_one_cycle_rises_to_the_learning_rate_and_falls_to_almost_nothing(batch: Batch) -> None:
    seen = LearningRates()
    fit(build_classifier(schedule="one_cycle", learning_rate=0.01), [batch] * 10, seen, epochs=2)
    peak = seen.rates.index(max(seen.rates))
    assert len(seen.rates) == 20
    assert max(seen.rates) == pytest.approx(0.01, rel=0.02)
    assert 4 <= peak <= 6  # 0.3 of 20 steps
    assert seen.rates[: peak + 1] == sorted(seen.rates[: peak + 1])
    assert seen.rates[peak:] == sorted(seen.rates[peak:], reverse=True)
    assert seen.rates[-1] < 0.01 / 1000


@pytest.mark.parametrize("schedule", ["one_cycle", "constant"])
def test_the_embeddings_own_learning_rate_is_the_peak_of_its_cycle(batch: Batch, schedule: str) -> None:
    of_all, of_embedding = LearningRates(), LearningRates(group=0)
    model = build_classifier(schedule=schedule, embedding_options={"betas": [0.0, 0.999], "lr": 0.002})
    fit(model, [batch] * 10, of_all, of_embedding, epochs=2)
    assert of_embedding.rates == pytest.approx([rate / 5 for rate in of_all.rates])


def test_embedding_encoder_and_head_can_each_have_a_rate_of_their_own() -> None:
    model = build_classifier(embedding_options={"lr": 1e-4}, encoder_options={"lr": 1e-3, "weight_decay": 0.5})
    optimizer = model.configure_optimizers()
    names = {parameter: name for name, parameter in model.named_parameters()}
    found = {
        names[parameter]: (group["lr"], group["weight_decay"])
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    assert found.keys() == {name for name, _ in model.named_parameters()}
    assert found["backbone.embedding.weight"] == (1e-4, 0.0)
    assert found["backbone.encoder.forwards.0.weight_hh_l0"] == (1e-3, 0.5)
    assert found["backbone.encoder.forwards.0.bias_hh_l0"] == (1e-3, 0.0)
    assert found["output.weight"] == (0.01, 0.01)
    assert found["output.bias"] == (0.01, 0.0)


@pytest.mark.parametrize("steps", [1, 2, 4, 5, 10])
def test_one_cycle_may_rise_in_a_single_step(batch: Batch, steps: int) -> None:
    seen = LearningRates()
    fit(build_classifier(schedule="one_cycle", warmup_fraction=1 / steps, learning_rate=0.01), [batch] * steps, seen)
    first, *others = seen.rates
    assert first == pytest.approx(0.01 / 25), "before it rises"
    assert len(others) == steps - 1
    assert others == sorted(others, reverse=True)


def test_a_second_test_forgets_the_predictions_of_the_first(batch: Batch) -> None:
    model = build_classifier()
    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False)
    for _ in range(2):
        trainer.test(model, loader([batch]), verbose=False)
    ((indices, logits),) = model.predictions
    assert torch.equal(indices, batch.indices)
    expected = model.eval()(batch.tokens, batch.lengths)
    torch.testing.assert_close(logits, expected, atol=1e-6, rtol=0)


def test_scores_over_batches_are_those_of_all_reviews_by_their_definitions() -> None:
    model, p = build_classifier(), torch.rand(40, generator=torch.Generator().manual_seed(0))
    labels = (torch.arange(40) % 3 < 1).float()
    model.forward = lambda tokens, _: p.logit()[tokens[:, 0]]  # type: ignore[method-assign]
    parts = torch.arange(40).split(15)
    batches = [Batch(part[:, None], torch.ones_like(part), labels[part], part) for part in parts]
    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False)
    (scores,) = trainer.test(model, loader(batches), verbose=False)
    bins = [(p * 15).int() == number for number in range(15)]
    off = sum(abs(float((labels[inside] - p[inside]).sum())) for inside in bins) / 40
    assert scores == pytest.approx({
        "test/loss": log_loss(labels, p), "test/accuracy": accuracy_score(labels, p > 0.5),
        "test/f1": f1_score(labels, p > 0.5), "test/auroc": roc_auc_score(labels, p), "test/calibration_error": off,
    })  # fmt: skip


@SOME_ENCODERS
@EACH_POOLING
def test_logits_are_float32_under_bfloat16_autocast_and_close_to_those_without(
    batch: Batch, encoder: str, pooling: str
) -> None:
    model = build_classifier(encoder, pooling).eval()
    expected = model(batch.tokens, batch.lengths)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = model(batch.tokens, batch.lengths)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, atol=0.02, rtol=0)
