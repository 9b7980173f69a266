"""Cells by their equations, the compiled ones against them, and gradients that end within a review."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from layer_checks import (
    COMPILED,
    COMPILED_OR_STEPPED,
    check_bfloat16,
    check_compiled,
    check_detached,
    check_side_by_side,
    check_states_do_not_depend_on_the_stop,
    check_truncation_reaches_the_last_tokens,
    random_encoder,
    random_layer,
    states_and_gradients,
)
from sentiment_rnn.data.batching import Batch
from sentiment_rnn.model import cells, recurrence
from sentiment_rnn.model.cells import AnyLayer, Cell, GradientStop, Step, cell_of
from sentiment_rnn.model.classifier import SentimentClassifier
from sentiment_rnn.model.encoders.gru import Gru
from sentiment_rnn.model.encoders.lstm import Lstm
from sentiment_rnn.model.encoders.recurrent import Recurrent
from sentiment_rnn.model.encoders.rnn import ReluRnn, Rnn
from sentiment_rnn.probes.input_gradients import gradient_by_distance
from sentiment_rnn.probes.state_gradients import gradient_flow
from sentiment_rnn.probes.unrolled import unroll

E, H = 5, 7
ENCODERS = pytest.mark.parametrize("encoder", [Rnn, ReluRnn, Gru, Lstm])


@ENCODERS
def test_stepped_states_and_gradients_equal_the_modules(encoder: type[Recurrent]) -> None:
    layer, inputs, weights = random_layer(encoder, E, H), torch.randn(6, 9, E), torch.randn(6, 9, H)
    ours = states_and_gradients(cells.states, layer, inputs, weights)
    theirs = states_and_gradients(lambda module, x: module(x)[0], layer, inputs, weights)
    for mine, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, expected, atol=1e-5, rtol=1e-5)


@COMPILED
@ENCODERS
@pytest.mark.parametrize(("B", "T", "E", "H"), [(1, 1, 1, 1), (3, 7, 5, 9), (70, 12, 10, 16), (50, 9, 20, 32)])
@pytest.mark.parametrize("threads", [1, 2])
def test_compiled_states_and_gradients_equal_the_stepped_ones(
    encoder: type[Recurrent], B: int, T: int, E: int, H: int, threads: int
) -> None:
    check_compiled(encoder, B, T, E, H, threads)


@COMPILED
@ENCODERS
@pytest.mark.parametrize("half", [False, True])
def test_two_layers_with_one_stop_read_side_by_side_as_each_alone(encoder: type[Recurrent], half: bool) -> None:
    check_side_by_side(encoder, half)


@COMPILED
@ENCODERS
@pytest.mark.parametrize("threads", [1, 2])
def test_in_bfloat16_the_compiled_ones_are_as_close_as_three_digits_allow(
    encoder: type[Recurrent], threads: int
) -> None:
    # A state near 0 may round to the other side of the kink.
    check_bfloat16(encoder, threads, limit=0.1 if encoder is ReluRnn else 0.03)


@ENCODERS
def test_no_stop_changes_a_state(encoder: type[Recurrent]) -> None:
    check_states_do_not_depend_on_the_stop(encoder, E, H)


@COMPILED
def test_starts_of_another_size_are_refused() -> None:
    layer, inputs = random_layer(Rnn, E, H), torch.randn(6, 9, E).requires_grad_()
    with pytest.raises(RuntimeError, match="starts: expected"):
        recurrence.states(layer, inputs, GradientStop(torch.zeros(5, dtype=torch.int64))).sum().backward()


@pytest.mark.parametrize("encoder", [Rnn, ReluRnn, Gru])
def test_a_gradient_cannot_end_between_state_and_cell_where_there_is_no_cell(encoder: type[Recurrent]) -> None:
    layer, inputs = random_layer(encoder, E, H), torch.randn(6, 9, E)
    for read in (cells.states, recurrence.states):
        with pytest.raises(ValueError, match="expected an LSTM"):
            read(layer, inputs, GradientStop(along_cell=True))


@ENCODERS
@COMPILED_OR_STEPPED
@pytest.mark.parametrize("layers", [1, 2])
def test_a_truncated_gradient_reaches_the_last_tokens_of_each_review(
    encoder: type[Recurrent], compiled: bool, layers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not compiled:
        monkeypatch.setattr(recurrence, "library", lambda: None)
    check_truncation_reaches_the_last_tokens(encoder, E, H, layers)


@ENCODERS
@COMPILED_OR_STEPPED
def test_a_truncated_gradient_is_that_of_a_net_that_starts_where_it_begins(
    encoder: type[Recurrent], compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """∂ of the last state by the weights: of four tokens, read from the state behind the first five."""
    if not compiled:
        monkeypatch.setattr(recurrence, "library", lambda: None)
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


@pytest.mark.parametrize("detach", ["cell", "hidden"])
@COMPILED_OR_STEPPED
def test_a_detached_way_carries_no_gradient_and_the_other_one_does(
    detach: str, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not compiled:
        monkeypatch.setattr(recurrence, "library", lambda: None)
    check_detached(Lstm, detach, E, H)


def test_a_truncated_gradient_in_two_directions_is_refused() -> None:
    with pytest.raises(ValueError, match="gradient_steps=3"):
        Rnn(E, hidden_size=H, bidirectional=True, gradient_steps=3)


def test_values_out_of_bounds_are_refused() -> None:
    with pytest.raises(ValueError, match="detach=gates: expected none, cell or hidden"):
        Lstm(E, hidden_size=H, detach="gates")


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


@pytest.mark.parametrize("recurrent_init", ["orthogonal", "identity", "uniform"])
def test_a_cell_that_sees_no_state_has_no_recurrent_weights_and_equals_its_equations(recurrent_init: str) -> None:
    encoder, inputs = MinGru(E, hidden_size=H, recurrent_init=recurrent_init), torch.randn(3, 8, E)
    weights = dict(encoder.forwards[0].named_parameters())
    assert {name: list(weight.shape) for name, weight in weights.items()} == {
        "weight_ih_l0": [2 * H, E], "bias_ih_l0": [2 * H],
    }  # fmt: skip
    w_z, w_h = weights["weight_ih_l0"].split(H)
    b_z, b_h = weights["bias_ih_l0"].split(H)
    h, expected = torch.zeros(3, H), []
    for x in inputs.unbind(1):
        z = torch.sigmoid(x @ w_z.T + b_z)
        h = (1 - z) * h + z * (x @ w_h.T + b_h)
        expected.append(h)
    states = encoder(inputs, torch.tensor([8, 5, 8]))
    torch.testing.assert_close(states, torch.stack(expected, 1), atol=1e-6, rtol=1e-5)


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
    assert np.isfinite(gradient_by_distance(model, batch)).all()
    if "layers" in shape:
        return
    found = unroll(model, batch.tokens, batch.lengths)
    torch.testing.assert_close(found.logits.float(), model(batch.tokens, batch.lengths), atol=1e-6, rtol=1e-5)
    inside = torch.arange(batch.tokens.shape[1]) < batch.lengths[:, None]
    flow = gradient_flow(model, batch)
    assert flow.predicted == pytest.approx(float(found.gates["update"][inside].mean()))
    assert flow.memory[0] == 1
