"""Keys of `embedding`, `encoder` and `pooling`."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from omegaconf import MISSING

from sentiment_rnn.config.bounds import at_least, one_of, positive, probability, refuse


@dataclass
class EmbeddingConfig:
    """The table of token vectors and the noise put on it in training."""

    size: int = MISSING
    """E, length of a token's vector."""
    dropout: float = MISSING
    """Probability that an element of an embedded token is zeroed."""
    word_dropout: float = MISSING
    """Probability that a token is read as `<unk>`."""
    variational: bool = False
    """Zero the same elements in all tokens of a text (Gal & Ghahramani 2016), not others in each."""

    def __post_init__(self) -> None:
        at_least(self, "embedding.", size=1)
        probability(self, "embedding.", "dropout", "word_dropout")


DESCRIBING = ("_target_", "name", "label", "color")
"""Keys of an encoder that are no arguments of its class."""


@dataclass
class EncoderConfig:
    """The recurrent (or not) net between embedding and pooling.

    The keys behind `color` are arguments of recurrent encoders. All encoders share them, so that one override reaches
    every encoder of a sweep; null where the class has no such argument, and then neither logged nor part of a run's
    identity. An encoder whose class has arguments of other names has keys of those names (`config.components`).
    """

    _target_: str = MISSING
    """Its class, importable."""
    name: str = MISSING
    """Its name in overrides, file names and tags."""
    label: str | None = None
    """Its name in tables and figures; null: `name`."""
    color: str | None = None
    """Its colour in figures, `#RRGGBB`; null takes one that is free."""
    hidden_size: int | None = None
    """H, width of the state, in each direction."""
    layers: int | None = None
    """Recurrent layers on top of each other."""
    bidirectional: bool | None = None
    """Read the review from its end as well and put both states side by side."""
    dropout: float | None = None
    """Dropout between layers; a net of one layer has none."""
    recurrent_init: str | None = None
    """Initialization of the recurrent weights: `orthogonal` or `identity`; or `uniform`, PyTorch's of
    all weights, but for gates that `forget_bias` or `chrono_steps` starts."""
    recurrent_gain: float | None = None
    """Factor of the initial recurrent weights."""
    forget_bias: float | None = None
    """Initial bias of the forget gate: at 1, σ(1) = 0.73 of the cell is kept at each step."""
    chrono_steps: int | None = None
    """Steps over which chrono initialization (Tallec & Ollivier 2018) spreads the units' memories; 0: gates start as
    usual, or at `forget_bias`."""
    gradient_steps: int | None = None
    """Tokens at a review's end that the gradient reaches; 0 or null: all. Not for a language model, which learns at
    each token."""
    detach: str | None = None
    """A way back that an LSTM's gradient does not take: `cell` (from C_t to C_{t-1}) or `hidden` (to h_{t-1}). `none`
    or null: it takes both."""

    def __post_init__(self) -> None:
        if self.color is not None and not re.fullmatch(r"#[0-9a-fA-F]{6}", self.color):
            refuse("encoder.color", self.color, "a colour such as #0072B2")
        if not re.fullmatch(r"(?!(latest|champion|v\d+)$)[\w-]+", self.name, re.IGNORECASE | re.ASCII):  # an alias, too
            refuse("encoder.name", self.name, "letters, digits, _ and -, but not latest, champion, v1, v2, …")
        positive(self, "encoder.", "recurrent_gain")
        at_least(self, "encoder.", hidden_size=1, layers=1, gradient_steps=0)
        if self.chrono_steps:
            at_least(self, "encoder.", chrono_steps=3)
        probability(self, "encoder.", "dropout")
        one_of(
            self,
            "encoder.",
            recurrent_init=("orthogonal", "identity", "uniform"),
            detach=("none", "cell", "hidden"),
        )

    def label_with(self, overrides: Iterable[str]) -> str:
        """The label, or the name where there is none, or where these overrides change the encoder and give no label:
        that of its file describes another one then."""
        keys = {override.lstrip("+").partition("=")[0] for override in overrides} - {"encoder.color"}
        described = "encoder.label" in keys or not any(key.startswith("encoder.") for key in keys)
        return self.label if self.label and described else self.name

    @property
    def settings(self) -> dict[str, Any]:
        """`_target_`, `name` and the arguments of the class that are given: what the model is built from."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {key: value for key, value in values.items() if value is not None and key not in ("label", "color")}


@dataclass
class PoolingConfig:
    """Reduction of a review's states to one vector."""

    _target_: str = MISSING
    """Its class, importable."""
    name: str = MISSING
    """Its name in tables, figures and tags."""
    dropout: float = MISSING
    """Dropout on the pooled vector, before the linear layer."""

    def __post_init__(self) -> None:
        probability(self, "pooling.", "dropout")
