"""Each cell of the lab lacks the one part that its name says, and computes the same compiled and stepped."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from experiments.lab.encoders.ablations import LstmCoupled, LstmGatesOfInput, LstmNoForget, LstmNoInput, LstmNoOutput
from experiments.lab.encoders.leaky import LeakyRnn
from layer_checks import E, H, LayerTests, LstmTests, random_layer
from sentiment_rnn.data.batching import Batch
from sentiment_rnn.inference.package import Package
from sentiment_rnn.inference.probes import unroll
from sentiment_rnn.model import cells
from sentiment_rnn.model.cells import cell_of
from sentiment_rnn.model.encoders.lstm import CellState
from sentiment_rnn.model.encoders.recurrent import Recurrent, biases, gates_of, recurrent_matrices
from sentiment_rnn.model.encoders.rnn import Rnn

LSTMS: tuple[type[CellState], ...] = (LstmNoForget, LstmNoInput, LstmNoOutput, LstmCoupled, LstmGatesOfInput)
EACH = pytest.mark.parametrize("encoder", [*LSTMS, LeakyRnn])
EACH_LSTM = pytest.mark.parametrize("encoder", LSTMS)

# By the letter of its gate: what each LSTM lets through, from W x_t + b and U h_{t-1}.
Gate = Callable[[Tensor, Tensor], Tensor]
PLAIN: Gate = lambda x, h: torch.sigmoid(x + h)  # noqa: E731
OPEN: Gate = lambda x, h: torch.ones_like(x)  # noqa: E731
OF_INPUT: Gate = lambda x, h: torch.sigmoid(x)  # noqa: E731
ABLATED: dict[type[CellState], dict[str, Gate]] = {
    LstmNoForget: {"f": OPEN},
    LstmNoInput: {"i": OPEN},
    LstmNoOutput: {"o": OPEN},
    LstmCoupled: {},
    LstmGatesOfInput: dict.fromkeys("ifo", OF_INPUT),
}


@EACH
class TestLayers(LayerTests):
    """The layer tests on each encoder of the lab."""


@EACH_LSTM
class TestLstms(LstmTests):
    """The LSTM tests on the lab's encoders with a cell state."""


@EACH_LSTM
def test_an_ablated_lstm_equals_its_equations(encoder: type[CellState]) -> None:
    """The plain LSTM's, over weights in which the rows that the ablated one lacks are random: nothing reads them."""
    layer, inputs = random_layer(encoder, E, H), torch.randn(3, 8, E)
    rows, recurrent = cell_of(layer).gates, cell_of(layer).recurrent
    w_x, w_h, b = ({gate: torch.randn(H, *size) for gate in "ifgo"} for size in ((E,), (H,), ()))
    w_x |= dict(zip(rows, layer.weight_ih_l0.detach().split(H), strict=True))
    w_h |= dict(zip(rows if recurrent is None else recurrent, layer.weight_hh_l0.detach().split(H), strict=True))
    b |= dict(zip(rows, (layer.bias_ih_l0 + layer.bias_hh_l0).detach().split(H), strict=True))
    h, c = torch.zeros(3, H), torch.zeros(3, H)
    expected = []
    for t in range(8):
        looked = {gate: (inputs[:, t] @ w_x[gate].T + b[gate], h @ w_h[gate].T) for gate in "ifgo"}
        i, f, o = (ABLATED[encoder].get(gate, PLAIN)(*looked[gate]) for gate in "ifo")
        if encoder is LstmCoupled:
            i = 1 - f
        c = f * c + i * torch.tanh(sum(looked["g"], torch.zeros(3, H)))
        h = o * torch.tanh(c)
        expected.append(h)
    torch.testing.assert_close(cells.states(layer, inputs).detach(), torch.stack(expected, 1), atol=1e-5, rtol=0)


