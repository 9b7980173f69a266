"""Keys of `task`: what is learnt."""

from typing import Annotated, Literal, cast

from pydantic import Field
from pydantic.dataclasses import dataclass

from sentiment_rnn.config.schema import SCHEMA, Checked, Count, Few, Name, Size, Weight
from sentiment_rnn.errors import refuse

Steps = Annotated[int, Field(ge=2, le=100_000)]
Alphabet = Annotated[int, Field(ge=2, le=2**16)]


@dataclass(config=SCHEMA)
class TaskConfig(Checked):
    """Task that a run learns."""

    _target_: str
    """The class of its job (`sentiment_rnn.tasks.job`)."""
    name: Name
    """Its name."""


@dataclass(config=SCHEMA)
class ReviewTaskConfig(TaskConfig):
    """The sentiment of reviews."""

    name: Name
    """`reviews`: is a review positive?"""
    adversarial: Weight = 0.0
    """ε, length of the perturbation of an embedded review that raises its loss most (adversarial training; Miyato et
    al. 2017), in standard deviations of the vectors' elements. The perturbed loss is added. 0: none."""
    virtual: Weight = 0.0
    """The same of the perturbation that changes the prediction most, whatever the label (virtual adversarial training);
    the divergence of the two predictions is added."""


@dataclass(config=SCHEMA)
class LanguageModelTaskConfig(TaskConfig):
    """The next word of texts."""

    name: Name
    """`language_model`: what is the next word?"""
    samples: Count
    """Words, drawn for each batch, that stand for all in a training step of a language model (sampled softmax); 0 takes
    all. Validation is over all words either way."""


@dataclass(config=SCHEMA)
class SequenceTaskConfig(TaskConfig):
    """A task on sequences that are generated as they are needed."""

    name: Literal["adding", "copying", "parity", "recall"]
    """`adding` (Hochreiter & Schmidhuber 1997), `copying` (Arjovsky et al. 2016), `parity` or `recall`."""
    steps: Steps
    """The length of a sequence to add, or of bits; or how long symbols must be kept before they are asked for."""
    symbols: Few | None
    """Symbols to copy, or pairs of key and value to recall; null: adding and parity have none."""
    alphabet: Alphabet | None
    """Symbols to draw from; null: adding and parity have none."""
    batch_size: Size
    """Sequences in a batch."""
    batches: Size
    """Training batches in an epoch, each of new sequences."""
    test_sequences: Size
    """Sequences to validate on, and as many others to test on; whole batches, so perhaps some more."""
    test_steps: Steps | None = None
    """The same as `steps` of the test sequences, to test at another length than that of training; null: `steps`."""

    def __post_init__(self) -> None:
        for key in ("symbols", "alphabet"):
            value = getattr(self, key)
            if (value is None) == (self.name in ("copying", "recall")):
                refuse(f"task.{key}", value, "a number for copying and recall, null for adding and parity")
        if self.name == "copying" and self.test_steps is not None:
            expected = "null for copying: its baseline holds for the length of training"
            refuse("task.test_steps", self.test_steps, expected)
        if self.name == "recall" and cast(int, self.symbols) > cast(int, self.alphabet):
            refuse("task.symbols", self.symbols, f"at most task.alphabet={self.alphabet}: the keys of the pairs differ")

    @property
    def title(self) -> str:
        """`adding over 50 steps`, `copying 8 symbols over 20 steps`."""
        kind = "pair" if self.name == "recall" else "symbol"
        what = {None: "", 1: f" 1 {kind}"}.get(self.symbols, f" {self.symbols} {kind}s")
        tested = f", tested over {self.test_steps}" if self.test_steps else ""
        return f"{self.name}{what} over {self.steps} steps{tested}"
