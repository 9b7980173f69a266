"""Tests that hold for a layer of any recurrent encoder, the tool's and the lab's."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import pytest
import torch
from torch import Tensor

from sentiment_rnn.model import cells, recurrence
from sentiment_rnn.model.cells import AnyLayer, GradientStop, cell_of
from sentiment_rnn.model.encoders.recurrent import Recurrent
from sentiment_rnn.model.encoders.rnn import ReluRnn

# One row, fewer than a thread takes, a number that threads do not share evenly; one step; odd sizes; sizes that fill
# the tiles of a matrix unit, with rows that do not.
SHAPES = [(1, 1, 1, 1), (3, 7, 5, 9), (70, 12, 10, 16), (33, 40, 7, 31), (50, 9, 20, 32), (90, 5, 1, 64)]
COMPILED = pytest.mark.skipif(recurrence.library() is None, reason="no compiler on this machine")
BFLOAT16 = pytest.mark.skipif(not torch.ops.mkldnn._is_mkldnn_bf16_supported(), reason="no bfloat16 on this processor")
E, H = 5, 7
Read = Callable[[AnyLayer, Tensor], Tensor]


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """`count` threads of an operation until the block ends."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    yield
    torch.set_num_threads(before)


def random_layer(encoder: type[Recurrent], E: int, H: int, scale: float = 0.5) -> AnyLayer:
    """A layer whose every parameter is random and large enough to matter."""
    torch.manual_seed(0)
    layer = encoder(E, hidden_size=H).new_layer(E)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.uniform_(-scale, scale)
    return layer


def compiled_states(layer: AnyLayer, inputs: Tensor, stop: GradientStop | None = None) -> Tensor:
    """States `[B, T, H]` of one layer by the compiled library."""
    return recurrence.states_side_by_side([layer], [inputs], stop)[0]


def random_encoder(encoder: type[Recurrent], E: int, H: int, **settings: object) -> Recurrent:
    """An encoder in which every parameter matters."""
    torch.manual_seed(0)
    made = encoder(E, hidden_size=H, **settings)  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.uniform_(-0.7, 0.7)
    return made


def states_and_gradients(read: Read, layer: AnyLayer, inputs: Tensor, weights: Tensor) -> list[Tensor]:
    """States, and the gradients of their weighted sum by the inputs and by each parameter."""
    leaf = inputs.clone().requires_grad_()
    states = read(layer, leaf)
    parameters = list(layer.parameters())
    gradients = torch.autograd.grad((states.float() * weights).sum(), [leaf, *parameters], materialize_grads=True)
    return [states.detach().float(), *gradients]


def autograd_functions(of: Tensor) -> set[str]:
    """Names of the autograd functions that computed a tensor."""
    found: set[object] = set()
    ahead = [of.grad_fn]
    while ahead:
        if (function := ahead.pop()) and function not in found:
            found.add(function)
            ahead += [before for before, _ in function.next_functions]
    return {type(function).__name__ for function in found}


def stops_of(layer: AnyLayer, B: int, T: int) -> list[GradientStop | None]:
    """No stop, truncation at every step and beyond both ends, and those that the cell has."""
    starts = GradientStop(torch.arange(B) % (T + 1))
    if not cell_of(layer).cell_state:
        return [None, starts]
    both = GradientStop(starts.starts, along_cell=True, through_state=True)
    return [None, starts, GradientStop(along_cell=True), GradientStop(through_state=True), both]


class TruncationTests:
    """Tests of a truncated gradient of any recurrent encoder. A subclass is parametrized with `encoder`."""

    @pytest.mark.parametrize("layers", [1, 2])
    def test_a_truncated_gradient_reaches_the_last_tokens_of_each_review(
        self, encoder: type[Recurrent], layers: int, compiled_or_stepped: str
    ) -> None:
        lengths = torch.tensor([9, 2, 5, 3])
        embedded = torch.randn(4, 9, E).requires_grad_()
        net = random_encoder(encoder, E, 8, gradient_steps=3, layers=layers)
        states = net(embedded, lengths)
        (gradient,) = torch.autograd.grad(states[torch.arange(4), lengths - 1].sum(), embedded)
        position = torch.arange(9)
        reached = (position >= lengths[:, None] - 3) & (position < lengths[:, None])
        assert torch.equal(gradient.abs().amax(2) > 0, reached)
        with torch.no_grad():
            torch.testing.assert_close(net(embedded, lengths), states, atol=1e-6, rtol=1e-5)