@pytest.mark.parametrize("alpha", [0.8, 0.0])
def test_a_leaky_rnn_equals_its_equation_and_is_the_vanilla_one_where_it_keeps_nothing(alpha: float) -> None:
    layer, inputs = random_layer(partial(LeakyRnn, alpha=alpha), E, H), torch.randn(3, 8, E)  # type: ignore[arg-type]
    h, expected = torch.zeros(3, H), []
    for t in range(8):
        seen = inputs[:, t] @ layer.weight_ih_l0.T + h @ layer.weight_hh_l0.T + layer.bias_ih_l0 + layer.bias_hh_l0
        h = alpha * h + (1 - alpha) * torch.tanh(seen)
        expected.append(h)
    torch.testing.assert_close(cells.states(layer, inputs), torch.stack(expected, 1), atol=1e-6, rtol=0)
    vanilla = random_layer(Rnn, E, H)
    vanilla.load_state_dict(layer.state_dict())
    assert torch.allclose(cells.states(layer, inputs), vanilla(inputs)[0], atol=1e-6) == (alpha == 0)


def test_a_gate_that_is_not_there_has_no_weights_and_the_others_start_as_the_lstms() -> None:
    blocks = {}
    for encoder in (*LSTMS, LeakyRnn):
        layer: Any = encoder(E, hidden_size=16).forwards[0]
        matrices = recurrent_matrices(layer)
        for matrix in matrices:
            torch.testing.assert_close(matrix @ matrix.T, torch.eye(16), atol=1e-5, rtol=0)
        bias = gates_of(layer, sum(biases(layer)[1:], biases(layer)[0]))
        assert not any(values.any() for gate, values in bias.items() if gate != "f")
        assert torch.equal(bias.get("f", torch.ones(16)), torch.ones(16))
        blocks[encoder] = len(layer.weight_ih_l0) // 16, len(matrices)
    assert blocks == {
        LstmNoForget: (3, 3), LstmNoInput: (3, 3), LstmNoOutput: (3, 3), LstmCoupled: (3, 3), LstmGatesOfInput: (4, 1),
        LeakyRnn: (1, 1),
    }  # fmt: skip


@EACH_LSTM
def test_chrono_spreads_the_memories_of_the_gates_that_are_there(encoder: type[CellState]) -> None:
    layer: Any = encoder(E, hidden_size=2000, chrono_steps=101, recurrent_init="identity").forwards[0]
    bias = gates_of(layer, layer.bias_ih_l0 + layer.bias_hh_l0)
    forget = bias["f"] if "f" in bias else -bias["i"]
    assert torch.equal(bias.get("i", -forget), -forget)
    steps = forget.exp()  # U(1, 100)
    assert 1 <= steps.min() < 2
    assert 99 < steps.max() <= 100.01
    assert steps.mean().item() == pytest.approx(50.5, abs=2.5)
    assert not bias.get("o", torch.zeros(1)).any()


def named(encoder: type[Recurrent]) -> str:
    """The import path of a class."""
    return f"{encoder.__module__}.{encoder.__name__}"


@EACH_LSTM
def test_gates_that_are_looked_into_are_those_of_the_equations(
    encoder: type[CellState], build_package: Callable[..., Package], batch: Batch
) -> None:
    model = build_package(named(encoder)).model
    unrolled = unroll(model, batch.tokens % 10, batch.lengths)
    states, memory, gates = torch.stack(unrolled.states, 1), torch.stack(unrolled.cells, 1), unrolled.gates
    before = torch.cat([torch.zeros_like(memory[:, :1]), memory[:, :-1]], 1)
    torch.testing.assert_close(memory, gates["forget"] * before + gates["input"] * gates["candidate"])
    torch.testing.assert_close(states, gates["output"] * memory.tanh())
    missing = {LstmNoForget: "forget", LstmNoInput: "input", LstmNoOutput: "output"}.get(encoder)
    assert [name for name in ("forget", "input", "output") if (gates[name] == 1).all()] == (
        [missing] if missing else []
    )
    if encoder is LstmCoupled:
        torch.testing.assert_close(gates["input"], 1 - gates["forget"])


def test_values_that_a_cell_has_no_use_for_or_out_of_bounds_are_refused() -> None:
    with pytest.raises(TypeError, match="forget_bias"):
        LstmNoForget(E, hidden_size=H, forget_bias=5)
    for alpha in (-0.1, 1.0):
        with pytest.raises(ValueError, match="alpha="):
            LeakyRnn(E, hidden_size=H, alpha=alpha)
