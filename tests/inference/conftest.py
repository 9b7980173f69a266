"""A small packaged model that nobody trained."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sentiment_rnn.data.text import build_vocabulary
from sentiment_rnn.inference.package import Package, Reading, fingerprints, write_package
from sentiment_rnn.inference.predictor import Predictor
from sentiment_rnn.model.classifier import SentimentClassifier

WORDS = "the film was good bad great awful long . , ! i liked it a b and 5".split()
TARGETS = {"rnn": "Rnn", "lstm": "Lstm", "bag": "Bag"}


@pytest.fixture(scope="session")
def build_package() -> Callable[..., Package]:
    """A package with random weights; arguments say which."""

    def build(encoder: str = "lstm", pooling: str = "Last", layers: int = 1, **reading: Any) -> Package:
        torch.manual_seed(0)
        vocabulary = build_vocabulary([WORDS], 100, 1)
        model = SentimentClassifier(
            len(vocabulary),
            embedding={"size": 6, "dropout": 0.0, "word_dropout": 0.0},
            encoder={
                "_target_": f"sentiment_rnn.model.encoders.{TARGETS[encoder]}", "name": encoder, "hidden_size": 8,
                "layers": layers,
            },
            pooling={"_target_": f"sentiment_rnn.model.pooling.{pooling}", "name": pooling.lower(), "dropout": 0.0},
            optimizer={},
        ).eval()  # fmt: skip
        torch.nn.init.normal_(model.embedding.weight)
        settings: dict[str, Any] = {
            "max_tokens": 20, "keep": "tail", "batch_size": 4, "precision": "float32", "temperature": 1.5, "run": "",
        }  # fmt: skip
        seen = Predictor(Package(model, vocabulary, Reading(**settings), np.array([], dtype=np.int64)))
        texts = fingerprints(seen.encode(["the film was good .", "bad film !"]))
        return Package(model, vocabulary, Reading(**settings | reading), texts)

    return build


@pytest.fixture
def folder(build_package: Callable[..., Package], tmp_path: Path) -> Path:
    """The files of a package."""
    write_package(build_package(), tmp_path / "package")
    return tmp_path / "package"
