"""Small classifiers in which every parameter matters, for tests of states and gradients."""

from typing import Any

import torch

from encoder_targets import TARGETS
from sentiment_rnn.model.classifier import SentimentClassifier

E, H = 6, 5
CLASSES = {target.rpartition(".")[2]: target for target in TARGETS.values()}


def made_classifier(encoder: str, pooling: str = "Last", dropout: float = 0.5, **settings: Any) -> SentimentClassifier:
    """A classifier in evaluation mode, with `E` inputs and `H` units.

    Args:
        encoder: its class's name, or an import path.
        settings: of the encoder.
    """
    torch.manual_seed(0)
    model = SentimentClassifier(
        50,
        embedding={"size": E, "dropout": dropout, "word_dropout": dropout},
        encoder={
            "_target_": CLASSES.get(encoder, encoder), "name": encoder,
            **({} if encoder == "Bag" else {"hidden_size": H}), **settings,
        },
        pooling={"_target_": f"sentiment_rnn.model.pooling.{pooling}", "name": pooling, "dropout": dropout},
        optimizer={},
    )  # fmt: skip
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return model.eval()
