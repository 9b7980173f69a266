"""Keys of `optimizer`."""

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from sentiment_rnn.config.bounds import at_least, fraction, one_of, refuse


@dataclass
class OptimizerConfig:
    """How the parameters move."""

    _target_: str = MISSING
    """A torch optimizer's class, importable."""
    learning_rate: float | None = None
    """Peak of the schedule; null takes the one in `learning_rates`, or else `default_learning_rate`."""
    learning_rates: dict[str, Any] = field(default_factory=dict)
    """Learning rates chosen on validation, by the encoder's name, or by that and the pooling's."""
    default_learning_rate: float = MISSING
    """The learning rate of an encoder for which none was chosen."""
    weight_decay: float = MISSING
    """Decoupled weight decay, on matrices only (no biases, no embedding)."""
    options: dict[str, Any] = field(default_factory=dict)
    """Further arguments of the class."""
    embedding_options: dict[str, Any] = field(default_factory=dict)
    """Arguments of the class for the embedding; they override `options` there."""
    schedule: str = MISSING
    """`one_cycle` (Smith & Topin 2017) or `constant`."""
    warmup_fraction: float = MISSING
    """Part of the steps in which the one-cycle rate rises."""
    gradient_clip_norm: float = MISSING
    """Largest norm of the whole gradient; 0 does not clip."""

    def __post_init__(self) -> None:
        for key in ("learning_rate", "default_learning_rate"):
            value = getattr(self, key)
            if value is not None and not value > 0:
                refuse(f"optimizer.{key}", value, "a number above 0")
        at_least("optimizer.weight_decay", self.weight_decay, 0)
        one_of("optimizer.schedule", self.schedule, ("one_cycle", "constant"))
        fraction("optimizer.warmup_fraction", self.warmup_fraction)
        at_least("optimizer.gradient_clip_norm", self.gradient_clip_norm, 0)

    def chosen_rate(self, encoder: str, pooling: str = "") -> float | None:
        """The rate in `learning_rates` for an encoder and a pooling, by their names; None where there is none."""
        found = self.learning_rates.get(encoder)
        found = found.get(pooling) if isinstance(found, dict) else found
        return None if found is None else float(found)
