"""Keys of `data` that every source of reviews has."""

from dataclasses import dataclass
from pathlib import Path

from omegaconf import MISSING

from sentiment_rnn.config.bounds import at_least, one_of, refuse

PARTS = ("head", "tail", "both")


@dataclass
class DataConfig:
    """Reviews, and how they are tokenized and batched. The source's class, `_target_`, has further keys: its fields."""

    _target_: str = MISSING
    """The source's class, importable."""
    name: str = MISSING
    """Its name in overrides and in MLflow."""
    directory: str = MISSING
    """Folder of downloads and of the token cache; made when needed."""
    batch_size: int = MISSING
    """Reviews in a training batch, on each device."""
    eval_batch_size: int = MISSING
    """Reviews in a validation, test or prediction batch."""
    max_tokens: int = MISSING
    """Longest part of a review that is read, in tokens."""
    keep: str = MISSING
    """Which part that is: `head`, `tail` or `both` (half from each end)."""
    shuffle_span: int = 0
    """Tokens of the stretches within which the words that are read are shuffled, for each text in one random order that
    stays the same; 0 leaves them in order, and `max_tokens` or more shuffles all."""
    tokenizer: str = "basic_english"
    """How a text is split into tokens: a name that torchtext's `get_tokenizer` knows, or the import path of
    a function from a text to its tokens, marked by `sentiment_rnn.data.tokenizer.tokenizer`."""
    vocabulary_size: int = MISSING
    """Entries of the vocabulary at most, `<pad>` and `<unk>` included."""
    minimum_frequency: int = MISSING
    """Times a token must occur in the training part to enter the vocabulary."""
    least_steps: int = 0
    """Training steps that `trainer.epochs=null` makes at least, in whole epochs."""

    def __post_init__(self) -> None:
        self.directory = str(Path(self.directory).expanduser())
        one_of(self, "data.", keep=PARTS)
        at_least(
            self,
            "data.",
            batch_size=1,
            eval_batch_size=1,
            max_tokens=1,
            shuffle_span=0,
            vocabulary_size=3,
            minimum_frequency=1,
            least_steps=0,
        )
        for key in ("eval_batch_size", "max_tokens", "shuffle_span"):  # which a packaged model holds in 32 bits
            if getattr(self, key) >= 2**31:
                refuse(f"data.{key}", getattr(self, key), "a number below 2,147,483,648")
