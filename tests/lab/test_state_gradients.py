"""The study of the gradient promises that what it measures at states and cells is autograd's, and its rates those of
theory where theory has one."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from experiments.gradient.state_gradients import (
    decay_rate,
    gradient_flow,
    norms_of,
    state_gradients,
)
from made_classifier import H, made_classifier
from sentiment_rnn.data.batching import Batch
from sentiment_rnn.inference.probes import unroll

Cell = Callable[[nn.RNNBase, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


def rnn_step(layer: nn.RNNBase, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    return torch.tanh(layer.weight_ih_l0 @ x + layer.bias_ih_l0 + layer.weight_hh_l0 @ h + layer.bias_hh_l0), c


def lstm_step(layer: nn.RNNBase, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    i, f, g, o = (layer.weight_ih_l0 @ x + layer.bias_ih_l0 + layer.weight_hh_l0 @ h + layer.bias_hh_l0).split(H)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


@pytest.mark.parametrize(("encoder", "step"), [("Rnn", rnn_step), ("Lstm", lstm_step)])
def test_gradients_are_those_of_a_disturbance_of_the_state(batch: Batch, encoder: str, step: Cell) -> None:
    """∂L/∂h_t and ∂L/∂C_t by autograd on one review, with a disturbance added to each state and cell."""
    model = made_classifier(encoder).double()
    found = state_gradients(unroll(model, batch.tokens, batch.lengths), batch.labels)
    for review, (tokens, length, label) in enumerate(
        zip(batch.tokens, batch.lengths.tolist(), batch.labels, strict=True)
    ):
        disturb = torch.zeros(2, length, H, dtype=torch.float64, requires_grad=True)
        embedded = model.backbone.embedding.weight[tokens[:length]].detach().requires_grad_()
        h = c = torch.zeros(H, dtype=torch.float64)
        for t in range(length):
            # The cell is disturbed before the state is made of it, as ∂L/∂C_t holds the way through h_t.
            h, clean = step(model.backbone.encoder.forwards[0], embedded[t], h, c)
            c = clean + disturb[1, t]
            if encoder == "Lstm":
                h = h * c.tanh() / clean.tanh()
            h = h + disturb[0, t]
        logit = (model.output.weight @ h + model.output.bias).squeeze()
        loss = -torch.nn.functional.logsigmoid(logit if label == 1 else -logit)
        expected, of_tokens = torch.autograd.grad(loss, [disturb, embedded])
        torch.testing.assert_close(found[2][review, :length], of_tokens)
        torch.testing.assert_close(found[0][review, :length], expected[0])
        assert not found[0][review, length:].any()
        if found[1] is not None:
            torch.testing.assert_close(found[1][review, :length], expected[1])


def long_batch(steps: int) -> Batch:
    """Sixteen random reviews of one length."""
    tokens = torch.randint(2, 50, (16, steps), generator=torch.Generator().manual_seed(1))
    return Batch(tokens, torch.full((16,), steps), torch.arange(16).remainder(2).float(), torch.arange(16))


def silence(layer: nn.Module, recurrent: Tensor) -> None:
    """Give a layer this recurrent matrix and nothing else: its states stay 0, where tanh has the slope 1."""
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        layer.weight_hh_l0.copy_(recurrent)


def test_the_rate_of_a_linear_rnn_is_its_spectral_radius() -> None:
    model = made_classifier("Rnn")
    silence(model.backbone.encoder.forwards[0], 0.9 * nn.init.orthogonal_(torch.empty(H, H)))
    flow = gradient_flow(model, long_batch(60))
    assert flow.rate(50) == pytest.approx(0.9, abs=1e-6)
    assert flow.predicted == pytest.approx(0.9, abs=1e-6)
    assert flow.memory == pytest.approx(0.9 ** np.arange(60), rel=1e-5)


@pytest.mark.parametrize("encoder", ["Lstm", "Gru"])
def test_the_rate_of_a_gated_net_that_hears_nothing_is_the_gate_that_keeps(encoder: str) -> None:
    model = made_classifier(encoder)
    layer = model.backbone.encoder.forwards[0]
    silence(layer, torch.zeros_like(layer.weight_hh_l0))
    with torch.no_grad():
        layer.bias_ih_l0[H : 2 * H] = 2.0  # of the forget gate, and of the update gate
    flow = gradient_flow(model, long_batch(60))
    kept = float(torch.tensor(2.0).sigmoid())
    assert flow.predicted == pytest.approx(kept, abs=1e-6)
    assert flow.rate(50) == pytest.approx(kept, abs=1e-6)


def test_along_the_cell_of_an_slstm_the_gradient_is_that_of_shares_whatever_its_stabilizer() -> None:
    model = made_classifier("SLstm", heads=1)
    layer = model.backbone.encoder.forwards[0]
    with torch.no_grad():
        layer.weight_heads.zero_()
        layer.weight_ih_l0[:H] *= 5  # of the input gate, whose largest values the stabilizer follows
    steps = 30
    alone = Batch(torch.arange(2, 2 + steps)[None], torch.tensor([steps]), torch.ones(1), torch.zeros(1))
    gates = {name: gate[0] for name, gate in unroll(model, alone.tokens, alone.lengths).gates.items()}
    kept = gates["forget"].flip(0)[: steps - 1].cumprod(0)
    at_end = model.output.weight[0].detach() * gates["output"][-1]
    expected = (kept * at_end).norm(dim=1) / at_end.norm()
    assert gradient_flow(model, alone).memory[1:] == pytest.approx(expected.numpy(), rel=1e-9)


@pytest.mark.parametrize("settings", [{"gradient_steps": 4}, {"detach": "cell"}, {"detach": "hidden"}], ids=str)
def test_a_cut_gradient_is_cut_here_too(batch: Batch, settings: dict[str, Any]) -> None:
    cut, whole = made_classifier("Lstm", **settings), made_classifier("Lstm")
    ours, theirs = (unroll(model, batch.tokens, batch.lengths) for model in (cut, whole))
    assert all(torch.equal(one, other) for one, other in zip(ours.states, theirs.states, strict=True))
    (h, c, _), (whole_h, whole_c, _) = (state_gradients(unrolled, batch.labels) for unrolled in (ours, theirs))
    assert c is not None
    assert whole_c is not None
    last = batch.lengths - 1
    reviews = torch.arange(len(last))
    torch.testing.assert_close(h[reviews, last], whole_h[reviews, last])
    assert not torch.allclose(c[3], whole_c[3])
    if "gradient_steps" in settings:
        position = torch.arange(batch.tokens.shape[1])
        reached = (position >= batch.lengths[:, None] - 4) & (position < batch.lengths[:, None])
        assert torch.equal(c.abs().amax(2) > 0, reached)
        torch.testing.assert_close(c[reached], whole_c[reached])
    elif settings["detach"] == "hidden":  # h_t leads to the loss at the last token alone
        assert torch.equal(h.abs().amax(2) > 0, torch.arange(batch.tokens.shape[1]) == last[:, None])
    else:  # all that C_t does, it does through h_t = o_t tanh(C_t)
        cells = torch.stack(ours.cells, 1).detach()
        torch.testing.assert_close(c, h * ours.gates["output"] * (1 - cells.tanh() ** 2))


def test_elements_too_small_for_float32_are_counted() -> None:
    model = made_classifier("Rnn")
    silence(model.backbone.encoder.forwards[0], 0.1 * torch.eye(H))
    flow = gradient_flow(model, long_batch(60))
    # From 1e-2 or so down by ten at each step: normal for 36 steps of 60, denormal for 7, then nothing.
    assert flow.denormal == pytest.approx(7 / 60, abs=1.5 / 60)
    assert flow.vanished == pytest.approx(17 / 60, abs=3 / 60)


def test_norms_of_gradients_too_small_to_be_squared() -> None:
    gradients = torch.tensor([[3e-200, 4e-200], [0.0, 0.0], [3.0, 4.0]], dtype=torch.float64)
    assert norms_of(gradients).tolist() == pytest.approx([5e-200, 0.0, 5.0], rel=1e-12, abs=0)


def test_a_rate_is_the_slope_of_the_logarithm() -> None:
    assert decay_rate(5 * 0.8 ** np.arange(30.0)) == pytest.approx(0.8)
    assert decay_rate(np.array([1.0, 0.1])) == pytest.approx(0.1)
    assert np.isnan(decay_rate(np.array([1.0, 0.5, 0.0]))), "0 has no logarithm"
    assert np.isnan(decay_rate(np.array([1.0])))
