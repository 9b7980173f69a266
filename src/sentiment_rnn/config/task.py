"""Keys of `task`: what is learnt."""

from dataclasses import dataclass
from typing import cast

from omegaconf import MISSING

from sentiment_rnn.config.bounds import at_least, one_of, refuse


@dataclass
class TaskConfig:
    """Task that a run learns."""

    _target_: str = MISSING
    """The class of its job (`sentiment_rnn.tasks.job`)."""
    name: str = MISSING
    """Its name."""


@dataclass
class ReviewTaskConfig(TaskConfig):
    """The sentiment of reviews."""

    name: str = MISSING
    """`reviews`: is a review positive?"""
    adversarial: float = 0.0
    """ε, length of the perturbation of an embedded review that raises its loss most (adversarial training; Miyato et
    al. 2017), in standard deviations of the vectors' elements. The perturbed loss is added. 0: none."""
    virtual: float = 0.0
    """The same of the perturbation that changes the prediction most, whatever the label (virtual adversarial training);
    the divergence of the two predictions is added."""

    def __post_init__(self) -> None:
        at_least(self, "task.", adversarial=0, virtual=0)


@dataclass
class LanguageModelTaskConfig(TaskConfig):
    """The next word of texts."""

    name: str = MISSING
    """`language_model`: what is the next word?"""
    samples: int = MISSING
    """Words, drawn for each batch, that stand for all in a training step of a language model (sampled softmax); 0 takes
    all. Validation is over all words either way."""

    def __post_init__(self) -> None:
        at_least(self, "task.", samples=0)


@dataclass
class SequenceTaskConfig(TaskConfig):
    """A task on sequences that are generated as they are needed."""

    name: str = MISSING
    """`adding` (Hochreiter & Schmidhuber 1997), `copying` (Arjovsky et al. 2016), `parity` or `recall`."""
    steps: int = MISSING
    """The length of a sequence to add, or of bits; or how long symbols must be kept before they are asked for."""
    test_steps: int | None = None
    """The same of the test sequences, to test at another length than that of training; null: `steps`."""
    symbols: int | None = MISSING
    """Symbols to copy, or pairs of key and value to recall; null: adding and parity have none."""
    alphabet: int | None = MISSING
    """Symbols to draw from; null: adding and parity have none."""
    batch_size: int = MISSING
    """Sequences in a batch."""
    batches: int = MISSING
    """Training batches in an epoch, each of new sequences."""
    test_sequences: int = MISSING
    """Sequences to validate on, and as many others to test on; whole batches, so perhaps some more."""

    def __post_init__(self) -> None:
        one_of(self, "task.", name=("adding", "copying", "parity", "recall"))
        at_least(self, "task.", steps=2, test_steps=2, symbols=1, alphabet=2, batch_size=1, batches=1, test_sequences=1)
        for key in ("symbols", "alphabet"):
            value = getattr(self, key)
            if (value is None) == (self.name in ("copying", "recall")):
                refuse(f"task.{key}", value, "a number for copying and recall, null for adding and parity")
        if self.name == "copying" and self.test_steps is not None:
            said = "null for copying: its baseline holds for the length of training"
            refuse("task.test_steps", self.test_steps, said)
        if self.name == "recall" and cast(int, self.symbols) > cast(int, self.alphabet):
            refuse("task.symbols", self.symbols, f"at most task.alphabet={self.alphabet}: the keys of the pairs differ")

    @property
    def title(self) -> str:
        """`adding over 50 steps`, `copying 8 symbols over 20 steps`."""
        kind = "pair" if self.name == "recall" else "symbol"
        what = {None: "", 1: f" 1 {kind}"}.get(self.symbols, f" {self.symbols} {kind}s")
        tested = f", tested over {self.test_steps}" if self.test_steps else ""
        return f"{self.name}{what} over {self.steps} steps{tested}"
