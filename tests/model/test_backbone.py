"""A backbone hands its weights to another task, never trains padding, and a seed draws what it always drew."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sentiment_rnn.data.batching import Batch
from sentiment_rnn.errors import UserError
from sentiment_rnn.model.classifier import SentimentClassifier
from sentiment_rnn.model.encoders import Lstm
from sentiment_rnn.model.network import Backbone

E, H = 6, 5


def encoder_settings(encoder: str, **settings: Any) -> dict[str, Any]:
    """As a configuration gives them to the model."""
    recurrent = {} if encoder == "Bag" else {"hidden_size": H}
    return {"_target_": f"sentiment_rnn.model.encoders.{encoder}", "name": encoder, **recurrent, **settings}


def build_backbone(encoder: str = "Lstm", dropout: float = 0.0, word_dropout: float = 0.0, **ids: int) -> Backbone:
    """For a vocabulary of 50."""
    torch.manual_seed(0)
    embedding = {"size": E, "dropout": dropout, "word_dropout": word_dropout}
    backbone = Backbone(50, embedding, encoder_settings(encoder), **ids)
    backbone.initialize_embedding()
    return backbone


def build_classifier(encoder: str = "Lstm", pooling: str = "Last", seed: int = 0) -> SentimentClassifier:
    """Untrained, on a backbone as above."""
    torch.manual_seed(seed)
    return SentimentClassifier(
        50,
        embedding={"size": E, "dropout": 0.0, "word_dropout": 0.0},
        encoder=encoder_settings(encoder),
        pooling={"_target_": f"sentiment_rnn.model.pooling.{pooling}", "name": pooling, "dropout": 0.0},
        optimizer={},
    ).eval()


# Word dropout


def tokens_read(backbone: Backbone, batch: Batch) -> Tensor:
    """The token ids that reach the embedding."""
    seen: list[Tensor] = []
    hook = backbone.embedding.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    backbone(batch.tokens, batch.lengths)
    hook.remove()
    return seen[0]


@pytest.mark.parametrize("unknown_id", [1, 7])
def test_word_dropout_reads_words_as_unknown_but_never_padding(batch: Batch, unknown_id: int) -> None:
    backbone = build_backbone(word_dropout=0.5, unknown_id=unknown_id).train()
    padding = batch.tokens == 0
    for _ in range(20):
        read = tokens_read(backbone, batch)
        assert torch.equal(read == 0, padding)
        assert ((read == batch.tokens) | (read == unknown_id)).all()
        dropped = (read != batch.tokens).sum() / (~padding).sum()
        assert 0 < dropped < 1


def test_word_dropout_drops_the_configured_part(batch: Batch) -> None:
    backbone = build_backbone(word_dropout=0.3).train()
    words = int((batch.tokens != 0).sum())
    dropped = sum(int((tokens_read(backbone, batch) != batch.tokens).sum()) for _ in range(200))
    assert dropped / (200 * words) == pytest.approx(0.3, abs=0.03)


def test_no_dropout_outside_training(batch: Batch) -> None:
    backbone = build_backbone(dropout=0.9, word_dropout=0.9).eval()
    assert torch.equal(tokens_read(backbone, batch), batch.tokens)
    states = [backbone(batch.tokens, batch.lengths) for _ in range(2)]
    assert torch.equal(*states)


# Weights


def test_a_seed_gives_the_weights_that_it_always_gave() -> None:
    # The order of the draws: the table as PyTorch draws it, the encoder, the output, and the table once more.
    model = build_classifier(seed=3)
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


class Picky(nn.Module):
    """An encoder that takes no size."""

    def __init__(self, input_size: int) -> None:
        raise ValueError(f"input_size={input_size}: too many")


def test_an_encoder_that_refuses_a_value_is_named() -> None:
    settings = {"_target_": f"{__name__}.Picky", "name": "picky"}
    with pytest.raises(UserError, match=f"picky: input_size={E}: too many"):
        Backbone(50, {"size": E, "dropout": 0.0, "word_dropout": 0.0}, settings)