class LayerTests(TruncationTests):
    """Tests of a layer of any recurrent encoder. A subclass is parametrized with `encoder`."""

    @COMPILED
    @pytest.mark.parametrize(("B", "T", "E", "H"), SHAPES)
    @pytest.mark.parametrize("threads", [1, 2])
    def test_compiled_states_and_gradients_equal_the_stepped_ones(
        self, encoder: type[Recurrent], B: int, T: int, E: int, H: int, threads: int
    ) -> None:
        layer, inputs, weights = random_layer(encoder, E, H), torch.randn(B, T, E), torch.randn(B, T, H)
        assert recurrence.applies(layer, inputs, GradientStop())
        with torch_threads(threads):
            for stop in stops_of(layer, B, T):
                ours = states_and_gradients(partial(compiled_states, stop=stop), layer, inputs, weights)
                theirs = states_and_gradients(partial(cells.states, stop=stop), layer, inputs, weights)
                assert_equal(ours, theirs)

    @COMPILED
    @pytest.mark.parametrize("half", [pytest.param(True, marks=BFLOAT16), False])
    def test_two_layers_with_one_stop_read_side_by_side_as_each_alone(
        self, encoder: type[Recurrent], half: bool
    ) -> None:
        layers = [random_layer(encoder, 20, 32, scale=0.2) for _ in range(2)]
        with torch.no_grad():
            layers[1].weight_hh_l0.mul_(-0.5)  # type: ignore[operator, union-attr]
        inputs = [torch.randn(50, 12, 20).requires_grad_() for _ in layers]
        weights = [torch.randn(50, 12, 32) for _ in layers]
        parameters = [parameter for layer in layers for parameter in layer.parameters()]

        def gradients(states: Sequence[Tensor], again: bool) -> list[Tensor]:
            loss = sum((each.float() * weight).sum() for each, weight in zip(states, weights, strict=True))
            if again:  # a graph that is kept has its numbers still
                torch.autograd.grad(loss, [*inputs, *parameters], retain_graph=True)  # type: ignore[arg-type]
            return [*states, *torch.autograd.grad(loss, [*inputs, *parameters])]  # type: ignore[arg-type]

        with torch_threads(2), torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            for stop in stops_of(layers[0], 50, 12):
                both = gradients(recurrence.states_side_by_side(layers, inputs, stop), again=True)
                alone = gradients([compiled_states(*pair, stop) for pair in zip(layers, inputs, strict=True)], False)
                assert_equal(both, alone)

    @COMPILED
    @BFLOAT16
    @pytest.mark.parametrize("threads", [1, 2])
    def test_in_bfloat16_the_compiled_ones_are_as_close_as_three_digits_allow(
        self, encoder: type[Recurrent], threads: int
    ) -> None:
        limit = 0.1 if encoder is ReluRnn else 0.03  # a state near 0 may round to the other side of the kink
        layer, inputs, weights = random_layer(encoder, 20, 32, 0.2), torch.randn(50, 12, 20), torch.randn(50, 12, 32)
        with torch_threads(threads):
            for stop in stops_of(layer, 50, 12):
                with torch.autocast("cpu", dtype=torch.bfloat16):
                    ours = states_and_gradients(partial(compiled_states, stop=stop), layer, inputs, weights)
                theirs = states_and_gradients(partial(cells.states, stop=stop), layer, inputs, weights)
                for mine, expected in zip(ours, theirs, strict=True):
                    assert (mine - expected).norm() <= limit * expected.norm() + 1e-3


class LstmTests:
    """Tests of an encoder with a cell state. A subclass is parametrized with `encoder`."""

    @pytest.mark.parametrize("detach", ["cell", "hidden"])
    def test_a_detached_way_carries_no_gradient_and_the_other_one_does(
        self, encoder: type[Recurrent], detach: str, compiled_or_stepped: str
    ) -> None:
        """∂h_2/∂x_1 by hand. Along C_1 it is o tanh' f ∂C_1/∂x_1, through h_1 all the rest."""
        embedded, lengths = torch.randn(3, 2, E).requires_grad_(), torch.tensor([2, 2, 2])
        weights = torch.randn(3, H)

        def gradient(net: Recurrent) -> Tensor:
            return torch.autograd.grad((net(embedded, lengths)[:, -1] * weights).sum(), embedded)[0]

        stopped, whole = random_encoder(encoder, E, H, detach=detach), random_encoder(encoder, E, H)
        first, second = cells.steps(whole.forwards[0], embedded)  # type: ignore[arg-type]
        to_cell = second.gates["output"] * (1 - second.cell.tanh() ** 2) * second.gates["forget"]
        along_cell = torch.autograd.grad(first.cell, embedded, weights * to_cell)[0][:, 0]
        assert along_cell.abs().max() > 1e-3
        through_state = gradient(whole)[:, 0] - along_cell
        assert through_state.abs().max() > 1e-3
        expected = along_cell if detach == "hidden" else through_state
        torch.testing.assert_close(gradient(stopped)[:, 0], expected, atol=1e-6, rtol=1e-4)
        torch.testing.assert_close(gradient(stopped)[:, 1], gradient(whole)[:, 1], atol=1e-6, rtol=1e-4)
        torch.testing.assert_close(stopped(embedded, lengths), whole(embedded, lengths), atol=1e-6, rtol=0)


def assert_equal(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> None:
    """The same numbers but for rounding; gradients of these layers grow with T."""
    for mine, expected in zip(ours, theirs, strict=True):
        largest = max(1.0, float(expected.abs().max()))
        torch.testing.assert_close(mine, expected, atol=1e-5 * largest, rtol=1e-5)
