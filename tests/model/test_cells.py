"""Cells equal PyTorch's modules step by step, compiled ones equal them, and gradients end where they should."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from experiments.gradient.state_gradients import gradient_flow
from layer_checks import (
    COMPILED,
    E,
    H,
    LayerTests,
    LstmTests,
    compiled_states,
    random_encoder,
    random_layer,
    states_and_gradients,
)
from sentiment_rnn.data.batching import Batch
from sentiment_rnn.inference.probes import gradient_by_step_back, unroll
from sentiment_rnn.model import cells
from sentiment_rnn.model.cells import AnyLayer, Cell, GradientStop, Step, cell_of
from sentiment_rnn.model.classifier import SentimentClassifier
from sentiment_rnn.model.encoders.gru import Gru
from sentiment_rnn.model.encoders.lru import Lru
from sentiment_rnn.model.encoders.lstm import Lstm
from sentiment_rnn.model.encoders.min_rnn import MinLstm
from sentiment_rnn.model.encoders.recurrent import Recurrent
from sentiment_rnn.model.encoders.rnn import ReluRnn, Rnn

ENCODERS = pytest.mark.parametrize("encoder", [Rnn, ReluRnn, Gru, Lstm])


@ENCODERS
class TestLayers(LayerTests):
    """The layer tests on each family."""


@pytest.mark.parametrize("encoder", [Lstm])
class TestLstm(LstmTests):
    """The LSTM tests on the family with a cell state."""


@ENCODERS
def test_stepped_states_and_gradients_equal_the_modules(encoder: type[Recurrent]) -> None:
    layer, inputs, weights = random_layer(encoder, E, H), torch.randn(6, 9, E), torch.randn(6, 9, H)
    ours = states_and_gradients(cells.states, layer, inputs, weights)
    theirs = states_and_gradients(lambda module, x: module(x)[0], layer, inputs, weights)
    for mine, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, expected, atol=1e-5, rtol=1e-5)


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


def test_a_truncated_gradient_in_two_directions_is_refused() -> None:
    with pytest.raises(ValueError, match="gradient_steps=3"):
        Rnn(E, hidden_size=H, bidirectional=True, gradient_steps=3)


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
    torch.manual_seed(0)
    model = SentimentClassifier(
        50,
        embedding={"size": E, "dropout": 0.0, "word_dropout": 0.0},
        encoder={"_target_": f"{MinGru.__module__}.{MinGru.__name__}", "name": "min_gru", "hidden_size": H, **shape},
        pooling={"_target_": "sentiment_rnn.model.pooling.Last", "name": "last", "dropout": 0.0},
        optimizer={},
    )
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    torch.nn.functional.binary_cross_entropy_with_logits(model(batch.tokens, batch.lengths), batch.labels).backward()
    torch.optim.SGD(model.parameters(), lr=0.5).step()
    assert [name for name, parameter in model.named_parameters() if torch.equal(parameter, before[name])] == []
    assert np.isfinite(gradient_by_step_back(model, batch)).all()
    if "layers" in shape:
        return
    found = unroll(model, batch.tokens, batch.lengths)
    torch.testing.assert_close(found.logits.float(), model(batch.tokens, batch.lengths), atol=1e-6, rtol=1e-5)
    inside = torch.arange(batch.tokens.shape[1]) < batch.lengths[:, None]
    flow = gradient_flow(model, batch)
    assert flow.predicted == pytest.approx(float(found.gates["update"][inside].mean()))
    assert flow.memory[0] == 1


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


@pytest.mark.parametrize("kind", [MinLstm, Lru])
def test_a_gain_of_recurrent_weights_that_are_not_there_is_refused(kind: type[Recurrent]) -> None:
    with pytest.raises(ValueError, match=r"recurrent_gain=3\.0: expected 1, since it has no W_h"):
        kind(E, hidden_size=H, recurrent_gain=3.0)
