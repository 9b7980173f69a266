"""Cells by their equations, the compiled ones against them, and gradients that are cut."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch_threads import torch_threads

from sentiment_rnn.data.batching import Batch
from sentiment_rnn.model import cells, recurrence
from sentiment_rnn.model.ablations import LstmCoupled, LstmGatesOfInput, LstmNoForget, LstmNoInput, LstmNoOutput
from sentiment_rnn.model.cells import CELLS, AnyLayer, Cell, Cut, Layer, Step
from sentiment_rnn.model.classifier import SentimentClassifier
from sentiment_rnn.model.encoders import Gru, LeakyRnn, Lstm, Recurrent, ReluRnn, Rnn
from sentiment_rnn.probes.input_gradients import gradient_by_distance
from sentiment_rnn.probes.state_gradients import gradient_flow
from sentiment_rnn.probes.unrolled import unroll

E, H = 5, 7
MODULES: dict[str, Callable[..., nn.RNNBase]] = {
    "RNN_TANH": nn.RNN,
    "RNN_RELU": partial(nn.RNN, nonlinearity="relu"),
    "GRU": nn.GRU,
    "LSTM": nn.LSTM,
}
MODES = pytest.mark.parametrize("mode", list(CELLS))
LSTMS: tuple[type[Lstm], ...] = (Lstm, LstmNoForget, LstmNoInput, LstmNoOutput, LstmCoupled, LstmGatesOfInput)
COMPILED = pytest.mark.skipif(recurrence.library() is None, reason="no compiler on this machine")
Read = Callable[[AnyLayer, Tensor], Tensor]


def random_layer(mode: str, E: int = E, H: int = H, scale: float = 0.5) -> AnyLayer:
    """A layer whose every parameter is random and large enough to matter."""
    torch.manual_seed(0)
    layer = MODULES[mode](E, H, batch_first=True) if mode in MODULES else Layer(E, H, mode=mode, alpha=0.8)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.uniform_(-scale, scale)
    return layer


def states_and_gradients(read: Read, layer: AnyLayer, inputs: Tensor, weights: Tensor) -> list[Tensor]:
    """States, and the gradients of their weighted sum by the inputs and by each parameter."""
    leaf = inputs.clone().requires_grad_()
    states = read(layer, leaf)
    parameters = list(layer.parameters())
    gradients = torch.autograd.grad((states.float() * weights).sum(), [leaf, *parameters], materialize_grads=True)
    return [states.detach().float(), *gradients]


@pytest.mark.parametrize("mode", list(MODULES))
def test_stepped_states_and_gradients_equal_the_modules(mode: str) -> None:
    layer, inputs, weights = random_layer(mode), torch.randn(6, 9, E), torch.randn(6, 9, H)
    ours = states_and_gradients(cells.states, layer, inputs, weights)
    theirs = states_and_gradients(lambda module, x: module(x)[0], layer, inputs, weights)
    for mine, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, expected, atol=1e-5, rtol=1e-5)


# By the letter of its gate: what each LSTM lets through, from W x_t + b and U h_{t-1}.
Gate = Callable[[Tensor, Tensor], Tensor]
PLAIN: Gate = lambda x, h: torch.sigmoid(x + h)  # noqa: E731
OPEN: Gate = lambda x, h: torch.ones_like(x)  # noqa: E731
OF_INPUT: Gate = lambda x, h: torch.sigmoid(x)  # noqa: E731
ABLATED: dict[str, dict[str, Gate]] = {
    "LSTM_NO_FORGET": {"f": OPEN},
    "LSTM_NO_INPUT": {"i": OPEN},
    "LSTM_NO_OUTPUT": {"o": OPEN},
    "LSTM_COUPLED": {},
    "LSTM_GATES_OF_INPUT": dict.fromkeys("ifo", OF_INPUT),
}


@pytest.mark.parametrize("mode", list(ABLATED))
def test_an_ablated_lstm_equals_its_equations(mode: str) -> None:
    """The plain LSTM's, over weights in which the rows that the ablated one lacks are random: nothing reads them."""
    layer, inputs = random_layer(mode), torch.randn(3, 8, E)
    rows = CELLS[mode].gates
    recurrent = rows if CELLS[mode].recurrent is None else str(CELLS[mode].recurrent)
    w_x, w_h, b = ({gate: torch.randn(H, *size) for gate in "ifgo"} for size in ((E,), (H,), ()))
    w_x |= dict(zip(rows, layer.weight_ih_l0.detach().split(H), strict=True))
    w_h |= dict(zip(recurrent, layer.weight_hh_l0.detach().split(H), strict=True))
    b |= dict(zip(rows, (layer.bias_ih_l0 + layer.bias_hh_l0).detach().split(H), strict=True))
    h, c = torch.zeros(3, H), torch.zeros(3, H)
    expected = []
    for t in range(8):
        looked = {gate: (inputs[:, t] @ w_x[gate].T + b[gate], h @ w_h[gate].T) for gate in "ifgo"}
        i, f, o = (ABLATED[mode].get(gate, PLAIN)(*looked[gate]) for gate in "ifo")
        if mode == "LSTM_COUPLED":
            i = 1 - f
        c = f * c + i * torch.tanh(sum(looked["g"], torch.zeros(3, H)))
        h = o * torch.tanh(c)
        expected.append(h)
    torch.testing.assert_close(cells.states(layer, inputs).detach(), torch.stack(expected, 1), atol=1e-5, rtol=0)


