"""Adversarial training adds the losses of its paper, for each review as it is alone, and trains every parameter."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid

from layer_checks import BFLOAT16
from sentiment_rnn.config.store import run_config
from sentiment_rnn.data.batching import Batch
from sentiment_rnn.model.adversarial import XI, adversarial_loss, perturbation, virtual_loss
from sentiment_rnn.model.classifier import SentimentClassifier
from sentiment_rnn.tasks.reviews import build_model

EPSILON = 0.7


def build(*overrides: str) -> SentimentClassifier:
    """A small classifier in training, of a vocabulary of 50."""
    torch.manual_seed(0)
    config = run_config("embedding.size=6", "encoder.hidden_size=5", "precision=float32", *overrides)
    return build_model(config, 50).train()


def training_loss(model: SentimentClassifier, batch: Batch, monkeypatch: pytest.MonkeyPatch) -> tuple[Tensor, Tensor]:
    """Loss of a training step, and `train/loss`, which it logs."""
    logged: list[Tensor] = []
    monkeypatch.setattr(model, "log_step", lambda _, value, **__: logged.append(value))
    return model.training_step(batch, 0), logged[0]


def kl(logit: Tensor, other: Tensor) -> Tensor:
    """KL[p ‖ q] of two predictions, from its definition."""
    terms = (sign * logit for sign in (1, -1)), (sign * other for sign in (1, -1))
    return sum(logsigmoid(p).exp() * (logsigmoid(p) - logsigmoid(q)) for p, q in zip(*terms, strict=True))


@pytest.mark.parametrize(
    "settings",
    ["encoder=rnn", "encoder=gru encoder.layers=2", "encoder=lstm pooling=mean_max", "encoder=bag pooling=mean"],
)
@pytest.mark.parametrize("both_ways", ["false", "true"])
def test_a_review_is_perturbed_as_it_is_alone_without_padding(
    settings: str, both_ways: str, batch: Batch, compiled_or_stepped: str
) -> None:
    model = build(*settings.split(), f"encoder.bidirectional={both_ways}")
    embedded = model.backbone.embed(batch.tokens).detach().requires_grad_()
    inside = torch.arange(embedded.shape[1]) < batch.lengths[:, None]
    logits = model.classify(embedded, batch.lengths)
    loss = binary_cross_entropy_with_logits(logits, batch.labels)
    read: list[Tensor] = []

    def classify(moved: Tensor) -> Tensor:
        read.append(moved.detach())
        return model.classify(moved, batch.lengths)

    found = adversarial_loss(classify, embedded, batch.lengths, batch.labels, loss, EPSILON)
    assert torch.equal(read[0][~inside], embedded[~inside]), "padding stays as it is"
    sigma, expected = embedded[inside].std(correction=0), []
    for review, (length, label) in enumerate(zip(batch.lengths, batch.labels, strict=True)):
        alone, sizes = embedded[review : review + 1, :length].detach().requires_grad_(), batch.lengths[review, None]
        (g,) = torch.autograd.grad(
            binary_cross_entropy_with_logits(model.classify(alone, sizes), label[None]), alone
        )  # fmt: skip
        r = EPSILON * sigma * g / g.norm()
        torch.testing.assert_close(read[0][review, :length], (alone + r)[0], atol=1e-5, rtol=1e-4)
        expected.append(binary_cross_entropy_with_logits(model.classify(alone + r, sizes), label[None]))
    torch.testing.assert_close(found, torch.stack(expected).mean(), atol=1e-5, rtol=1e-4)


def test_the_virtual_direction_is_that_of_the_divergence_at_a_small_random_step(batch: Batch) -> None:
    model = build("encoder=gru")
    embedded = model.backbone.embed(batch.tokens).detach()
    read = lambda moved: model.classify(moved, batch.lengths)  # noqa: E731
    torch.manual_seed(3)
    found = virtual_loss(read, embedded, batch.lengths, read(embedded), EPSILON)
    inside = (torch.arange(embedded.shape[1]) < batch.lengths[:, None])[:, :, None]
    sigma = embedded[inside[:, :, 0]].std(correction=0)
    torch.manual_seed(3)
    d = torch.randn_like(embedded) * inside
    d = (XI * sigma * d / d.flatten(1).norm(dim=1)[:, None, None]).requires_grad_()
    clean = read(embedded).detach()
    (g,) = torch.autograd.grad(kl(clean, read(embedded + d)).sum(), d)
    r = EPSILON * sigma * g / g.flatten(1).norm(dim=1)[:, None, None]
    torch.testing.assert_close(found, kl(clean, read(embedded + r)).mean(), rtol=1e-2, atol=1e-6)
    assert found > 0


@pytest.mark.parametrize("scale", [1.0, 1e-30])
def test_a_perturbation_has_its_length_however_small_the_gradient_and_none_has_none(scale: float) -> None:
    embedded, lengths = torch.randn(3, 4, 5), torch.tensor([4, 2, 1])
    g = scale * torch.randn(3, 4, 5)
    g[2] = 0.0
    g[1, 2:] = math.nan
    inside = torch.arange(4) < lengths[:, None]
    found = perturbation(g, embedded, lengths, 2.0)
    sigma = float(embedded[inside].std(correction=0))
    torch.testing.assert_close(found.flatten(1).norm(dim=1), torch.tensor([2 * sigma, 2 * sigma, 0.0]))
    assert not found[~inside].any()


NOISY = (
    "encoder=lstm", "encoder.layers=2", "encoder.dropout=0.5", "embedding.dropout=0.5", "pooling.dropout=0.5",
    "embedding.word_dropout=0.3",
)  # fmt: skip


@pytest.mark.parametrize("kind", ["adversarial", "virtual"])
def test_the_perturbed_review_is_read_with_the_dropout_of_the_clean_one(
    kind: str, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = build(*NOISY, f"task.{kind}=1e-6")
    first, clean = training_loss(model, batch, monkeypatch)
    torch.testing.assert_close(first, 2 * clean if kind == "adversarial" else clean, atol=1e-5, rtol=0)
    assert not torch.equal(training_loss(model, batch, monkeypatch)[1], clean), "the next batch has dropout of its own"


@pytest.mark.parametrize("half", [pytest.param(True, marks=BFLOAT16), False])
@pytest.mark.parametrize("encoder", ["rnn", "lstm", "gru", "bag"])
def test_every_parameter_has_the_gradient_of_both_losses_and_a_sparse_one_is_the_dense_one(
    encoder: str, half: bool, batch: Batch, monkeypatch: pytest.MonkeyPatch, compiled_or_stepped: str
) -> None:
    found: list[dict[str, Any]] = []
    for sparse, epsilon in ((True, EPSILON), (False, EPSILON), (False, 0.0)):
        model = build(f"encoder={encoder}", f"task.adversarial={epsilon}", f"task.virtual={epsilon}")
        model.backbone.embedding.sparse = sparse
        torch.manual_seed(1)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            loss, _ = training_loss(model, batch, monkeypatch)
        loss.backward()
        found.append({name: one.grad.to_dense() for name, one in model.named_parameters()})
    for name, gradient in found[0].items():
        torch.testing.assert_close(gradient, found[1][name], atol=1e-6, rtol=1e-3)
        assert gradient.isfinite().all()
        assert not torch.equal(gradient, found[2][name])


def test_a_frozen_embedding_is_perturbed_too(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    model = build("encoder=lstm", "task.adversarial=1", "task.virtual=1")
    model.backbone.embedding.requires_grad_(False)
    loss, clean = training_loss(model, batch, monkeypatch)
    assert loss > 2 * clean
    loss.backward()
    assert model.backbone.embedding.weight.grad is None
