"""The schema of `conf/`: every key a run can have, its type, its bounds and what it means.

YAML holds values; these classes refuse a misspelt key (Hydra does, since the configuration is a struct), a value
of the wrong type (OmegaConf does) and a value out of bounds (`__post_init__` does), before any work starts.
"""

import copy
import hashlib
import json
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from typing import Any

from omegaconf import MISSING, DictConfig, OmegaConf, open_dict

from sentiment_rnn.checks import UserError, at_least, one_of, probability, refuse, unknown_key


@dataclass
class DataConfig:
    """What every source of reviews has in common."""

    name: str = MISSING
    """`imdb` or `generated`."""
    directory: str = MISSING
    """Folder of the download and of the token cache; made when needed."""
    batch_size: int = MISSING
    """Reviews in a training batch, on each device."""
    eval_batch_size: int = MISSING
    """Reviews in a validation, test or prediction batch."""
    max_tokens: int = MISSING
    """Longest part of a review that is read, in tokens."""
    keep: str = MISSING
    """Which part that is: `head`, `tail` or `both` (half from each end)."""
    vocabulary_size: int = MISSING
    """Entries of the vocabulary at most, `<pad>` and `<unk>` included."""
    minimum_frequency: int = MISSING
    """Times a token must occur in the training part to enter the vocabulary."""
    validation_fraction: float = MISSING
    """Part of the training reviews held out for validation, chosen by film."""
    split_seed: int = MISSING
    """Seed of that choice; not the run's seed, so that all runs share one validation set."""

    def __post_init__(self) -> None:
        at_least("data.batch_size", self.batch_size, 1)
        at_least("data.eval_batch_size", self.eval_batch_size, 1)
        at_least("data.max_tokens", self.max_tokens, 1)
        one_of("data.keep", self.keep, ("head", "tail", "both"))
        at_least("data.vocabulary_size", self.vocabulary_size, 3)
        at_least("data.minimum_frequency", self.minimum_frequency, 1)
        if not 0 < self.validation_fraction < 1:
            refuse("data.validation_fraction", self.validation_fraction, "a fraction between 0 and 1, e.g. 0.1")
        at_least("data.split_seed", self.split_seed, 0)


@dataclass
class ImdbConfig(DataConfig):
    """The Large Movie Review Dataset (Maas et al. 2011)."""

    archive: str | None = MISSING
    """The official archive, one of the same layout, or an extracted `aclImdb` folder; null downloads it."""
    verify: bool = MISSING
    """Check the texts against the digests of the published corpus; false reads another corpus of its layout."""


@dataclass
class GeneratedConfig(DataConfig):
    """Reviews written by a grammar, in which one clause decides and the rest distracts."""

    train_reviews: int = MISSING
    """Number of reviews to train on, those held out for validation included."""
    test_reviews: int = MISSING
    """Number of test reviews."""
    max_distance: int = MISSING
    """Largest number of tokens from the deciding clause to the end."""
    distances: str = MISSING
    """`log_uniform` draws distances from 1 to `max_distance`; `mixed` one of 2, 5, 10, 20, 50, … and `max_distance`;
    `equal` gives every review `max_distance`."""
    generator_seed: int = MISSING
    """Seed of the reviews; not the run's seed, so that all runs share one corpus."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("data.train_reviews", self.train_reviews, 2)
        at_least("data.test_reviews", self.test_reviews, 2)
        at_least("data.max_distance", self.max_distance, 1)
        one_of("data.distances", self.distances, ("log_uniform", "mixed", "equal"))
        if self.distances == "mixed":
            at_least("data.max_distance", self.max_distance, 2)
        at_least("data.generator_seed", self.generator_seed, 0)


@dataclass
class EmbeddingConfig:
    """The table of token vectors and the noise put on it in training."""

    size: int = MISSING
    """E, length of a token's vector."""
    dropout: float = MISSING
    """Probability that an element of an embedded token is zeroed."""
    word_dropout: float = MISSING
    """Probability that a token is read as `<unk>`."""

    def __post_init__(self) -> None:
        at_least("embedding.size", self.size, 1)
        probability("embedding.dropout", self.dropout)
        probability("embedding.word_dropout", self.word_dropout)


