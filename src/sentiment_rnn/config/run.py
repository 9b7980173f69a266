"""One run: all its keys, and the digest that identifies it."""

import hashlib
import json
from typing import Any, Literal

from pydantic.dataclasses import dataclass

from sentiment_rnn.config.schema import SCHEMA, Checked, Name, Seed
from sentiment_rnn.config.sections import (
    EPOCHS,
    MOST_EPOCHS,
    DataConfig,
    EmbeddingConfig,
    EncoderConfig,
    LanguageModelTaskConfig,
    OptimizerConfig,
    PoolingConfig,
    ReviewTaskConfig,
    SequenceTaskConfig,
    TaskConfig,
    TrackingConfig,
    TrainerConfig,
)
from sentiment_rnn.errors import refuse

SHARED, ARM = 8, 16
"""How many characters of an identity are usually the same in all runs of a sweep, and how many in runs that differ only
in their seed."""
OFTEN_VARIED = ("seed", "encoder", "pooling", "optimizer")
"""Keys and sections that do not affect the first `SHARED` characters."""


@dataclass(config=SCHEMA)
class RunConfig(Checked):
    """Settings of every run, whatever its task."""

    study: Name
    """Study of the run, and name of the sweep's parent run."""
    seed: Seed
    """Seed of the weights, of dropout and of the order of the data."""
    precision: Literal["auto", "float32", "bfloat16"]
    """`float32`, `bfloat16` (mixed), or `auto`: bfloat16 if the processor or GPU supports it. Without hardware
    support, bfloat16 is slow, and an LSTM runs in float32. With bfloat16 on a GPU, recurrent layers run in float32
    (PyTorch's with TF32; not tried), except those of minGRU, minLSTM and LRU."""
    task: TaskConfig
    encoder: EncoderConfig
    optimizer: OptimizerConfig
    trainer: TrainerConfig
    tracking: TrackingConfig

    @property
    def tags(self) -> dict[str, str]:
        """Tags that identify a run, beside its study and seed."""
        return {"encoder": self.encoder.name}

    def settle_epochs(self, batches: int, least_steps: int = 0, patience: int = 0) -> int:
        """Set `trainer.epochs` and `trainer.patience` where they are null.

        Args:
            batches: training batches of an epoch, on all devices together.
            least_steps, patience: the values of the data, which null stands for.

        Returns:
            Training steps of the whole run.
        """
        steps = -(-batches // self.trainer.processes)
        if self.trainer.epochs is None:
            self.trainer.epochs = max(EPOCHS, min(MOST_EPOCHS, -(-least_steps // steps)))
        if self.trainer.patience is None:
            self.trainer.patience = patience
        return self.trainer.epochs * steps

    @property
    def targets(self) -> list[str]:
        """All that the configuration names by its import path."""
        return [str(part._target_) for part in vars(self).values() if hasattr(part, "_target_")]

    @property
    def data_key(self) -> str:
        """Equal for configurations that read the same data in the same way."""
        return repr([value for key, value in self.settings().items() if key in ("task", "data", "pretrained")])

    def settings(self) -> dict[str, Any]:
        """Keys, as text, and values in plain types, as runs record them. Keys that the encoder does not use are left
        out."""
        plain: dict[str, Any] = json.loads(json.dumps(self, default=vars))
        plain["encoder"] = {key: value for key, value in plain["encoder"].items() if value is not None}
        return plain

    def deciding_settings(self) -> dict[str, Any]:
        """The settings that decide the result. Where files lie and how the run is shown is left out."""
        settings = self.settings()
        for section, keys in self._not_part_of_the_result().items():
            for key in keys:
                (settings.get(section, {}) if section else settings).pop(key, None)
        settings["record"] = settings.pop("tracking")["record"]  # a run that records more counts as another run
        del settings["study"]
        return settings

    def identity(self, data_digest: str, code_digest: str) -> str:
        """Digest of what decides the result: configuration, data and code. Equal identities are the same experiment,
        whatever the name of the sweep.

        The first `SHARED` characters depend only on what most sweeps do not vary: a store finds the runs of a sweep by
        them. The first `ARM` characters depend on everything but the seed.
        """
        settings = self.deciding_settings()
        shared = {key: value for key, value in settings.items() if key not in OFTEN_VARIED}
        arm = {key: value for key, value in settings.items() if key != "seed"}
        parts = [shared, data_digest], [arm, data_digest, code_digest], [settings, data_digest, code_digest]
        return "".join(_digest(part) for part in parts)

    def _not_part_of_the_result(self) -> dict[str, tuple[str, ...]]:
        return {
            "encoder": ("label", "color"),
            "optimizer": (
                "learning_rates", "default_learning_rate", "draw", "draws", "draw_learning_rate", "draw_clip_norm",
            ),
            "trainer": ("threads", "jobs_at_once", "progress_bar", "log_every_n_steps", "checkpoint_minutes"),
        }  # fmt: skip


def _digest(described: Any) -> str:
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:8]


@dataclass(config=SCHEMA)
class TextConfig(RunConfig):
    """One run that reads texts."""

    data: DataConfig
    embedding: EmbeddingConfig

    def settle_epochs(self, batches: int, least_steps: int = 0, patience: int = 0) -> int:
        """The same, with the `least_steps` and `patience` of the data."""
        return super().settle_epochs(batches, self.data.least_steps, self.data.patience)

    @property
    def targets(self) -> list[str]:
        """All that the configuration names by its import path."""
        return [*super().targets, self.data.tokenizer]

    def _not_part_of_the_result(self) -> dict[str, tuple[str, ...]]:
        places = ("directory", "least_steps", "patience", *self.data.places)
        return super()._not_part_of_the_result() | {"data": places}


@dataclass(config=SCHEMA)
class ReviewConfig(TextConfig):
    """One run on reviews."""

    task: ReviewTaskConfig
    pooling: PoolingConfig
    pretrained: str | None = None
    """Model that a classifier starts from, with its vocabulary: a run (its id or the beginning of it; for example one
    of `task=language_model`), a registered model, the folder of a packaged model, or a sweep. Of a sweep it takes the
    run with the same encoder and seed, or the only run with this encoder. Null draws all weights."""
    pretrained_digest: str | None = None
    """Digest of the model that `pretrained` names. A run records it, and refuses a model with another digest."""

    def __post_init__(self) -> None:
        if self.pretrained_digest and not self.pretrained:
            refuse("pretrained_digest", self.pretrained_digest, "pretrained=… beside it")

    @property
    def tags(self) -> dict[str, str]:
        """Tags that identify a run, beside its study and seed."""
        return {"encoder": self.encoder.name, "pooling": self.pooling.name}

    def _not_part_of_the_result(self) -> dict[str, tuple[str, ...]]:
        none = () if self.pretrained else ("pretrained", "pretrained_digest")
        return super()._not_part_of_the_result() | {"": ("pretrained",) if self.pretrained_digest else none}


@dataclass(config=SCHEMA)
class LanguageModelConfig(TextConfig):
    """One run that learns to predict the next word of a text."""

    task: LanguageModelTaskConfig

    @property
    def tags(self) -> dict[str, str]:
        """Tags that identify a run, beside its study and seed."""
        return {"encoder": self.encoder.name, "task": self.task.name}


@dataclass(config=SCHEMA)
class SequenceConfig(RunConfig):
    """One run on a textbook task."""

    task: SequenceTaskConfig

    @property
    def tags(self) -> dict[str, str]:
        """Tags that identify a run, beside its study and seed."""
        symbols = {} if self.task.symbols is None else {"symbols": str(self.task.symbols)}
        return {"encoder": self.encoder.name, "task": f"{self.task.name}-{self.task.steps}", **symbols}
