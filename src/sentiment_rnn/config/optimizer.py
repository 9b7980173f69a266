"""Keys of `optimizer`."""

import math
from dataclasses import replace
from random import Random
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass

from sentiment_rnn.config.schema import SCHEMA, Checked, Count, Fraction, Rate, Weight, in_words
from sentiment_rnn.errors import refuse


def _ordered(bounds: list[float]) -> list[float]:
    if len(bounds) != 2 or not 0 < bounds[0] < bounds[1]:
        raise ValueError
    return bounds


Bounds = Annotated[list[float], AfterValidator(_ordered), in_words("two numbers above 0, the lower one first")]


@dataclass(config=SCHEMA, kw_only=True)
class OptimizerConfig(Checked):
    """Optimizer, learning rate and gradient clipping."""

    _target_: str
    """A torch optimizer's class, importable."""
    learning_rate: Rate | None = None
    """Peak of the schedule; null takes that of a draw, the one in `learning_rates`, or `default_learning_rate`."""
    learning_rates: dict[str, Rate] = Field(default_factory=dict)
    """Learning rates chosen on validation, by the encoder's name."""
    default_learning_rate: Rate
    """The learning rate of an encoder for which none was chosen."""
    weight_decay: Weight
    """Weight decay, on matrices only (no biases, no embedding): decoupled with AdamW, an L2 penalty with SGD."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Further arguments of the class."""
    embedding_options: dict[str, Any] = Field(default_factory=dict)
    """Arguments of the class for the embedding; they override `options` there. `lr` is the embedding's own learning
    rate, the peak of its schedule."""
    encoder_options: dict[str, Any] = Field(default_factory=dict)
    """The same for the encoder; the head is left with `learning_rate` and `options`."""
    schedule: Literal["one_cycle", "constant"]
    """`one_cycle` (Smith & Topin 2017) or `constant`."""
    warmup_fraction: Fraction
    """Part of the steps in which the one-cycle rate rises."""
    gradient_clip_norm: Weight
    """Largest norm of the whole gradient; 0 does not clip."""

    draw: Count | None = None
    """Number of a draw of a random search, 0, 1, …; it gives `learning_rate` and `gradient_clip_norm`, to two digits,
    whatever norm is given. Null takes the one in `draws`, or none."""
    draws: dict[str, Count | None] = Field(default_factory=dict)
    """Draws chosen on validation, by the encoder's name; a given `learning_rate` leaves them out. Null says that the
    search has not chosen yet, and the run is refused."""
    draw_learning_rate: Bounds = Field(default_factory=lambda: [1e-4, 3e-2])
    """Lowest and highest learning rate of a draw, which is uniform in its logarithm."""
    draw_clip_norm: Bounds = Field(default_factory=lambda: [0.1, 10.0])
    """Lowest and highest `gradient_clip_norm` of a draw, which is uniform in its logarithm."""

    def settled(self, encoder: str) -> "OptimizerConfig":
        """With the learning rate, and the norm to clip at, that an encoder gets.

        Raises:
            UserError: both `draw` and `learning_rate` are given, or the encoder's draw has not been chosen yet.
        """
        draw = self.draws.get(encoder) if self.draw is None else self.draw
        if self.learning_rate is not None:
            if self.draw is not None:
                refuse("optimizer.draw", self.draw, f"no optimizer.learning_rate ({self.learning_rate}) beside it")
            return self
        if draw is not None:
            random = Random(draw)
            rate, norm = (_log_uniform(random, bounds) for bounds in (self.draw_learning_rate, self.draw_clip_norm))
            return replace(self, draw=draw, learning_rate=rate, gradient_clip_norm=norm)
        if encoder in self.draws:
            refuse(
                f"optimizer.draws.{encoder}", None,
                "the draw that the search of this study chose; run the search first, or give optimizer.draw",
            )  # fmt: skip
        return replace(self, learning_rate=self.learning_rates.get(encoder, self.default_learning_rate))


def _log_uniform(random: Random, bounds: list[float]) -> float:
    """Between the two bounds, uniform in its logarithm (Bergstra & Bengio 2012), to two digits."""
    return float(f"{math.exp(random.uniform(*map(math.log, bounds))):.2g}")