@dataclass
class EncoderConfig:
    """The recurrent (or not) net between embedding and pooling. Every encoder has the same keys, so that one
    override reaches them all in a sweep; one that has no use for a key ignores it."""

    _target_: str = MISSING
    """Its class, importable."""
    name: str = MISSING
    """Its name in tables, figures and tags."""
    hidden_size: int = MISSING
    """H, width of the state, in each direction."""
    layers: int = MISSING
    """Recurrent layers on top of each other."""
    bidirectional: bool = MISSING
    """Read the review from its end as well and put both states side by side."""
    dropout: float = MISSING
    """Dropout between layers."""
    recurrent_init: str = MISSING
    """Recurrent weights at the start: `orthogonal`, `identity` or `uniform` (PyTorch's default)."""
    forget_bias: float = MISSING
    """Bias of the forget gate at the start (gated encoders): σ(1) = 0.73 of the cell is kept at each step."""
    chrono_steps: int = MISSING
    """Steps over which chrono initialisation (Tallec & Ollivier 2018) spreads the units' memories; 0: `forget_bias`."""

    def __post_init__(self) -> None:
        at_least("encoder.hidden_size", self.hidden_size, 1)
        at_least("encoder.layers", self.layers, 1)
        probability("encoder.dropout", self.dropout)
        one_of("encoder.recurrent_init", self.recurrent_init, ("orthogonal", "identity", "uniform"))
        if self.chrono_steps != 0:
            at_least("encoder.chrono_steps", self.chrono_steps, 3)


@dataclass
class PoolingConfig:
    """From the states of a review to one vector."""

    _target_: str = MISSING
    """Its class, importable."""
    name: str = MISSING
    """Its name in tables, figures and tags."""
    dropout: float = MISSING
    """Dropout on the pooled vector, before the linear layer."""

    def __post_init__(self) -> None:
        probability("pooling.dropout", self.dropout)


@dataclass
class OptimizerConfig:
    """How the parameters move."""

    _target_: str = MISSING
    """A torch optimizer's class, importable."""
    learning_rate: float = MISSING
    """Peak of the schedule."""
    learning_rates: dict[str, Any] = field(default_factory=dict)
    """Rates chosen on validation, by encoder name, or by that and the pooling's; `learning_rate` refers to them."""
    weight_decay: float = MISSING
    """Decoupled weight decay, on matrices only (no biases, no embedding)."""
    options: dict[str, Any] = field(default_factory=dict)
    """Further arguments of the class."""
    embedding_options: dict[str, Any] = field(default_factory=dict)
    """Those that are others for the embedding."""
    schedule: str = MISSING
    """`one_cycle` (Smith & Topin 2017) or `constant`."""
    warmup_fraction: float = MISSING
    """Part of the steps in which the one-cycle rate rises."""
    gradient_clip_norm: float = MISSING
    """Largest norm of the whole gradient; 0 does not clip."""

    def __post_init__(self) -> None:
        if not self.learning_rate > 0:
            refuse("optimizer.learning_rate", self.learning_rate, "a number above 0")
        at_least("optimizer.weight_decay", self.weight_decay, 0)
        one_of("optimizer.schedule", self.schedule, ("one_cycle", "constant"))
        if not 0 < self.warmup_fraction < 1:
            refuse("optimizer.warmup_fraction", self.warmup_fraction, "a fraction between 0 and 1")
        at_least("optimizer.gradient_clip_norm", self.gradient_clip_norm, 0)


