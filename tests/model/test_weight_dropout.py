"""Weight dropout: one mask on the recurrent matrix for a batch, to the same numbers whichever code reads the layers."""

import copy

import pytest
import torch
from torch import Tensor
from torch.nn.functional import dropout

from encoder_targets import TARGETS
from layer_checks import BFLOAT16, assert_equal, random_encoder
from sentiment_rnn.errors import UserError
from sentiment_rnn.model.components import build_module
from sentiment_rnn.model.encoders.gru import Gru
from sentiment_rnn.model.encoders.lstm import Lstm
from sentiment_rnn.model.encoders.recurrent import RECURRENT_WEIGHTS, Recurrent
from sentiment_rnn.model.encoders.rnn import ReluRnn, Rnn
from sentiment_rnn.model.encoders.slstm import SLstm

E, H, P = 5, 8, 0.4
ENCODERS = pytest.mark.parametrize("encoder", [Rnn, ReluRnn, Gru, Lstm, SLstm])


def results(net: Recurrent, embedded: Tensor, lengths: Tensor) -> list[Tensor]:
    """States, and the gradients of a weighted sum of them by the inputs and by each parameter."""
    leaf = embedded.clone().requires_grad_()
    torch.manual_seed(1)
    states = net(leaf, lengths)
    inside = (torch.arange(embedded.shape[1]) < lengths[:, None])[:, :, None]
    weights = torch.linspace(-1, 1, states.numel()).reshape(states.shape)
    loss = (states.float() * weights * inside).sum()
    return [states.detach().float() * inside, *torch.autograd.grad(loss, [leaf, *net.parameters()])]


def with_masks(net: Recurrent) -> tuple[Recurrent, dict[str, Tensor]]:
    """The same net without dropout whose W_h are masked for good, and the masks, drawn in the order of reading."""
    twin, masks = copy.deepcopy(net), {}
    twin.weight_dropout = 0.0
    torch.manual_seed(1)
    for number in range(len(net.forwards)):
        for stack in ("forwards", "backwards"):
            for name, weight in twin.named_parameters():
                if name.startswith(f"{stack}.{number}.") and name.endswith(RECURRENT_WEIGHTS):
                    masks[name] = dropout(torch.ones_like(weight), P)
                    weight.data.mul_(masks[name])
    return twin, masks


@ENCODERS
@pytest.mark.parametrize(
    "settings",
    [{}, {"layers": 2}, {"layers": 2, "bidirectional": True}, {"layers": 2, "gradient_steps": 3}],
    ids=["one layer", "two", "two both ways", "truncated"],
)
def test_states_and_gradients_are_those_of_a_net_with_a_masked_matrix(
    encoder: type[Recurrent], settings: dict[str, int], compiled_or_stepped: str
) -> None:
    net = random_encoder(encoder, E, H, weight_dropout=P, **settings)
    embedded, lengths = torch.randn(4, 9, E), torch.tensor([9, 2, 5, 7])
    twin, masks = with_masks(net)
    assert len(masks) == len(net.forwards) * (2 if net.backwards else 1)
    states, by_input, *by_weight = results(twin, embedded, lengths)
    names = [name for name, _ in net.named_parameters()]
    expected = [gradient * masks.get(name, 1.0) for name, gradient in zip(names, by_weight, strict=True)]
    assert_equal(results(net, embedded, lengths), [states, by_input, *expected])
    assert all((mask == 0).any() and (mask != 0).any() for mask in masks.values())


@ENCODERS
def test_a_mask_is_drawn_for_each_batch_and_none_outside_training(
    encoder: type[Recurrent], compiled_or_stepped: str
) -> None:
    net, plain = (random_encoder(encoder, E, H, weight_dropout=p) for p in (P, 0.0))
    embedded, lengths = torch.randn(4, 9, E), torch.tensor([9, 2, 5, 7])
    first, second = net(embedded, lengths), net(embedded, lengths)
    assert not torch.equal(first, second)
    copied = copy.deepcopy(net.eval())  # nothing of a mask is left on the net
    torch.testing.assert_close(copied(embedded, lengths), plain(embedded, lengths))
    before = torch.get_rng_state()
    plain(embedded, lengths)
    assert torch.equal(torch.get_rng_state(), before), "without it no number is drawn"


@BFLOAT16
@ENCODERS
def test_bfloat16_states_are_as_close_as_three_digits_allow(encoder: type[Recurrent], compiled_or_stepped: str) -> None:
    net = random_encoder(encoder, E, H, weight_dropout=P, layers=2)
    embedded, lengths = torch.randn(4, 9, E), torch.tensor([9, 2, 5, 7])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = results(net, embedded, lengths)[0]
    assert (found - results(net, embedded, lengths)[0]).norm() <= 0.05 * found.norm()


@pytest.mark.parametrize("name", ["min_gru", "min_lstm", "lru", "rnn_orthogonal"])
def test_an_encoder_without_a_matrix_of_which_elements_can_be_dropped_refuses_it(name: str) -> None:
    settings = {"_target_": TARGETS[name], "name": name, "hidden_size": H, "weight_dropout": 0.5}
    with pytest.raises(UserError, match=f"{name}: weight_dropout=0.5: expected 0, since it has no W_h of free element"):
        build_module(settings, E)
