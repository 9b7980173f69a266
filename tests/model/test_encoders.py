"""Encoders equal PyTorch's on packed sequences, whatever the padding, and start as their settings say."""

import math

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from layer_checks import E, H, random_encoder
from sentiment_rnn.model.cells import steps
from sentiment_rnn.model.encoders.gru import Gru
from sentiment_rnn.model.encoders.lstm import Lstm
from sentiment_rnn.model.encoders.min_rnn import MinGru, MinLstm
from sentiment_rnn.model.encoders.recurrent import (
    Gated,
    Recurrent,
    biases,
    gates_of,
)
from sentiment_rnn.model.encoders.rnn import ReluRnn, Rnn
from sentiment_rnn.model.encoders.slstm import SLstm

GATES: dict[type[Recurrent], int] = {Rnn: 1, ReluRnn: 1, Gru: 3, Lstm: 4}
"""Recurrent matrices of each."""
CELLS = pytest.mark.parametrize("cell", list(GATES))
SHAPES = pytest.mark.parametrize(("layers", "bidirectional"), [(1, False), (2, False), (1, True), (2, True)])
lengths_of_a_batch = st.lists(st.integers(1, 12), min_size=1, max_size=6)


def embedded_batch(lengths: list[int], seed: int = 0, padding: float = 0.0) -> tuple[Tensor, Tensor]:
    """`[B, T, E]` of noise, `padding` behind each length, and the lengths."""
    generator = torch.Generator().manual_seed(seed)
    embedded = torch.randn(len(lengths), max(lengths), E, generator=generator)
    return embedded.masked_fill(~valid(lengths)[:, :, None], padding), torch.tensor(lengths)


def valid(lengths: list[int]) -> Tensor:
    """bool [B, T], true where a token stands."""
    return torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]


def packed_twin(encoder: Recurrent, layers: int) -> tuple[nn.RNNBase, dict[str, nn.Parameter]]:
    """PyTorch's own net with the same weights, and the encoder's parameters by the names they have there."""
    twin = encoder.module(E, H, num_layers=layers, bidirectional=encoder.backwards is not None, batch_first=True)
    names = {}
    for stack, suffix in ((encoder.forwards, ""), (encoder.backwards or [], "_reverse")):
        for layer, module in enumerate(stack):
            for name, parameter in module.named_parameters():
                names[name.replace("_l0", f"_l{layer}{suffix}")] = parameter
    twin.load_state_dict({name: parameter.detach().clone() for name, parameter in names.items()})
    return twin, names


def run_packed(net: nn.RNNBase, embedded: Tensor, lengths: Tensor) -> Tensor:
    """States `[B, T, D]` by way of packed sequences."""
    packed = pack_padded_sequence(embedded, lengths, batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(net(packed)[0], batch_first=True)[0]


@CELLS
@SHAPES
def test_states_and_gradients_are_those_of_packed_sequences(
    cell: type[Recurrent], layers: int, bidirectional: bool
) -> None:
    encoder = random_encoder(cell, E, H, layers=layers, bidirectional=bidirectional)
    twin, names = packed_twin(encoder, layers)
    lengths = [9, 1, 4, 9, 2]
    embedded, sizes = embedded_batch(lengths)
    weights = torch.randn(sum(lengths), encoder.output_size, generator=torch.Generator().manual_seed(1))

    ours, theirs = embedded.clone().requires_grad_(), embedded.clone().requires_grad_()
    states, expected = encoder(ours, sizes)[valid(lengths)], run_packed(twin, theirs, sizes)[valid(lengths)]
    torch.testing.assert_close(states, expected, atol=1e-5, rtol=0)
    (states * weights).sum().backward()
    (expected * weights).sum().backward()

    torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-5, rtol=1e-5)
    for name, parameter in twin.named_parameters():
        torch.testing.assert_close(names[name].grad, parameter.grad, atol=1e-5, rtol=1e-5, msg=name)


@CELLS
@SHAPES
@given(lengths=lengths_of_a_batch, padding=st.sampled_from([1e30, float("inf"), float("nan"), -3.0]))
@settings(max_examples=20, deadline=None)
def test_what_stands_in_the_padding_does_not_matter(
    cell: type[Recurrent], layers: int, bidirectional: bool, lengths: list[int], padding: float
) -> None:
    encoder = random_encoder(cell, E, H, layers=layers, bidirectional=bidirectional)
    sizes = torch.tensor(lengths)
    zeros = encoder(embedded_batch(lengths)[0], sizes)
    filled = encoder(embedded_batch(lengths, padding=padding)[0], sizes)
    torch.testing.assert_close(filled[valid(lengths)], zeros[valid(lengths)], atol=1e-6, rtol=0)


def layers_of(encoder: Recurrent) -> list[nn.RNNBase]:
    """Every layer and direction of an encoder."""
    return [*encoder.forwards, *(encoder.backwards or [])]