def test_a_leaky_rnn_equals_its_equation_and_is_the_vanilla_one_where_it_keeps_nothing() -> None:
    layer, vanilla, inputs = random_layer("RNN_LEAKY"), random_layer("RNN_TANH"), torch.randn(3, 8, E)
    h, expected = torch.zeros(3, H), []
    for t in range(8):
        seen = inputs[:, t] @ layer.weight_ih_l0.T + h @ layer.weight_hh_l0.T + layer.bias_ih_l0 + layer.bias_hh_l0
        h = 0.8 * h + 0.2 * torch.tanh(seen)
        expected.append(h)
    torch.testing.assert_close(cells.states(layer, inputs), torch.stack(expected, 1), atol=1e-6, rtol=0)
    layer.alpha = 0.0
    layer.load_state_dict(vanilla.state_dict())
    torch.testing.assert_close(cells.states(layer, inputs), vanilla(inputs)[0], atol=1e-6, rtol=0)


def cuts_of(mode: str, B: int, T: int) -> list[Cut | None]:
    """No cut, truncation at every step and beyond both ends, and those that the cell has."""
    starts = Cut(torch.arange(B) % (T + 1))
    if not mode.startswith("LSTM"):
        return [None, starts]
    both = Cut(starts.starts, along_cell=True, through_state=True)
    return [None, starts, Cut(along_cell=True), Cut(through_state=True), both]


@COMPILED
@MODES
@pytest.mark.parametrize(("B", "T", "E", "H"), [(1, 1, 1, 1), (3, 7, 5, 9), (70, 12, 10, 16), (50, 9, 20, 32)])
@pytest.mark.parametrize("threads", [1, 2])
def test_compiled_states_and_gradients_equal_the_stepped_ones(
    mode: str, B: int, T: int, E: int, H: int, threads: int
) -> None:
    layer, inputs, weights = random_layer(mode, E, H), torch.randn(B, T, E), torch.randn(B, T, H)
    with torch_threads(threads):
        for cut in cuts_of(mode, B, T):
            ours = states_and_gradients(partial(recurrence.states, cut=cut), layer, inputs, weights)
            theirs = states_and_gradients(partial(cells.states, cut=cut), layer, inputs, weights)
            for mine, expected in zip(ours, theirs, strict=True):
                largest = max(1.0, float(expected.abs().max()))  # gradients of these layers grow with T
                torch.testing.assert_close(mine, expected, atol=1e-5 * largest, rtol=1e-5)


@COMPILED
@MODES
@pytest.mark.parametrize("half", [False, True])
def test_two_layers_with_one_cut_read_side_by_side_as_each_alone(mode: str, half: bool) -> None:
    if half and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        pytest.skip("no bfloat16 on this processor")
    layers = [random_layer(mode, 20, 32, scale=0.2) for _ in range(2)]
    with torch.no_grad():
        layers[1].weight_hh_l0.mul_(-0.5)
    inputs = [torch.randn(50, 12, 20).requires_grad_() for _ in layers]
    weights = [torch.randn(50, 12, 32) for _ in layers]
    parameters = [parameter for layer in layers for parameter in layer.parameters()]

    def gradients(states: Sequence[Tensor], again: bool) -> list[Tensor]:
        loss = sum((each.float() * weight).sum() for each, weight in zip(states, weights, strict=True))
        if again:  # a graph that is kept has its numbers still
            torch.autograd.grad(loss, [*inputs, *parameters], retain_graph=True)
        return [*states, *torch.autograd.grad(loss, [*inputs, *parameters])]

    with torch_threads(2), torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        for cut in cuts_of(mode, 50, 12):
            both = gradients(recurrence.states_side_by_side(layers, inputs, cut), again=True)
            alone = gradients([recurrence.states(*pair, cut) for pair in zip(layers, inputs, strict=True)], False)
            for mine, expected in zip(both, alone, strict=True):
                largest = max(1.0, float(expected.abs().max()))
                torch.testing.assert_close(mine, expected, atol=1e-5 * largest, rtol=1e-5)


