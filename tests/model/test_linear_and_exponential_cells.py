"""minGRU, minLSTM, LRU, sLSTM and orthogonal RNN equal published implementations, compiled or not."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from layer_checks import BFLOAT16, TruncationTests, autograd_functions, random_encoder
from sentiment_rnn.config.store import run_config
from sentiment_rnn.model import cells, recurrence
from sentiment_rnn.model.encoders.lru import Lru, LruLayer
from sentiment_rnn.model.encoders.min_rnn import MinGru, MinLstm
from sentiment_rnn.model.encoders.recurrent import Recurrent
from sentiment_rnn.model.encoders.rnn import OrthogonalRnn, Rnn
from sentiment_rnn.model.encoders.slstm import SLstm
from sentiment_rnn.tasks.reviews import build_model

PUBLISHED = json.loads(Path(__file__).with_name("published.json").read_text())
"""States that published implementations give for `wave` inputs and weights: minGRU-pytorch 0.2.1 (in log space), xlstm
2.0.6 (its plain sLSTM), geotorch 0.4.0, and minimal-LRU (jax), all in float64."""
E, H, T = 3, 4, 6
COMPILED = {MinGru: "_GatedBackward", MinLstm: "_GatedBackward", Lru: "_DiagonalBackward", SLstm: "_StatesBackward",
            OrthogonalRnn: "_StatesBackward"}  # fmt: skip
"""The autograd function that reads all steps of each."""
ENCODERS = pytest.mark.parametrize("encoder", COMPILED)


def wave(first: float, *shape: int) -> Tensor:
    """Numbers from -1 to 1 that need no random generator, float64."""
    return torch.sin(first + 0.7 * torch.arange(torch.Size(shape).numel(), dtype=torch.float64)).reshape(shape)


def filled(layer: Any, **weights: Tensor) -> Any:
    """The layer in float64 with these weights; its other parameters are 0."""
    layer = layer.double()
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            parameter.copy_(weights.get(name, torch.zeros(())))
    return layer


def layer_with_published_weights(name: str) -> cells.AnyLayer:
    """A layer of an encoder with the weights of the published numbers."""
    if name == "min_gru":
        return filled(MinGru(E, hidden_size=H).forwards[0], weight_ih_l0=wave(1, 2 * H, E))
    if name == "min_lstm":
        return filled(MinLstm(E, hidden_size=H).forwards[0], weight_ih_l0=wave(1, 3 * H, E))
    if name == "slstm":  # its gates stand in the order i, f, z, o as well
        given = {"weight_ih_l0": wave(1, 4 * H, E), "weight_heads": wave(2, 4, 2, H // 2, H // 2),
                 "bias_ih_l0": wave(3, 4 * H)}  # fmt: skip
        return filled(SLstm(E, hidden_size=H, heads=2).forwards[0], **given)
    ring = {"nu": wave(0.5, H) - 1, "theta": wave(1.5, H), "log_gamma": wave(2.5, H) - 1}
    given = {"B": wave(1, 2, H, H), "C": wave(2, 2, H, H), "D": torch.diag(wave(3, H))}
    return filled(Lru(H, hidden_size=H).forwards[0], **ring, **given)


@pytest.mark.parametrize("name", ["min_gru", "min_lstm", "slstm", "lru"])
def test_steps_equal_the_published_implementation(name: str) -> None:
    inputs = 2 * wave(0, 1, T, H if name == "lru" else E)
    found = cells.states(layer_with_published_weights(name), inputs)[0]
    torch.testing.assert_close(found, torch.tensor(PUBLISHED[name], dtype=torch.float64), atol=1e-9, rtol=0)


def test_the_orthogonal_matrix_is_that_of_the_published_parametrization() -> None:
    layer = OrthogonalRnn(E, hidden_size=H, recurrent_init="identity").forwards[0].double()
    layer.parametrizations.weight_hh_l0.original.data.copy_(wave(1, H, H))
    expected = torch.tensor(PUBLISHED["orthogonal"], dtype=torch.float64)
    torch.testing.assert_close(layer.weight_hh_l0, expected, atol=1e-9, rtol=0)
    torch.testing.assert_close(expected @ expected.T, torch.eye(H, dtype=torch.float64), atol=1e-6, rtol=0)


def by_steps(encoder: Recurrent, inputs: Tensor) -> Tensor:
    """The states of all layers, read in float64 step by step from the equations."""
    states = inputs
    for number, layer in enumerate(encoder.forwards):
        states = cells.states(layer, encoder.between(states) if number else states)  # type: ignore[arg-type]
    return states


@ENCODERS
@pytest.mark.parametrize(("steps", "width"), [(1, 4), (37, 36), (9, 260)])
def test_states_and_gradients_equal_the_steps(
    encoder: type[Recurrent], compiled_or_stepped: str, steps: int, width: int
) -> None:
    torch.manual_seed(0)
    net = encoder(E, hidden_size=width, layers=2)
    twin = copy.deepcopy(net).double()
    inputs = torch.randn(3, steps, E, requires_grad=True)
    exact = inputs.detach().double().requires_grad_()
    lengths = torch.full((3,), steps)
    states, expected = net(inputs, lengths), by_steps(twin, exact)
    assert (COMPILED[encoder] in autograd_functions(states)) == (compiled_or_stepped == "compiled")
    for other, given in ((twin, exact), (copy.deepcopy(net).to("meta"), inputs.to("meta"))):
        functions = autograd_functions(other(given, lengths.to(given.device)))
        assert not {"_LinearBackward", COMPILED[encoder]} & functions
    torch.testing.assert_close(states.double(), expected, atol=1e-5, rtol=1e-5)
    weights = torch.randn_like(states)
    # With a single step λ has no part in the states.
    found = torch.autograd.grad(states, [inputs, *net.parameters()], weights, materialize_grads=True)
    wanted = torch.autograd.grad(expected, [exact, *twin.parameters()], weights.double(), materialize_grads=True)
    for mine, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(mine.double(), theirs, atol=1e-5 * float(theirs.abs().max() + 1), rtol=1e-4)


@ENCODERS
class TestTruncation(TruncationTests):
    """The tests of a truncated gradient on each of these encoders."""


@ENCODERS
@BFLOAT16
def test_in_bfloat16_states_are_those_of_float32_to_two_digits(encoder: type[Recurrent]) -> None:
    torch.manual_seed(0)
    net, inputs, lengths = encoder(E, hidden_size=32), torch.randn(4, 40, E), torch.full((4,), 40)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = net(inputs, lengths)
    exact = net(inputs, lengths)
    assert float((rounded.float() - exact).abs().mean() / exact.abs().mean()) < 0.03


@BFLOAT16
def test_an_slstm_stays_in_float32_without_a_compiler_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recurrence, "library", lambda: None)
    net, inputs, lengths = SLstm(E, hidden_size=8), torch.randn(2, 12, E), torch.full((2,), 12)
    with torch.autocast("cpu", torch.bfloat16):
        states = net(inputs, lengths)
    torch.testing.assert_close(states, net(inputs, lengths), rtol=0, atol=0)


@pytest.mark.parametrize(("encoder", "rate"), [("lru", 0.025), ("rnn_orthogonal", 0.1)])
def test_parameters_of_a_special_kind_have_no_decay_and_may_have_a_lower_rate(encoder: str, rate: float) -> None:
    config = run_config(
        f"encoder={encoder}", "optimizer.schedule=constant", "optimizer.learning_rate=0.1",
        "optimizer.weight_decay=0.5", "+optimizer.encoder_options.eps=1e-6",
    )  # fmt: skip
    model = build_model(config, 50)
    special = [module for module in model.modules() if hasattr(module, "free_parameters")]
    free = [parameter for module in special for parameter in module.free_parameters()[0]]
    assert free
    groups = {id(p): group for group in model.configure_optimizers().param_groups for p in group["params"]}
    assert {groups[id(p)]["weight_decay"] for p in free} == {0.0}
    assert {groups[id(p)]["lr"] for p in free} == {rate}
    assert {groups[id(p)]["eps"] for p in free} == {1e-6}, "the options of the encoder"


def test_an_lrus_eigenvalues_start_on_their_ring_and_stay_in_the_circle() -> None:
    torch.manual_seed(0)
    layer = Lru(E, hidden_size=500, smallest=0.8, largest=0.9, phase=1.0).forwards[0]
    assert isinstance(layer, LruLayer)
    radius, phase = layer.eigenvalues.abs(), layer.eigenvalues.angle()
    assert 0.8 <= radius.min() < 0.81
    assert 0.89 < radius.max() <= 0.9
    assert 0 <= phase.min() < phase.max() <= 1
    torch.testing.assert_close(layer.log_gamma.exp(), (1 - radius**2).sqrt(), atol=1e-5, rtol=1e-5)
    with torch.no_grad():
        layer.nu.add_(100 * torch.randn_like(layer.nu))
    assert (layer.eigenvalues.abs() <= 1).all()


@pytest.mark.parametrize("encoder", [MinGru, MinLstm, SLstm])
def test_gates_that_are_shut_to_the_last_digit_give_what_the_equations_do(
    encoder: type[Recurrent], compiled_or_stepped: str
) -> None:
    net, inputs = random_encoder(encoder, E, 8), 60 * torch.randn(4, 12, E, generator=torch.Generator().manual_seed(3))
    inputs.requires_grad_()
    exact = inputs.detach().double().requires_grad_()
    twin = copy.deepcopy(net).double()
    states, expected = net(inputs, torch.full((4,), 12)), by_steps(twin, exact)
    torch.testing.assert_close(states.double(), expected, atol=1e-3, rtol=1e-4)
    found = torch.autograd.grad(states.sum(), list(net.parameters()))
    wanted = torch.autograd.grad(expected.sum(), list(twin.parameters()))
    for mine, theirs in zip(found, wanted, strict=True):
        assert mine.isfinite().all()
        torch.testing.assert_close(mine.double(), theirs, atol=1e-3 * float(theirs.abs().max() + 1), rtol=1e-3)


@pytest.mark.parametrize("bias", [8.0, 12.0, 15.0, 17.0])
def test_a_forget_gate_of_an_slstm_that_is_all_but_open_has_its_gradient(bias: float) -> None:
    net, inputs = random_encoder(SLstm, E, 8), torch.randn(4, 12, E, generator=torch.Generator().manual_seed(3))
    layer = net.forwards[0]
    with torch.no_grad():
        layer.bias_ih_l0[8:16] = bias
    twin = copy.deepcopy(net).double()
    states, expected = net(inputs, torch.full((4,), 12)), by_steps(twin, inputs.double())
    (found,) = torch.autograd.grad(states.sum(), layer.bias_ih_l0)
    (wanted,) = torch.autograd.grad(expected.sum(), twin.forwards[0].bias_ih_l0)
    torch.testing.assert_close(found[8:16].double(), wanted[8:16], rtol=1e-3, atol=0)


@pytest.mark.parametrize(
    ("encoder", "settings", "line"),
    [
        (SLstm, {"heads": 3}, "hidden_size=8: expected a multiple of heads=3"),
        (SLstm, {"heads": 0}, "hidden_size=8: expected a multiple of heads=0, at least 1"),
        (Lru, {"largest": 1.2}, "largest=1.2, .*: expected 0 <= smallest < largest < 1"),
        (OrthogonalRnn, {"recurrent_init": "uniform"}, "expected recurrent_init=orthogonal or identity"),
        (OrthogonalRnn, {"recurrent_gain": 1.2}, "and recurrent_gain=1"),
        (MinLstm, {"recurrent_gain": 3.0}, r"recurrent_gain=3\.0: expected 1, since it has no W_h"),
        (Lru, {"recurrent_gain": 3.0}, r"recurrent_gain=3\.0: expected 1, since it has no W_h"),
        (Rnn, {"gradient_steps": 3, "bidirectional": True}, "gradient_steps=3"),
    ],
)
def test_what_a_cell_cannot_be_is_refused(encoder: type[Recurrent], settings: dict[str, Any], line: str) -> None:
    with pytest.raises(ValueError, match=line):
        encoder(E, hidden_size=8, **settings)