@CELLS
@pytest.mark.parametrize("recurrent_init", ["orthogonal", "identity"])
def test_the_recurrent_matrix_of_each_gate_starts_orthogonal_or_as_the_identity(
    cell: type[Recurrent], recurrent_init: str
) -> None:
    layers = layers_of(cell(E, hidden_size=16, layers=2, bidirectional=True, recurrent_init=recurrent_init))
    assert len(layers) == 4
    for layer in layers:
        gates = layer.weight_hh_l0.detach().split(16)
        assert len(gates) == GATES[cell]
        for gate in gates:
            made = gate @ gate.T if recurrent_init == "orthogonal" else gate
            torch.testing.assert_close(made, torch.eye(16), atol=1e-5, rtol=0)
    assert torch.allclose(layers[0].weight_hh_l0, layers[2].weight_hh_l0) == (recurrent_init == "identity")


@pytest.mark.parametrize("cell", [Rnn, ReluRnn, Gru])
def test_uniform_start_is_that_of_pytorch(cell: type[Recurrent]) -> None:
    torch.manual_seed(3)
    ours = cell(E, hidden_size=H, recurrent_init="uniform").forwards[0]
    torch.manual_seed(3)
    theirs = {Rnn: nn.RNN, ReluRnn: nn.RNN, Gru: nn.GRU}[cell](E, H, batch_first=True)
    for name, parameter in theirs.named_parameters():
        assert torch.equal(getattr(ours, name), parameter), name


@pytest.mark.parametrize("recurrent_init", ["orthogonal", "identity", "uniform"])
def test_the_gain_multiplies_the_recurrent_weights_alone(recurrent_init: str) -> None:
    drawn = []
    for gain in (1.0, 1.5):
        torch.manual_seed(0)
        drawn.append(Rnn(E, hidden_size=H, recurrent_init=recurrent_init, recurrent_gain=gain).forwards[0])
    plain, gained = (dict(layer.named_parameters()) for layer in drawn)
    for name, parameter in plain.items():
        torch.testing.assert_close(gained[name], parameter * (1.5 if name.startswith("weight_hh") else 1.0))


@CELLS
@pytest.mark.parametrize("recurrent_init", ["orthogonal", "identity"])
def test_input_matrices_start_as_glorot_says_for_each_gate(cell: type[Recurrent], recurrent_init: str) -> None:
    bound = math.sqrt(6 / (40 + 50))
    for layer in layers_of(cell(40, hidden_size=50, recurrent_init=recurrent_init)):
        for gate in layer.weight_ih_l0.detach().split(50):
            assert gate.abs().max() <= bound
            assert gate.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.06)


@pytest.mark.parametrize("recurrent_init", ["orthogonal", "identity", "uniform"])
@pytest.mark.parametrize("forget_bias", [0.0, 1.0, 5.0])
def test_forget_gates_start_with_the_forget_bias(recurrent_init: str, forget_bias: float) -> None:
    encoder = Lstm(
        E, hidden_size=H, layers=2, bidirectional=True, recurrent_init=recurrent_init, forget_bias=forget_bias
    )
    for layer in layers_of(encoder):
        bias = gates_of(layer, layer.bias_ih_l0 + layer.bias_hh_l0)
        assert torch.equal(bias["f"], torch.full((H,), forget_bias))


@pytest.mark.parametrize("cell", [Lstm, Gru, MinGru, MinLstm, SLstm])
@pytest.mark.parametrize("recurrent_init", ["orthogonal", "uniform"])
def test_chrono_spreads_the_memories_over_the_steps(cell: type[Gated], recurrent_init: str) -> None:
    (layer,) = layers_of(cell(E, hidden_size=400, recurrent_init=recurrent_init, chrono_steps=101))
    start = gates_of(layer, sum(biases(layer), torch.zeros(())))
    if cell.keeping and cell.writing:
        assert torch.equal(start[cell.writing], -start[cell.keeping])
    if recurrent_init == "orthogonal":
        assert not any(values.any() for gate, values in start.items() if gate not in (cell.keeping, cell.writing))
    for name, parameter in layer.named_parameters():
        if "bias" not in name:
            nn.init.zeros_(parameter)  # so that the gates hold still
    with torch.no_grad():
        *_, last = steps(layer, torch.zeros(1, 1000, E))  # an sLSTM begins without a normalizer, and settles
    kept = last.gates["forget" if "forget" in last.gates else "update"][0]
    memory = 1 / (1 - kept)  # steps, U(2, 101)
    assert 1.99 < memory.min() < 4
    assert 98 < memory.max() < 101.1
    assert memory.mean().item() == pytest.approx(51.5, abs=5)


@CELLS
def test_dropout_acts_between_layers_and_only_in_training(cell: type[Recurrent]) -> None:
    batch = embedded_batch([6, 6])
    two = random_encoder(cell, E, H, layers=2, dropout=0.5)
    assert not torch.equal(two.train()(*batch), two(*batch))
    assert torch.equal(two.eval()(*batch), two(*batch))
    one = random_encoder(cell, E, H, layers=1, dropout=0.5).train()
    assert torch.equal(one(*batch), one(*batch))