@COMPILED
@MODES
@pytest.mark.parametrize("threads", [1, 2])
def test_in_bfloat16_the_compiled_ones_are_as_close_as_three_digits_allow(mode: str, threads: int) -> None:
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        pytest.skip("no bfloat16 on this processor")
    layer, inputs, weights = random_layer(mode, 20, 32, scale=0.2), torch.randn(50, 12, 20), torch.randn(50, 12, 32)
    with torch_threads(threads):
        for cut in cuts_of(mode, 50, 12):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                ours = states_and_gradients(partial(recurrence.states, cut=cut), layer, inputs, weights)
            theirs = states_and_gradients(partial(cells.states, cut=cut), layer, inputs, weights)
            limit = 0.1 if mode == "RNN_RELU" else 0.03  # a state near 0 may round to the other side of the kink
            for mine, expected in zip(ours, theirs, strict=True):
                assert (mine - expected).norm() <= limit * expected.norm() + 1e-3


@MODES
def test_no_cut_changes_a_state(mode: str) -> None:
    layer, inputs = random_layer(mode), torch.randn(6, 9, E)
    reads = [cells.states] if recurrence.library() is None else [cells.states, recurrence.states]
    for read in reads:
        whole, *others = (read(layer, inputs, cut) for cut in cuts_of(mode, 6, 9))
        assert others
        assert all(torch.equal(states, whole) for states in others)


@COMPILED
def test_starts_of_another_size_are_refused() -> None:
    layer, inputs = random_layer("RNN_TANH"), torch.randn(6, 9, E).requires_grad_()
    with pytest.raises(RuntimeError, match="starts: expected"):
        recurrence.states(layer, inputs, Cut(torch.zeros(5, dtype=torch.int64))).sum().backward()


def build(encoder: type[Recurrent], **settings: object) -> Recurrent:
    """An encoder in which every parameter matters."""
    torch.manual_seed(0)
    own = {"alpha": 0.8} if encoder is LeakyRnn else {}
    made = encoder(E, hidden_size=H, **own, **settings)  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.uniform_(-0.7, 0.7)
    return made


ENCODERS = pytest.mark.parametrize("encoder", [Rnn, ReluRnn, LeakyRnn, Gru, *LSTMS])
COMPILED_OR_STEPPED = pytest.mark.parametrize("compiled", [pytest.param(True, marks=COMPILED), False])


