"""Keys of `embedding`, `encoder` and `pooling`."""

from collections.abc import Iterable
from dataclasses import fields
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from sentiment_rnn.config.schema import SCHEMA, Checked, Count, Few, Name, Probability, Width, in_words

# A model may have the name as its alias.
EncoderName = Annotated[
    str,
    in_words(
        "letters, digits, _ and -, but not latest, champion, v1, v2, …", r"(?ia)^(?!(latest|champion|v\d+)$)[\w-]+\Z"
    ),
]
Color = Annotated[str, in_words("a colour such as #0072B2", r"^#[0-9a-fA-F]{6}\Z")]
Gain = Annotated[float, Field(gt=0, le=1e6)]
ChronoSteps = Literal[0] | Annotated[int, Field(ge=3, le=100_000)]


@dataclass(config=SCHEMA)
class EmbeddingConfig(Checked):
    """The table of token vectors and the noise put on it in training."""

    size: Width
    """E, length of a token's vector."""
    dropout: Probability
    """Probability that an element of an embedded token is zeroed."""
    word_dropout: Probability
    """Probability that a token is read as `<unk>`."""
    variational: bool = False
    """Zero the same elements in all tokens of a text (Gal & Ghahramani 2016), not others in each."""


DESCRIBING = ("_target_", "name", "label", "color")
"""Keys of an encoder that are no arguments of its class."""


@dataclass(config=SCHEMA)
class EncoderConfig(Checked):
    """The recurrent (or not) net between embedding and pooling.

    The keys behind `color` are arguments of recurrent encoders. All encoders share them, so that one override reaches
    every encoder of a sweep; null where the class has no such argument, and then neither logged nor part of a run's
    identity. An encoder whose class has arguments of other names has keys of those names (`config.components`).
    """

    _target_: str
    """Its class, importable."""
    name: EncoderName
    """Its name in overrides, file names and tags."""
    label: str | None = None
    """Its name in tables and figures; null: `name`."""
    color: Color | None = None
    """Its colour in figures, `#RRGGBB`; null takes one that is free."""
    hidden_size: Width | None = None
    """H, width of the state, in each direction."""
    layers: Few | None = None
    """Recurrent layers on top of each other."""
    bidirectional: bool | None = None
    """Read the review from its end as well and put both states side by side."""
    dropout: Probability | None = None
    """Dropout between layers; a net of one layer has none."""
    recurrent_init: Literal["orthogonal", "identity", "uniform"] | None = None
    """Initialization of the recurrent weights: `orthogonal` or `identity`; or `uniform`, PyTorch's of
    all weights, but for gates that `forget_bias` or `chrono_steps` starts."""
    recurrent_gain: Gain | None = None
    """Factor of the initial recurrent weights."""
    forget_bias: float | None = None
    """Initial bias of the forget gate: at 1, σ(1) = 0.73 of the cell is kept at each step."""
    chrono_steps: ChronoSteps | None = None
    """Steps over which chrono initialization (Tallec & Ollivier 2018) spreads the units' memories; 0: gates start as
    usual, or at `forget_bias`."""
    gradient_steps: Count | None = None
    """Tokens at a review's end that the gradient reaches; 0 or null: all. Not for a language model, which learns at
    each token."""
    detach: Literal["none", "cell", "hidden"] | None = None
    """A way back that an LSTM's gradient does not take: `cell` (from C_t to C_{t-1}) or `hidden` (to h_{t-1}). `none`
    or null: it takes both."""

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


@dataclass(config=SCHEMA)
class PoolingConfig(Checked):
    """Reduction of a review's states to one vector."""

    _target_: str
    """Its class, importable."""
    name: Name
    """Its name in tables, figures and tags."""
    dropout: Probability
    """Dropout on the pooled vector, before the linear layer."""
