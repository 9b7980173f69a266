"""The gradient by step back against autograd on cells unrolled by hand."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sentiment_rnn.data.batching import Batch
from sentiment_rnn.inference.probes import gradient_by_step_back
from sentiment_rnn.model.classifier import SentimentClassifier

E, H = 6, 6


def build_classifier(encoder: str, pooling: str = "Last", dropout: float = 0.0) -> SentimentClassifier:
    """A classifier in which every parameter matters."""
    torch.manual_seed(0)
    model = SentimentClassifier(
        50,
        embedding={"size": E, "dropout": dropout, "word_dropout": dropout},
        encoder={
            "_target_": f"sentiment_rnn.model.encoders.{encoder}", "name": encoder,
            **({} if encoder == "Bag" else {"hidden_size": H}),
        },
        pooling={"_target_": f"sentiment_rnn.model.pooling.{pooling}", "name": pooling, "dropout": dropout},
        optimizer={},
    )  # fmt: skip
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return model


def unrolled_rnn(layer: nn.RNNBase, tokens: list[Tensor]) -> Tensor:
    """The last state of a vanilla RNN."""
    h = torch.zeros(H)
    for x in tokens:
        h = torch.tanh(layer.weight_ih_l0 @ x + layer.bias_ih_l0 + layer.weight_hh_l0 @ h + layer.bias_hh_l0)
    return h


def unrolled_lstm(layer: nn.RNNBase, tokens: list[Tensor]) -> Tensor:
    """The last state of an LSTM."""
    h, c = torch.zeros(H), torch.zeros(H)
    for x in tokens:
        gates = layer.weight_ih_l0 @ x + layer.bias_ih_l0 + layer.weight_hh_l0 @ h + layer.bias_hh_l0
        i, f, g, o = gates.split(H)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
    return h


UNROLLED = {"Rnn": unrolled_rnn, "Lstm": unrolled_lstm}


def norms_by_hand(model: SentimentClassifier, encoder: str, batch: Batch) -> list[list[float]]:
    """‖∂L/∂x‖ of every token, from the end of each review, with no batch and no padding."""
    found = []
    for tokens, length, label in zip(batch.tokens, batch.lengths, batch.labels, strict=True):
        embedded = [
            model.backbone.embedding.weight[token].detach().clone().requires_grad_() for token in tokens[:length]
        ]
        logit = model.output(UNROLLED[encoder](model.backbone.encoder.forwards[0], embedded)).squeeze()
        loss = -torch.log(torch.sigmoid(logit if label == 1 else -logit))
        gradients = torch.autograd.grad(loss, embedded)
        found.append([float(gradient.norm()) for gradient in reversed(gradients)])
    return found


@pytest.mark.parametrize("encoder", ["Rnn", "Lstm"])
def test_it_equals_autograd_on_an_unrolled_cell(batch: Batch, encoder: str) -> None:
    model = build_classifier(encoder)
    norms = norms_by_hand(model, encoder, batch)
    # Lengths 1, 3, 7, 12, 12: as far back as the middle one reaches.
    expected = [np.median([review[back] for review in norms if len(review) > back]) for back in range(7)]
    assert gradient_by_step_back(model, batch) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("encoder", ["Rnn", "Lstm"])
def test_a_review_has_its_gradient_whatever_else_is_in_the_batch(batch: Batch, encoder: str) -> None:
    model = build_classifier(encoder)
    alone = Batch(*(column[2:3] for column in batch))
    expected = gradient_by_step_back(model, alone._replace(tokens=alone.tokens[:, :7]))
    # Between two reviews of nothing but padding behind one token, its own copies are the median.
    copies = Batch(*(column[[2, 0, 2, 2, 3]] for column in batch))
    assert len(expected) == 7
    assert gradient_by_step_back(model, copies)[1:] == pytest.approx(expected[1:], rel=1e-5)


def test_it_reaches_no_further_than_half_of_the_reviews(batch: Batch) -> None:
    model = build_classifier("Lstm")
    assert len(gradient_by_step_back(model, batch)) == 7
    assert len(gradient_by_step_back(model, Batch(*(column[:2] for column in batch)))) == 2


@pytest.mark.parametrize("training", [True, False])
def test_it_leaves_the_model_as_it_was(batch: Batch, training: bool) -> None:
    model = build_classifier("Lstm").train(training)
    weights = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    model.output.bias.grad = torch.tensor([5.0])
    gradient_by_step_back(model, batch)
    assert {module.training for module in model.modules() if isinstance(module, nn.Dropout | nn.LSTM)} == {training}
    assert model.output.bias.grad.tolist() == [5.0]
    assert all(p.grad is None for name, p in model.named_parameters() if name != "output.bias")
    assert all(torch.equal(p, weights[name]) for name, p in model.named_parameters())


def test_it_can_be_computed_where_gradients_are_off(batch: Batch) -> None:
    model = build_classifier("Rnn")
    expected = gradient_by_step_back(model, batch)
    with torch.no_grad():
        assert gradient_by_step_back(model, batch) == pytest.approx(expected, rel=1e-6)


def test_dropout_takes_no_part(batch: Batch) -> None:
    expected = gradient_by_step_back(build_classifier("Lstm"), batch)
    found = gradient_by_step_back(build_classifier("Lstm", dropout=0.5).train(), batch)
    assert found == pytest.approx(expected, rel=1e-6)


def equal_lengths(count: int, length: int) -> Batch:
    """Random reviews of one length."""
    tokens = torch.randint(2, 50, (count, length), generator=torch.Generator().manual_seed(1))
    labels: Any = torch.arange(count).remainder(2).float()
    return Batch(tokens, torch.full((count,), length), labels, torch.arange(count))


def test_it_decays_with_each_step_back_in_an_rnn_of_small_recurrent_weights() -> None:
    model = build_classifier("Rnn")
    layer = model.backbone.encoder.forwards[0]
    with torch.no_grad():
        nn.init.orthogonal_(layer.weight_hh_l0).mul_(0.3)
    norms = gradient_by_step_back(model, equal_lengths(20, 12))
    # Each step back costs a factor of at most 0.3, the norm of W_h, as tanh' ≤ 1; W_x leaves slack.
    assert (np.diff(norms) < 0).all()
    assert norms[11] < norms[0] * 0.35**11
    assert norms[11] > 0


def test_it_is_flat_in_a_bag_read_out_by_its_mean() -> None:
    model = build_classifier("Bag", "Mean")
    batch = equal_lengths(21, 12)
    norms = gradient_by_step_back(model, batch)
    assert norms == pytest.approx([norms[0]] * 12, rel=1e-5)
    error = (model.eval()(batch.tokens, batch.lengths).sigmoid() - batch.labels).abs().median().detach()
    assert norms[0] == pytest.approx(float(error * model.output.weight.detach().norm() / 12), rel=1e-4)
