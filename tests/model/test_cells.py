"""Cells equal PyTorch's modules step by step, compiled ones equal them, and gradients end where they should."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from layer_checks import (
    COMPILED,
    E,
    H,
    LayerTests,
    LstmTests,
    compiled_states,
    random_encoder,
    random_layer,
)
from made_classifier import made_classifier
from sentiment_rnn.data.batching import Batch
from sentiment_rnn.inference.probes import gradient_by_step_back, unroll
from sentiment_rnn.model import cells
from sentiment_rnn.model.cells import AnyLayer, Cell, GradientStop, Step, cell_of
from sentiment_rnn.model.encoders.gru import Gru
from sentiment_rnn.model.encoders.lstm import Lstm
from sentiment_rnn.model.encoders.recurrent import Recurrent
from sentiment_rnn.model.encoders.rnn import ReluRnn, Rnn

ENCODERS = pytest.mark.parametrize("encoder", [Rnn, ReluRnn, Gru, Lstm])


@ENCODERS
class TestLayers(LayerTests):
    """The layer tests on each family."""


@pytest.mark.parametrize("encoder", [Lstm])
class TestLstm(LstmTests):
    """The LSTM tests on the family with a cell state."""


@COMPILED
def test_starts_of_another_size_are_refused() -> None:
    layer, inputs = random_layer(Rnn, E, H), torch.randn(6, 9, E).requires_grad_()
    with pytest.raises(RuntimeError, match="starts: expected"):
        compiled_states(layer, inputs, GradientStop(torch.zeros(5, dtype=torch.int64))).sum().backward()


@ENCODERS
def test_a_truncated_gradient_is_that_of_a_net_that_starts_where_it_begins(
    encoder: type[Recurrent], compiled_or_stepped: str
) -> None:
    """∂ of the last state by the weights: of four tokens, read from the state behind the first five."""
    embedded, lengths = torch.randn(3, 9, E), torch.tensor([9, 9, 9])
    net = random_encoder(encoder, E, H, gradient_steps=4)
    layer = net.forwards[0]
    assert isinstance(layer, AnyLayer)
    with torch.no_grad():
        before = list(cells.steps(layer, embedded[:, :5]))[-1]
    state, cell = before.state, before.cell
    for t in range(5, 9):
        seen = nn.functional.linear(embedded[:, t], layer.weight_ih_l0, layer.bias_ih_l0)  # type: ignore[arg-type]
        recurrent = state @ cells.recurrent_weight(layer).T + layer.bias_hh_l0
        state, cell, _ = cell_of(layer).step(seen, recurrent, state, cell)
    expected = torch.autograd.grad(state.square().sum(), list(net.parameters()))
    found = torch.autograd.grad(net(embedded, lengths)[:, -1].square().sum(), list(net.parameters()))
    for mine, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-4)


def test_an_encoder_that_names_no_cell_is_refused() -> None:
    class OfPyTorch(Recurrent):
        module = nn.GRU

    with pytest.raises(ValueError, match="OfPyTorch names no cell; extend Rnn, Gru or Lstm, or give it one"):
        OfPyTorch(E, hidden_size=H)


def min_gru_step(from_input: Tensor, _: Tensor, before: Tensor, __: Tensor) -> Step:
    """The minGRU (Feng et al. 2024, section 3.1): z_t and the candidate see the token alone."""
    z, candidate = from_input.chunk(2, 1)
    z = z.sigmoid()
    state = (1 - z) * before + z * candidate
    return Step(state, state, {"update": 1 - z, "candidate": candidate})


class MinGru(Recurrent):
    """An encoder of a cell that is not compiled."""

    cell = Cell("zh", min_gru_step, recurrent="")


@pytest.mark.parametrize("shape", [{}, {"layers": 2, "bidirectional": True}, {"gradient_steps": 3}])
def test_a_cell_that_is_not_compiled_learns_and_is_looked_into(batch: Batch, shape: dict[str, Any]) -> None:
    model = made_classifier(f"{__name__}.MinGru", dropout=0.0, **shape).train()
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    torch.nn.functional.binary_cross_entropy_with_logits(model(batch.tokens, batch.lengths), batch.labels).backward()
    torch.optim.SGD(model.parameters(), lr=0.5).step()
    assert [name for name, parameter in model.named_parameters() if torch.equal(parameter, before[name])] == []
    assert np.isfinite(gradient_by_step_back(model, batch)).all()
    if "layers" in shape:
        return
    found = unroll(model, batch.tokens, batch.lengths)
    torch.testing.assert_close(found.logits.float(), model(batch.tokens, batch.lengths), atol=1e-6, rtol=1e-5)
    assert found.gates.keys() == {"update", "candidate"}


def half_step(from_input: Tensor, from_state: Tensor, *_: Tensor) -> Step:
    """h_t = tanh(…) / 2."""
    state = torch.tanh(from_input + from_state) / 2
    return Step(state, state, {})


class Halved(Rnn):
    cell = Cell("h", half_step)


class HalvedByInstance(Rnn):
    def __init__(self, input_size: int, **shared: Any) -> None:
        self.cell = Halved.cell
        super().__init__(input_size, **shared)


@pytest.mark.parametrize("kind", [Halved, HalvedByInstance])
def test_a_cell_of_ones_own_is_read_by_its_own_step_whatever_it_extends(kind: type[Rnn]) -> None:
    encoder, inputs = kind(E, hidden_size=H), torch.randn(2, 5, E)
    states = encoder(inputs, torch.tensor([5, 5]))
    torch.testing.assert_close(states, cells.states(encoder.forwards[0], inputs))
    assert states.abs().max() < 0.5
