"""The rescaled RNN computes what the RNN does, and its gradient keeps direction and norm."""

import pytest
import torch
from torch import Tensor

from experiments.lab.encoders.rescaled import RescaledRnn
from sentiment_rnn.model.encoders.recurrent import Recurrent
from sentiment_rnn.model.encoders.rnn import Rnn

LENGTHS = torch.full((3,), 12)


def encoder_with_weights_of(rnn: Rnn) -> RescaledRnn:
    found = RescaledRnn(4, hidden_size=5)
    found.load_state_dict(rnn.state_dict())
    return found


def gradients_by_inputs(encoder: Recurrent, inputs: Tensor) -> Tensor:
    """∂L/∂x_t `[B, T, E]` of a loss of the last state."""
    given = inputs.clone().requires_grad_()
    encoder(given, LENGTHS)[:, -1].square().sum().backward()
    assert given.grad is not None
    return given.grad


def test_its_states_are_those_of_the_rnn_and_its_gradient_does_not_vanish() -> None:
    torch.manual_seed(0)
    plain, inputs = Rnn(4, hidden_size=5, recurrent_gain=0.3), torch.randn(3, 12, 4)
    rescaled = encoder_with_weights_of(plain)
    torch.testing.assert_close(rescaled(inputs, LENGTHS), plain(inputs, LENGTHS))
    vanishing, kept = (gradients_by_inputs(one, inputs).norm(dim=2) for one in (plain, rescaled))
    torch.testing.assert_close(kept[:, -1], vanishing[:, -1])  # the last step is as it was
    assert (vanishing[:, 0] < 1e-4 * vanishing[:, -1]).all()
    assert (kept[:, 0] > 0.02 * kept[:, -1]).all()


def test_the_direction_of_the_gradient_is_the_true_one() -> None:
    torch.manual_seed(0)
    plain, inputs = Rnn(4, hidden_size=5).double(), torch.randn(3, 12, 4, dtype=torch.float64)
    true, found = (gradients_by_inputs(one, inputs) for one in (plain, encoder_with_weights_of(plain).double()))
    torch.testing.assert_close(found / found.norm(dim=2, keepdim=True), true / true.norm(dim=2, keepdim=True))


def test_where_nothing_comes_back_nothing_is_rescaled() -> None:
    encoder, inputs = RescaledRnn(4, hidden_size=5), torch.zeros(3, 12, 4, requires_grad=True)
    (encoder(inputs, LENGTHS) * 0).sum().backward()
    assert inputs.grad is not None
    assert not inputs.grad.any()


def test_a_gradient_that_stops_is_refused() -> None:
    with pytest.raises(ValueError, match="gradient_steps: expected 0"):
        RescaledRnn(4, hidden_size=5, gradient_steps=3)(torch.zeros(3, 12, 4), LENGTHS)
