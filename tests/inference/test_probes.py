"""The probes promise gradients and states of each review as it is alone, and leave their model as it was."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from made_classifier import made_classifier
from sentiment_rnn.data.batching import Batch
from sentiment_rnn.inference.probes import gradient_by_step_back, unroll


@pytest.mark.parametrize("encoder", ["Rnn", "Lstm"])
def test_the_gradient_by_step_back_is_the_median_over_reviews_that_are_read_alone_without_dropout(
    batch: Batch, encoder: str
) -> None:
    model = made_classifier(encoder)
    norms = []
    for tokens, length, label in zip(batch.tokens, batch.lengths, batch.labels, strict=True):
        embedded = model.backbone.embedding(tokens[None, :length]).detach().requires_grad_()
        logit = model.classify(embedded, length[None])
        loss = -torch.log(torch.sigmoid(logit if label == 1 else -logit))
        (gradient,) = torch.autograd.grad(loss, embedded)
        norms.append(gradient[0].norm(dim=1).flip(0))
    # Lengths 1, 3, 7, 12, 12: as far back as the middle one reaches.
    expected = [np.median([review[back] for review in norms if len(review) > back]) for back in range(7)]
    assert gradient_by_step_back(model.train(), batch) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("training", [True, False])
def test_it_leaves_the_model_as_it_was(batch: Batch, training: bool) -> None:
    model = made_classifier("Lstm").train(training)
    weights = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    model.output.bias.grad = torch.tensor([5.0])
    gradient_by_step_back(model, batch)
    assert {module.training for module in model.modules() if isinstance(module, nn.Dropout | nn.LSTM)} == {training}
    assert model.output.bias.grad.tolist() == [5.0]
    assert all(p.grad is None for name, p in model.named_parameters() if name != "output.bias")
    assert all(torch.equal(p, weights[name]) for name, p in model.named_parameters())


EACH_CELL = pytest.mark.parametrize("encoder", ["Rnn", "ReluRnn", "Gru", "Lstm"])


@EACH_CELL
def test_states_and_logits_equal_the_modules(batch: Batch, encoder: str) -> None:
    model = made_classifier(encoder)
    unrolled = unroll(model, batch.tokens, batch.lengths)
    inside = torch.arange(12) < batch.lengths[:, None]
    with torch.no_grad():
        states = model.backbone.encoder(model.backbone.embedding(batch.tokens), batch.lengths)
        logits = model(batch.tokens, batch.lengths)
    recomputed = torch.stack(unrolled.states, 1).float()
    torch.testing.assert_close(recomputed[inside], states[inside], atol=1e-5, rtol=0)
    torch.testing.assert_close(unrolled.logits.float(), logits, atol=1e-5, rtol=0)


@EACH_CELL
def test_the_running_logits_are_those_of_the_review_cut_there(batch: Batch, encoder: str) -> None:
    model = made_classifier(encoder)
    running = unroll(model, batch.tokens, batch.lengths).running
    for cut in (1, 2, 6):
        with torch.no_grad():
            said = model(batch.tokens[2:, :cut], torch.full((3,), cut))
        torch.testing.assert_close(running[2:, cut - 1].float(), said, atol=1e-5, rtol=0)


def test_cells_and_gates_are_those_of_the_equations(batch: Batch) -> None:
    unrolled = unroll(made_classifier("Lstm"), batch.tokens, batch.lengths)
    cells, states = torch.stack(unrolled.cells, 1), torch.stack(unrolled.states, 1)
    gates = unrolled.gates
    before = torch.cat([torch.zeros_like(cells[:, :1]), cells[:, :-1]], 1)
    torch.testing.assert_close(cells, gates["forget"] * before + gates["input"] * gates["candidate"])
    torch.testing.assert_close(states, gates["output"] * cells.tanh())
    assert all(((gates[name] > 0) & (gates[name] < 1)).all() for name in ("forget", "input", "output"))


@pytest.mark.parametrize(
    ("encoder", "pooling", "settings"),
    [("Lstm", "Last", {"bidirectional": True}), ("Bag", "Last", {}), ("Rnn", "Mean", {})],
)
def test_what_is_no_recurrent_encoder_in_one_direction_pooled_at_its_end_is_refused(
    batch: Batch, encoder: str, pooling: str, settings: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="expected a recurrent encoder in one direction, pooling=last"):
        unroll(made_classifier(encoder, pooling, **settings), batch.tokens, batch.lengths)
