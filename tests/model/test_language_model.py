"""A language model's loss, over all words or a sample, is that of the equations, in small pieces."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from sentiment_rnn.model import language_model
from sentiment_rnn.model.language_model import LanguageModel, _CrossEntropy

OPTIMIZER: dict[str, Any] = {
    "_target_": "sentiment_rnn.model.optimizer.RowAdamW", "learning_rate": 0.02, "weight_decay": 0.0, "options": {},
    "embedding_options": {"betas": [0.0, 0.999]}, "encoder_options": {}, "schedule": "constant", "warmup_fraction": 0.3,
    "gradient_clip_norm": 1.0,
}  # fmt: skip
WORDS = 50


def build(samples: int = 0, encoder: str = "Lstm", hidden_size: int = 12) -> LanguageModel:
    """A model of 50 words, in which nothing is zero that could hide a fault."""
    torch.manual_seed(0)
    model = LanguageModel(
        WORDS,
        embedding={"size": 8, "dropout": 0.0, "word_dropout": 0.0},
        encoder={"_target_": f"sentiment_rnn.model.encoders.{encoder}", "name": "one", "hidden_size": hidden_size},
        optimizer=OPTIMIZER,
        samples=samples,
    )
    torch.nn.init.normal_(model.backbone.embedding.weight)
    torch.nn.init.normal_(model.bias)
    with torch.no_grad():
        model.backbone.embedding.weight[0] = 0.0
    return model


def reviews() -> tuple[Tensor, Tensor]:
    """Five reviews, one of a single word."""
    lengths = torch.tensor([9, 3, 1, 5, 9])
    tokens = torch.randint(1, WORDS, (5, 9), generator=torch.Generator().manual_seed(1))
    tokens[torch.arange(9) >= lengths[:, None]] = 0
    return tokens, lengths


def plain_loss(model: LanguageModel, said: Tensor, targets: Tensor) -> Tensor:
    """PyTorch's cross-entropy over all words but padding."""
    return cross_entropy((said @ model.backbone.embedding.weight.t() + model.bias)[:, 1:], targets - 1)


def gradients(loss: Tensor, model: LanguageModel) -> list[Tensor]:
    """The gradient of every parameter, dense."""
    found = torch.autograd.grad(loss, list(model.parameters()))
    return [each.to_dense() if each.is_sparse else each for each in found]


@pytest.mark.parametrize("hidden_size", [12, 8], ids=["projected", "as wide as a vector"])
@pytest.mark.parametrize("samples", [0, WORDS - 1, 10 * WORDS])
@pytest.mark.parametrize("sparse", [False, True])
def test_over_all_words_loss_and_gradient_are_those_of_cross_entropy(
    samples: int, sparse: bool, hidden_size: int
) -> None:
    model = build(samples, hidden_size=hidden_size)
    model.backbone.embedding.sparse = sparse
    loss, plain = (
        found(*model(*reviews()))
        for found in (lambda *said: model.loss(*said, sampled=True), lambda *said: plain_loss(model, *said))
    )
    torch.testing.assert_close(loss, plain)
    torch.testing.assert_close(gradients(loss, model), gradients(plain, model), atol=1e-6, rtol=1e-5)
    with torch.no_grad():
        assert torch.equal(model.loss(*model(*reviews()), sampled=True), loss)


def test_pieces_equal_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(samples=20)
    found = []
    for piece, rows in ((10**6, 1000), (1, 5), (1, 1)):
        monkeypatch.setattr(language_model, "PIECE", piece)
        monkeypatch.setattr(language_model, "ROWS", rows)
        torch.manual_seed(3)
        loss = model.loss(*model(*reviews()), sampled=True)
        found.append([loss, *gradients(loss, model)])
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], atol=1e-6, rtol=1e-6)


def test_the_loss_of_a_word_that_is_next_to_impossible_is_right() -> None:
    model = build()
    with torch.no_grad():
        model.bias[5] = -500  # its probability is 0 in float32
    said, targets = model(*reviews())
    targets = torch.full_like(targets, 5)
    torch.testing.assert_close(model.loss(said, targets, sampled=True), plain_loss(model, said, targets))
    assert model.loss(said, targets, sampled=True) > 400


def test_no_logits_of_all_tokens_are_held() -> None:
    model, held = build(), []
    said, targets = model(*reviews())
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: held.append(tensor.numel()), lambda _: _):
        model.loss(said, targets, sampled=False)
    assert 0 < max(held) < len(targets) * (WORDS - 1)


def test_the_gradient_is_that_of_finite_differences() -> None:
    generator = torch.Generator().manual_seed(0)
    x, weight, bias, own = (
        torch.randn(*shape, dtype=torch.float64, generator=generator, requires_grad=True)
        for shape in ((7, 4), (9, 4), (9,), (7,))
    )
    place = torch.tensor([-1, 3, 8, -1, 0, 3, -1])
    assert torch.autograd.gradcheck(lambda *given: _CrossEntropy.apply(*given, place, True), (x, weight, bias, own))


def test_padding_changes_neither_loss_nor_gradient() -> None:
    model, (tokens, lengths) = build(), reviews()
    longer = torch.cat([tokens, torch.zeros(5, 4, dtype=torch.int64)], 1)
    found = [model.loss(*model(each, lengths), sampled=False) for each in (tokens, longer)]
    torch.testing.assert_close(found[0], found[1])
    first, second = (gradients(each, model) for each in found)
    torch.testing.assert_close(first, second)
    assert torch.equal(first[[name for name, _ in model.named_parameters()].index("bias")][0], torch.zeros(()))


def test_a_batch_without_a_next_word_has_no_loss() -> None:
    model = build()
    loss = model.loss(*model(torch.tensor([[5], [7]]), torch.tensor([1, 1])), sampled=True)
    loss.backward()
    assert float(loss) == 0.0


def test_at_the_true_probabilities_the_expected_gradient_is_none_and_with_another_correction_it_is_not() -> None:
    """Nothing is read, so the bias alone says log p; each word is asked for as often as it is likely."""
    model = build(samples=16)
    torch.manual_seed(0)
    targets = torch.repeat_interleave(torch.arange(1, WORDS), torch.randint(1, 9, (WORDS - 1,)))
    with torch.no_grad():
        model.bias[1:] = torch.bincount(targets)[1:].float().log()

    def expected_gradient() -> Tensor:
        losses = [model.loss(torch.zeros(len(targets), 8), targets, sampled=True) for _ in range(2000)]
        (found,) = torch.autograd.grad(torch.stack(losses).mean(), model.bias)
        return found.abs().max()

    right = expected_gradient()
    q = (1 / torch.arange(1, WORDS)).log1p() / math.log(WORDS)
    model.words.correction[1:] = (16 * q).log()
    wrong = expected_gradient()
    assert right < 0.004
    assert wrong > 0.015
