"""Keys of `task`: what is learnt."""

from dataclasses import dataclass

from omegaconf import MISSING

from sentiment_rnn.config.bounds import at_least, one_of, refuse


@dataclass
class TaskConfig:
    """Task that a run learns."""

    _target_: str = MISSING
    """The class of its job (`sentiment_rnn.runs.job`)."""
    name: str = MISSING
    """`reviews`: is a review positive?"""


@dataclass
class SequenceTaskConfig(TaskConfig):
    """A textbook task of long memory, its sequences generated as they are needed."""

    name: str = MISSING
    """`adding` (Hochreiter & Schmidhuber 1997) or `copying` (Arjovsky et al. 2016)."""
    steps: int = MISSING
    """The length of a sequence to add, or how long symbols must be kept before they are copied."""
    symbols: int | None = MISSING
    """Symbols to copy; null: adding has none."""
    alphabet: int | None = MISSING
    """Symbols to draw from; null: adding has none."""
    batch_size: int = MISSING
    """Sequences in a batch."""
    batches: int = MISSING
    """Training batches in an epoch, each of new sequences."""
    test_sequences: int = MISSING
    """Sequences to validate on, and as many others to test on."""

    def __post_init__(self) -> None:
        one_of(self, "task.", name=("adding", "copying"))
        at_least(self, "task.", steps=2, symbols=1, alphabet=2, batch_size=1, batches=1, test_sequences=1)
        for key in ("symbols", "alphabet"):
            value = getattr(self, key)
            if (value is None) == (self.name == "copying"):
                refuse(f"task.{key}", value, "a number for copying, null for adding, which has none")

    @property
    def title(self) -> str:
        """`adding over 50 steps`, `copying 8 symbols over 20 steps`."""
        what = {None: "", 1: " 1 symbol"}.get(self.symbols, f" {self.symbols} symbols")
        return f"{self.name}{what} over {self.steps} steps"