@ENCODERS
@COMPILED_OR_STEPPED
@pytest.mark.parametrize("layers", [1, 2])
def test_a_truncated_gradient_reaches_the_last_tokens_of_each_review(
    encoder: type[Recurrent], compiled: bool, layers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not compiled:
        monkeypatch.setattr(recurrence, "library", lambda: None)
    lengths = torch.tensor([9, 2, 5, 3])
    embedded = torch.randn(4, 9, E).requires_grad_()
    net = build(encoder, gradient_steps=3, layers=layers)
    states = net(embedded, lengths)
    (gradient,) = torch.autograd.grad(states[torch.arange(4), lengths - 1].sum(), embedded)
    position = torch.arange(9)
    reached = (position >= lengths[:, None] - 3) & (position < lengths[:, None])
    assert torch.equal(gradient.abs().amax(2) > 0, reached)
    with torch.no_grad():
        torch.testing.assert_close(net(embedded, lengths), states, atol=1e-6, rtol=0)


@ENCODERS
@COMPILED_OR_STEPPED
def test_a_truncated_gradient_is_that_of_a_net_that_starts_where_it_begins(
    encoder: type[Recurrent], compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """∂ of the last state by the weights: of four tokens, read from the state behind the first five."""
    if not compiled:
        monkeypatch.setattr(recurrence, "library", lambda: None)
    embedded, lengths = torch.randn(3, 9, E), torch.tensor([9, 9, 9])
    net = build(encoder, gradient_steps=4)
    layer = net.forwards[0]
    assert isinstance(layer, AnyLayer)
    with torch.no_grad():
        before = list(cells.steps(layer, embedded[:, :5]))[-1]
    state, cell = before.state, before.cell
    for t in range(5, 9):
        seen = nn.functional.linear(embedded[:, t], layer.weight_ih_l0, layer.bias_ih_l0)  # type: ignore[arg-type]
        recurrent = state @ cells.recurrent_weight(layer).T + layer.bias_hh_l0
        state, cell, _ = CELLS[layer.mode].step(layer, seen, recurrent, state, cell)
    expected = torch.autograd.grad(state.square().sum(), list(net.parameters()))
    found = torch.autograd.grad(net(embedded, lengths)[:, -1].square().sum(), list(net.parameters()))
    for mine, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("encoder", LSTMS)
@pytest.mark.parametrize("detach", ["cell", "hidden"])
@COMPILED_OR_STEPPED
def test_a_detached_way_carries_no_gradient_and_the_other_one_does(
    encoder: type[Lstm], detach: str, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """∂h_2/∂x_1 by hand: along C_1 it is o tanh' f ∂C_1/∂x_1, through h_1 all the rest."""
    if not compiled:
        monkeypatch.setattr(recurrence, "library", lambda: None)
    embedded, lengths = torch.randn(3, 2, E).requires_grad_(), torch.tensor([2, 2, 2])
    weights = torch.randn(3, H)

    def gradient(net: Recurrent) -> Tensor:
        return torch.autograd.grad((net(embedded, lengths)[:, -1] * weights).sum(), embedded)[0]

    cut, whole = build(encoder, detach=detach), build(encoder)
    layer = whole.forwards[0]
    assert isinstance(layer, Layer | nn.LSTM)
    first, second = cells.steps(layer, embedded)
    along_cell = torch.autograd.grad(
        first.cell, embedded, weights * second.gates["output"] * (1 - second.cell.tanh() ** 2) * second.gates["forget"]
    )[0][:, 0]
    assert along_cell.abs().max() > 1e-3
    through_state = gradient(whole)[:, 0] - along_cell
    assert through_state.abs().max() > 1e-3
    torch.testing.assert_close(
        gradient(cut)[:, 0], along_cell if detach == "hidden" else through_state, atol=1e-6, rtol=1e-4
    )
    torch.testing.assert_close(gradient(cut)[:, 1], gradient(whole)[:, 1], atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(cut(embedded, lengths), whole(embedded, lengths), atol=1e-6, rtol=0)


def test_a_truncated_gradient_in_two_directions_is_refused() -> None:
    with pytest.raises(ValueError, match="gradient_steps=3"):
        Rnn(E, hidden_size=H, bidirectional=True, gradient_steps=3)


def test_values_out_of_bounds_are_refused() -> None:
    with pytest.raises(ValueError, match="detach=gates: expected none, cell or hidden"):
        Lstm(E, hidden_size=H, detach="gates")
    for alpha in (-0.1, 1.0):
        with pytest.raises(ValueError, match="alpha="):
            LeakyRnn(E, hidden_size=H, alpha=alpha)


def min_gru_step(_: nn.Module, from_input: Tensor, __: Tensor, before: Tensor, ___: Tensor) -> Step:
    """The minGRU (Feng et al. 2024, section 3.1): z_t and the candidate see the token alone."""
    z, candidate = from_input.chunk(2, 1)
    z = z.sigmoid()
    state = (1 - z) * before + z * candidate
    return Step(state, state, {"update": 1 - z, "candidate": candidate})


class MinGru(Recurrent):
    """An encoder of a cell that is not compiled."""

    module = staticmethod(partial(Layer, mode="MIN_GRU"))


@pytest.fixture
def min_gru(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cell, among the others."""
    monkeypatch.setitem(CELLS, "MIN_GRU", Cell("zh", min_gru_step, recurrent=""))


@pytest.mark.usefixtures("min_gru")
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


@pytest.mark.usefixtures("min_gru")
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


def test_a_gate_that_is_not_there_has_no_weights() -> None:
    blocks = {encoder: len(encoder(E, hidden_size=H).forwards[0].weight_ih_l0) // H for encoder in LSTMS}  # type: ignore[arg-type, union-attr]
    assert blocks == {Lstm: 4, LstmNoForget: 3, LstmNoInput: 3, LstmNoOutput: 3, LstmCoupled: 3, LstmGatesOfInput: 4}
    assert LstmGatesOfInput(E, hidden_size=H).forwards[0].weight_hh_l0.shape == (H, H)
    with pytest.raises(TypeError, match="forget_bias"):
        LstmNoForget(E, hidden_size=H, forget_bias=5)
