"""Keys of `optimizer`."""

import math
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from omegaconf import MISSING

from sentiment_rnn.config.bounds import at_least, fraction, one_of, positive, refuse


@dataclass
class OptimizerConfig:
    """Optimizer, learning rate and gradient clipping."""

    _target_: str = MISSING
    """A torch optimizer's class, importable."""
    learning_rate: float | None = None
    """Peak of the schedule; null takes that of a draw, the one in `learning_rates`, or `default_learning_rate`."""
    learning_rates: dict[str, float] = field(default_factory=dict)
    """Learning rates chosen on validation, by the encoder's name."""
    default_learning_rate: float = MISSING
    """The learning rate of an encoder for which none was chosen."""
    weight_decay: float = MISSING
    """Weight decay, on matrices only (no biases, no embedding): decoupled with AdamW, an L2 penalty with SGD."""
    options: dict[str, Any] = field(default_factory=dict)
    """Further arguments of the class."""
    embedding_options: dict[str, Any] = field(default_factory=dict)
    """Arguments of the class for the embedding; they override `options` there. `lr` is the embedding's own learning
    rate, the peak of its schedule."""
    encoder_options: dict[str, Any] = field(default_factory=dict)
    """The same for the encoder; the head is left with `learning_rate` and `options`."""
    schedule: str = MISSING
    """`one_cycle` (Smith & Topin 2017) or `constant`."""
    warmup_fraction: float = MISSING
    """Part of the steps in which the one-cycle rate rises."""
    gradient_clip_norm: float = MISSING
    """Largest norm of the whole gradient; 0 does not clip."""
    draw: int | None = None
    """Number of a draw of a random search, 0, 1, …; it gives `learning_rate` and `gradient_clip_norm`, to two digits,
    whatever norm is given. Null takes the one in `draws`, or none."""
    draws: dict[str, int | None] = field(default_factory=dict)
    """Draws chosen on validation, by the encoder's name; a given `learning_rate` leaves them out. Null says that the
    search has not chosen yet, and the run is refused."""
    draw_learning_rate: list[float] = field(default_factory=lambda: [1e-4, 3e-2])
    """Lowest and highest learning rate of a draw, which is uniform in its logarithm."""
    draw_clip_norm: list[float] = field(default_factory=lambda: [0.1, 10.0])
    """Lowest and highest `gradient_clip_norm` of a draw, which is uniform in its logarithm."""

    def __post_init__(self) -> None:
        positive(self, "optimizer.", "learning_rate", "default_learning_rate")
        for encoder, rate in self.learning_rates.items():
            if not isinstance(rate, int | float) or not 0 < rate < math.inf:
                refuse(f"optimizer.learning_rates.{encoder}", rate, "a number above 0, whatever the pooling")
        at_least(self, "optimizer.", weight_decay=0, gradient_clip_norm=0, draw=0)
        one_of(self, "optimizer.", schedule=("one_cycle", "constant"))
        fraction(self, "optimizer.", "warmup_fraction")
        for key in ("draw_learning_rate", "draw_clip_norm"):
            bounds = getattr(self, key)
            if not (len(bounds) == 2 and 0 < bounds[0] < bounds[1] < math.inf):
                refuse(f"optimizer.{key}", bounds, "two numbers above 0, the lower one first")

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
