"""Keys of `data` that every source of reviews has."""

from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator
from pydantic.dataclasses import dataclass

from sentiment_rnn.config.schema import SCHEMA, Checked, Count, Name, Size, Vocabulary

Keep = Literal["head", "tail", "both"]
PARTS = get_args(Keep)


@dataclass(config=SCHEMA)
class DataConfig(Checked):
    """Reviews, and how they are tokenized and batched. The source's class, `_target_`, has further keys: its fields."""

    _target_: str
    """The source's class, importable."""
    name: Name
    """Its name in overrides and in MLflow."""
    directory: Annotated[Name, AfterValidator(lambda folder: str(Path(folder).expanduser()))]
    """Folder of downloads and of the token cache; made when needed."""
    batch_size: Size
    """Reviews in a training batch, on each device."""
    eval_batch_size: Size
    """Reviews in a validation, test or prediction batch."""
    max_tokens: Size
    """Longest part of a review that is read, in tokens."""
    keep: Keep
    """Which part that is: `head`, `tail` or `both` (half from each end)."""
    vocabulary_size: Vocabulary
    """Entries of the vocabulary at most, `<pad>` and `<unk>` included."""
    minimum_frequency: Size
    """Times a token must occur in the training part to enter the vocabulary."""
    shuffle_span: Count = 0
    """Tokens of the stretches within which the words that are read are shuffled, for each text in one random order that
    stays the same; 0 leaves them in order, and `max_tokens` or more shuffles all."""
    tokenizer: Name = "basic_english"
    """How a text is split into tokens: a name that torchtext's `get_tokenizer` knows, or the import path of
    a function from a text to its tokens, marked by `sentiment_rnn.data.tokenizer.tokenizer`."""
    least_steps: Count = 0
    """Training steps that `trainer.epochs=null` makes at least, in whole epochs."""
    patience: Count = 0
    """Epochs without a better validation score after which `trainer.patience=null` stops; 0 never stops early."""