@dataclass
class TrainerConfig:
    """Where and how long a run trains."""

    accelerator: str = MISSING
    """`auto`, `cpu` or `gpu`."""
    devices: int = MISSING
    """Devices on each node (processes, on a CPU)."""
    nodes: int = MISSING
    """Machines."""
    strategy: str = MISSING
    """Lightning's strategy: `auto`, `ddp`, …"""
    threads: int | None = MISSING
    """Processor threads of this run; null divides the cores among the jobs that run side by side."""
    epochs: int = MISSING
    """Passes over the training reviews at most."""
    patience: int = MISSING
    """Epochs without a better validation accuracy after which training stops; 0 never stops early."""
    keep_epochs: bool = MISSING
    """Keep a checkpoint of every epoch, not of the best and the last alone."""
    log_every_n_steps: int = MISSING
    """Steps between two points of the training curves."""
    progress_bar: bool = MISSING
    """Show a progress bar on a terminal."""

    def __post_init__(self) -> None:
        one_of("trainer.accelerator", self.accelerator, ("auto", "cpu", "gpu"))
        at_least("trainer.devices", self.devices, 1)
        at_least("trainer.nodes", self.nodes, 1)
        if self.threads is not None:
            at_least("trainer.threads", self.threads, 1)
        at_least("trainer.epochs", self.epochs, 1)
        at_least("trainer.patience", self.patience, 0)
        at_least("trainer.log_every_n_steps", self.log_every_n_steps, 1)


@dataclass
class TrackingConfig:
    """Where runs are recorded."""

    uri: str | None = MISSING
    """Any MLflow tracking URI; null is SQLite in `directory`."""
    directory: str = MISSING
    """Folder of the default store, its artifacts and all checkpoints."""
    experiment: str = MISSING
    """MLflow experiment; made when it is missing."""
    system_metrics: bool = MISSING
    """Record processor, memory and disk use."""
    repeat: bool = MISSING
    """Run a sweep again that has finished; false leaves it as it is."""


@dataclass
class RunConfig:
    """What every run has, of reviews or of a textbook task."""

    study: str = MISSING
    """What the run belongs to: the parent run of a sweep has this name."""
    seed: int = MISSING
    """Seed of the weights, of dropout and of the order of the data."""
    precision: str = MISSING
    """`float32`, `bfloat16` (mixed), or `auto`: bfloat16 where the processor or GPU has it. Without hardware
    support, bfloat16 is slow, and an LSTM runs in float32."""
    encoder: EncoderConfig = MISSING
    optimizer: OptimizerConfig = MISSING
    trainer: TrainerConfig = MISSING
    tracking: TrackingConfig = MISSING

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**32:
            refuse("seed", self.seed, "a whole number from 0 to 4294967295")
        one_of("precision", self.precision, ("auto", "float32", "bfloat16"))

    @property
    def tags(self) -> dict[str, str]:
        """What a run is found by, beside its study and seed."""
        return {"encoder": self.encoder.name}

    def identity(self, data_digest: str, version: str) -> str:
        """Digest of what decides the result: configuration, data and code version, not where files lie or how
        the run is shown. Equal identities are the same experiment."""
        settings = asdict(self)
        for section, keys in _NOT_PART_OF_THE_RESULT.items():
            for key in keys:
                settings.get(section, {}).pop(key, None)
        del settings["tracking"]
        described = json.dumps([settings, data_digest, version], sort_keys=True)
        return hashlib.sha256(described.encode()).hexdigest()[:16]


_NOT_PART_OF_THE_RESULT = {
    "data": ("directory", "archive", "verify"),
    "optimizer": ("learning_rates",),
    "trainer": ("threads", "progress_bar", "log_every_n_steps", "keep_epochs"),
}


@dataclass
class Config(RunConfig):
    """One run on reviews."""

    data: DataConfig = MISSING
    embedding: EmbeddingConfig = MISSING
    pooling: PoolingConfig = MISSING

    @property
    def tags(self) -> dict[str, str]:
        """What a run is found by, beside its study and seed."""
        return {"encoder": self.encoder.name, "pooling": self.pooling.name}


