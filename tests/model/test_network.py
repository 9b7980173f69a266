"""The network reads no padding, a seed draws what it always drew, and a model's file names no code of a stranger's."""

import sys

import pytest
import torch
from torch import Tensor, nn

from sentiment_rnn.data.batching import Batch
from sentiment_rnn.errors import UserError
from sentiment_rnn.model.classifier import SentimentClassifier
from sentiment_rnn.model.encoders import Lstm
from sentiment_rnn.model.network import Backbone, RowEmbedding, check_target

E, H = 6, 5


LSTM = {"_target_": "sentiment_rnn.model.encoders.lstm.Lstm", "name": "lstm", "hidden_size": H}


def build_backbone(dropout: float = 0.0, word_dropout: float = 0.0, **ids: int) -> Backbone:
    """With an LSTM, for a vocabulary of 50."""
    torch.manual_seed(0)
    return Backbone(50, {"size": E, "dropout": dropout, "word_dropout": word_dropout}, LSTM, **ids)


# Word dropout


def tokens_read(backbone: Backbone, batch: Batch) -> Tensor:
    """The token ids that reach the embedding."""
    seen: list[Tensor] = []
    hook = backbone.embedding.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    backbone(batch.tokens, batch.lengths)
    hook.remove()
    return seen[0]


@pytest.mark.parametrize("unknown_id", [1, 7])
def test_word_dropout_reads_the_configured_part_as_unknown_but_never_padding(batch: Batch, unknown_id: int) -> None:
    backbone = build_backbone(word_dropout=0.3, unknown_id=unknown_id).train()
    words, dropped = batch.tokens != 0, 0
    for _ in range(200):
        read = tokens_read(backbone, batch)
        assert ((read == batch.tokens) | (words & (read == unknown_id))).all()
        dropped += int((read != batch.tokens).sum())
    assert dropped / (200 * int(words.sum())) == pytest.approx(0.3, abs=0.03)


def test_no_dropout_outside_training(batch: Batch) -> None:
    backbone = build_backbone(dropout=0.9, word_dropout=0.9).eval()
    assert torch.equal(tokens_read(backbone, batch), batch.tokens)
    states = [backbone(batch.tokens, batch.lengths) for _ in range(2)]
    assert torch.equal(*states)


# Weights


@pytest.mark.parametrize("padding_idx", [None, 0, 7])
def test_the_sparse_gradient_of_the_embedding_is_pytorchs_with_each_row_once(padding_idx: int | None) -> None:
    tokens = torch.randint(0, 18, (6, 40), generator=torch.Generator().manual_seed(1))
    ours, theirs = (kind(20, 4, padding_idx=padding_idx, sparse=True) for kind in (RowEmbedding, nn.Embedding))
    theirs.load_state_dict(ours.state_dict())
    for embedding in (ours, theirs):
        embedding(tokens).sin().mul(torch.arange(1.0, 5.0)).sum().backward()
    assert torch.equal(ours.weight.grad._indices()[0], tokens.unique())
    torch.testing.assert_close(ours.weight.grad.to_dense(), theirs.weight.grad.to_dense(), atol=1e-6, rtol=1e-5)


def test_a_seed_gives_the_weights_that_it_always_gave() -> None:
    # The order of the draws: the table as PyTorch draws it, the encoder, the output, and the table once more.
    torch.manual_seed(3)
    pooling = {"_target_": "sentiment_rnn.model.pooling.Last", "name": "last", "dropout": 0.0}
    embedding = {"size": E, "dropout": 0.0, "word_dropout": 0.0}
    model = SentimentClassifier(50, embedding=embedding, encoder=LSTM, pooling=pooling, optimizer={})
    torch.manual_seed(3)
    nn.Embedding(50, E, padding_idx=0)
    encoder = Lstm(E, hidden_size=H)
    output = nn.Linear(H, 1)
    table = torch.empty(50, E).normal_(std=0.1)
    table[0] = 0
    for name, parameter in encoder.named_parameters():
        assert torch.equal(model.backbone.encoder.get_parameter(name), parameter), name
    assert torch.equal(model.output.weight, output.weight)
    assert torch.equal(model.output.bias, output.bias)
    assert torch.equal(model.backbone.embedding.weight, table)


# Modules that a model's file names


def test_this_packages_modules_may_be_named() -> None:
    check_target("encoder", "sentiment_rnn.model.encoders.lstm.Lstm")
    check_target("encoder", "sentiment_rnn.model.encoders.Lstm")  # in models and runs of an earlier version
    check_target("pooling", "sentiment_rnn.model.pooling:Last")


@pytest.mark.parametrize(
    "target",
    ["unittest.__main__", "unittest.main", "os.system", "nowhere.Net", "torch.nn.Linear", "torchmetrics.Accuracy", "",
     "sentiment_rnn.model.encoders.recurrent.recurrent_matrices", "sentiment_rnn.model.encoders.LeakyRnn"],
)  # fmt: skip
def test_anything_else_is_refused_and_imports_nothing(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "unittest.__main__", raising=False)
    before = set(sys.modules)
    with pytest.raises(UserError):
        check_target("encoder", target)
    assert set(sys.modules) == before


@pytest.mark.parametrize(
    "target", ["sentiment_rnn.model.ablations.LstmCoupled", "sentiment_rnn.model.encoders.no.Lstm"]
)
def test_a_class_that_this_version_has_not_is_said_to_be_elsewhere(target: str) -> None:
    with pytest.raises(UserError, match=r"is not in this version of sentiment_rnn; .* in experiments/lab"):
        check_target("encoder", target)