@dataclass
class TaskConfig:
    """A textbook task, its sequences generated as they are needed."""

    name: str = MISSING
    """`adding` (Hochreiter & Schmidhuber 1997) or `copying` (Arjovsky et al. 2016)."""
    steps: int = MISSING
    """T: the length of a sequence to add, or how long a sequence must be kept before it is copied."""
    batch_size: int = MISSING
    """Sequences in a batch."""
    batches: int = MISSING
    """Training batches in an epoch, each of new sequences."""
    test_sequences: int = MISSING
    """Sequences to validate on, and as many others to test on."""

    def __post_init__(self) -> None:
        one_of("task.name", self.name, ("adding", "copying"))
        at_least("task.steps", self.steps, 2)
        at_least("task.batch_size", self.batch_size, 1)
        at_least("task.batches", self.batches, 1)
        at_least("task.test_sequences", self.test_sequences, 1)


@dataclass
class TextbookConfig(RunConfig):
    """One run on a textbook task."""

    task: TaskConfig = MISSING

    @property
    def tags(self) -> dict[str, str]:
        """What a run is found by, beside its study and seed."""
        return {"encoder": self.encoder.name, "task": f"{self.task.name}-{self.task.steps}"}


@dataclass
class CompareConfig:
    """The `compare` command."""

    sweep: str = MISSING
    """`latest`, a study's name (its latest sweep) or the id of a parent run."""
    output: str | None = MISSING
    """Folder for `results.csv`, the table and the figures; null writes no folder."""
    documents: list[str] = field(default_factory=list)
    """Markdown files whose block of the study's name takes the tables."""
    resamples: int = MISSING
    """Bootstrap resamples behind an interval."""
    tracking: TrackingConfig = MISSING

    def __post_init__(self) -> None:
        at_least("resamples", self.resamples, 100)


@dataclass
class StudyConfig:
    """The `study` command."""

    name: str = MISSING
    """Which study: a module of `sentiment_rnn.studies`."""
    output: str = MISSING
    """Folder with the study's README, for the results and the figures."""
    run: bool = MISSING
    """Run the study's sweeps; false takes them as they are."""
    overrides: list[str] = field(default_factory=list)
    """Overrides for every run of the sweeps; a seed for none that chooses learning rates."""
    tracking: TrackingConfig = MISSING


@dataclass
class ReportConfig:
    """The `report` command."""

    experiments: str = MISSING
    """Folder with a folder a study."""
    output: str = MISSING
    """The HTML file."""
    documents: list[str] = field(default_factory=list)
    """Markdown files whose block `verdicts` takes the table of verdicts."""
    tracking: TrackingConfig = MISSING


def checked(config: DictConfig) -> Any:
    """The dataclass behind a composed configuration (`Config` for a run), every value resolved and within bounds.

    Raises:
        UserError: a value is out of bounds, or a key is not declared.
        omegaconf.errors.OmegaConfBaseException: a value has the wrong type or refers to nothing.
    """
    settings = copy.deepcopy(config)
    with open_dict(settings):
        settings.pop("hydra", None)
    refuse_undeclared(settings)
    return OmegaConf.to_object(settings)


def refuse_undeclared(config: DictConfig, path: str = "") -> None:
    """Raise `UserError` for a key that no dataclass declares, as Hydra's `+key=…` and `++key=…` add."""
    schema = OmegaConf.get_type(config)
    known = [declared.name for declared in fields(schema)] if is_dataclass(schema) else None
    for key in config:
        if not isinstance(key, str):  # of a dictionary, which may have any
            continue
        full_key = f"{path}{key}"
        if known is not None and key not in known:
            raise UserError(unknown_key(full_key, known))
        if not OmegaConf.is_missing(config, key) and not OmegaConf.is_interpolation(config, key):
            value = config[key]
            if isinstance(value, DictConfig):
                refuse_undeclared(value, f"{full_key}.")
