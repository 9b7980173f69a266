"""The sections of a configuration and their keys, with bounds and meanings: task, data, model, training, tracking."""

import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass

from sentiment_rnn.config.schema import (
    OPEN,
    SCHEMA,
    Checked,
    Count,
    Few,
    Fraction,
    Name,
    Probability,
    Rate,
    Seed,
    Size,
    Vocabulary,
    Weight,
    Width,
    in_words,
)
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

    adversarial: Weight = 0.0
    """ε, length of the perturbation of an embedded review that raises its loss most (adversarial training; Miyato et
    al. 2017), in standard deviations of the vectors' elements. The perturbed loss is added. 0: none."""
    virtual: Weight = 0.0
    """ε of virtual adversarial training, in the same unit: length of the perturbation that changes the prediction most,
    whatever the label. The divergence of the two predictions is added to the loss. 0: none."""
    ngrams: Count = 0
    """Tokens of the longest n-gram of a linear classifier (Wang & Manning 2012; Mesnil et al. 2015) whose logit is
    combined with the network's. It is trained after the network; validation chooses the weight of each. 0: only the
    network judges."""


@dataclass(config=SCHEMA)
class LanguageModelTaskConfig(TaskConfig):
    """The next word of texts."""

    samples: Count
    """Words of the sampled softmax in a training step of a language model, drawn anew for each batch; 0 uses all words.
    Validation always uses all words."""


@dataclass(config=SCHEMA)
class SequenceTaskConfig(TaskConfig):
    """A task on sequences that are generated as they are needed."""

    name: Literal["adding", "copying", "parity"]
    """`adding` (Hochreiter & Schmidhuber 1997), `copying` (Arjovsky et al. 2016) or `parity`."""
    steps: Steps
    """Length of the sequence for adding and parity; for copying, the steps for which symbols must be remembered."""
    symbols: Few | None
    """Number of symbols to copy; null for adding and parity, which have none."""
    alphabet: Alphabet | None
    """Number of different symbols to draw from; null for adding and parity, which have none."""
    batch_size: Size
    """Sequences in a batch."""
    batches: Size
    """Training batches in an epoch, each of new sequences."""
    test_sequences: Size
    """Sequences to validate on, and as many others to test on; rounded up to whole batches."""
    test_steps: Steps | None = None
    """`steps` of the test sequences, to test at another length than in training; null: the same as `steps`."""

    def __post_init__(self) -> None:
        for key in ("symbols", "alphabet"):
            value = getattr(self, key)
            if (value is None) == (self.name == "copying"):
                refuse(f"task.{key}", value, "a number for copying, null for adding and parity")
        if self.name == "copying" and self.test_steps is not None:
            expected = "null for copying: its baseline holds for the length of training"
            refuse("task.test_steps", self.test_steps, expected)

    @property
    def title(self) -> str:
        """`adding over 50 steps`, `copying 8 symbols over 20 steps`."""
        what = {None: "", 1: " 1 symbol"}.get(self.symbols, f" {self.symbols} symbols")
        tested = f", tested over {self.test_steps}" if self.test_steps else ""
        return f"{self.name}{what} over {self.steps} steps{tested}"


Keep = Literal["head", "tail", "both"]
PARTS = get_args(Keep)


@dataclass(config=OPEN)
class DataConfig(Checked):
    """Reviews, and how they are tokenized and batched. The source's class, `_target_`, has further keys: its fields."""

    places: ClassVar[tuple[str, ...]] = ()
    """Further keys that say where the reviews lie. They do not change the result."""

    _target_: str
    """The source's class, importable."""
    name: Name
    """Its name in overrides and in MLflow."""
    directory: Annotated[Name, AfterValidator(lambda folder: str(Path(folder).expanduser()))]
    """Folder of downloads and of the token cache; created when needed."""
    batch_size: Size
    """Reviews in a training batch, on each device."""
    eval_batch_size: Size
    """Reviews in a validation, test or prediction batch."""
    max_tokens: Size
    """Most tokens of a review that are read; the rest is cut off."""
    keep: Keep
    """Which part of a longer review is read: `head`, `tail` or `both` (half from each end)."""
    vocabulary_size: Vocabulary
    """Most entries of the vocabulary, `<pad>` and `<unk>` included."""
    minimum_frequency: Size
    """How often a token must occur in the training part to enter the vocabulary."""
    shuffle_span: Count = 0
    """Length in tokens of the stretches in which the words of a text are shuffled. Each text has one random order, the
    same in every epoch and run. 0 does not shuffle; `max_tokens` or more shuffles the whole text."""
    tokenizer: Name = "basic_english"
    """How a text is split into tokens: a name that torchtext's `get_tokenizer` knows, or the import path of
    a function from a text to its tokens, marked by `sentiment_rnn.data.tokenizer.tokenizer`."""
    least_steps: Count = 0
    """Least number of training steps with `trainer.epochs=null`, rounded up to whole epochs."""
    patience: Count = 0
    """Epochs without a better validation score after which `trainer.patience=null` stops; 0 never stops early."""


@dataclass(config=SCHEMA)
class EmbeddingConfig(Checked):
    """The table of token vectors and the noise put on it in training."""

    size: Width
    """E, length of a token's vector."""
    dropout: Probability
    """Probability that an element of an embedded token is zeroed."""
    word_dropout: Probability
    """Probability that a token is read as `<unk>`."""


# A model may have the name as its alias.
EncoderName = Annotated[
    str,
    in_words(
        "letters, digits, _ and -, but not latest, champion, v1, v2, …", r"(?ia)^(?!(latest|champion|v\d+)$)[\w-]+\Z"
    ),
]
Color = Annotated[str, in_words("a colour such as #0072B2", r"^#[0-9a-fA-F]{6}\Z")]
Gain = Annotated[float, Field(gt=0, le=1e6)]
ChronoSteps = Literal[0] | Annotated[int, Field(ge=3, le=100_000)]
DESCRIBING = ("_target_", "name", "label", "color")
"""Keys of an encoder that are no arguments of its class."""


@dataclass(config=OPEN)
class EncoderConfig(Checked):
    """The recurrent (or not) net between embedding and pooling.

    The keys after `color` are arguments of recurrent encoders. All encoders share them, so that one override reaches
    every encoder of a sweep. A key is null if the class has no such argument; it is then neither logged nor part of a
    run's identity. A class with further arguments has further keys of the same names (`config.components`).
    """

    _target_: str
    """Its class, importable."""
    name: EncoderName
    """Its name in overrides, file names and tags."""
    label: str | None = None
    """Its name in tables and figures; null: `name`."""
    color: Color | None = None
    """Its colour in figures, `#RRGGBB`; null takes one that is free."""
    hidden_size: Width | None = None
    """H, width of the state, in each direction."""
    layers: Few | None = None
    """Recurrent layers on top of each other."""
    bidirectional: bool | None = None
    """Read the review from its end as well and put both states side by side."""
    dropout: Probability | None = None
    """Dropout between layers; a net of one layer has none."""
    recurrent_init: Literal["orthogonal", "identity", "uniform"] | None = None
    """Initialization of the recurrent weights: `orthogonal` or `identity`; or `uniform`, PyTorch's
    initialization of all weights, except gates that `forget_bias` or `chrono_steps` initializes."""
    recurrent_gain: Gain | None = None
    """Factor by which the initial recurrent weights are multiplied."""
    forget_bias: float | None = None
    """Initial bias of the forget gate: at 1, σ(1) = 0.73 of the cell is kept at each step."""
    chrono_steps: ChronoSteps | None = None
    """Time scale of chrono initialization (Tallec & Ollivier 2018): the steps over which the units' memories are
    spread. 0: no chrono initialization."""
    gradient_steps: Count | None = None
    """Tokens at a review's end that the gradient reaches (truncated backpropagation); 0 or null: all. Not for a
    language model, which learns at each token."""
    detach: Literal["none", "cell", "hidden"] | None = None
    """Path of an LSTM's gradient that is cut: `cell` (from C_t to C_{t-1}) or `hidden` (to h_{t-1}). `none` or null:
    neither."""

    def label_with(self, overrides: Iterable[str]) -> str:
        """The label. The name instead if there is no label, or if these overrides change the encoder without giving a
        label: the label in the file then describes another encoder."""
        keys = {override.lstrip("+").partition("=")[0] for override in overrides} - {"encoder.color"}
        described = "encoder.label" in keys or not any(key.startswith("encoder.") for key in keys)
        return self.label if self.label and described else self.name

    @property
    def settings(self) -> dict[str, Any]:
        """The settings from which the model is built: `_target_`, `name` and the given arguments of the class."""
        return {key: value for key, value in vars(self).items() if value is not None and key not in ("label", "color")}


@dataclass(config=SCHEMA)
class PoolingConfig(Checked):
    """Reduction of a review's states to one vector."""

    _target_: str
    """Its class, importable."""
    name: Name
    """Its name in tables, figures and tags."""
    dropout: Probability
    """Dropout on the pooled vector, before the linear layer."""


def _ordered(bounds: list[float]) -> list[float]:
    if len(bounds) != 2 or not bounds[0] < bounds[1]:
        raise ValueError
    return bounds


# Each bound lies within the bounds of the key that a draw sets.
Rates = Annotated[
    list[Rate], AfterValidator(_ordered), in_words("two numbers above 0 and at most 1,000, the lower one first")
]
Norms = Annotated[
    list[Gain], AfterValidator(_ordered), in_words("two numbers above 0 and at most 1,000,000, the lower one first")
]


@dataclass(config=SCHEMA, kw_only=True)
class OptimizerConfig(Checked):
    """Optimizer, learning rate and gradient clipping."""

    _target_: str
    """A torch optimizer's class, importable."""
    learning_rate: Rate | None = None
    """Peak learning rate of the schedule; null takes that of the draw, else the encoder's in `learning_rates`, else
    `default_learning_rate`."""
    learning_rates: dict[str, Rate] = Field(default_factory=dict)
    """Learning rates chosen on validation, by the encoder's name."""
    default_learning_rate: Rate
    """Learning rate of an encoder for which none was chosen."""
    weight_decay: Weight
    """Weight decay, on matrices only (no biases, no embedding): decoupled with AdamW, an L2 penalty with SGD."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Further arguments of the class."""
    embedding_options: dict[str, Any] = Field(default_factory=dict)
    """Arguments of the class for the embedding; they override `options` there. `lr` is the embedding's own learning
    rate, the peak of its schedule."""
    encoder_options: dict[str, Any] = Field(default_factory=dict)
    """Arguments of the class for the encoder, likewise. The head keeps `learning_rate` and `options`."""
    schedule: Literal["one_cycle", "constant"]
    """`one_cycle` (Smith & Topin 2017) or `constant`."""
    warmup_fraction: Fraction
    """Part of the steps during which the one-cycle rate rises."""
    gradient_clip_norm: Weight
    """Norm to which the whole gradient is clipped; 0 does not clip."""

    draw: Count | None = None
    """Number of a draw of a random search, 0, 1, …. It sets `learning_rate` and `gradient_clip_norm`, to two digits,
    and overrides a given norm. Null takes the encoder's draw in `draws`, or none."""
    draws: dict[str, Count | None] = Field(default_factory=dict)
    """Draws chosen on validation, by the encoder's name; ignored if `learning_rate` is given. Null means that the
    search has not chosen yet; the run is then refused."""
    draw_learning_rate: Rates = Field(default_factory=lambda: [1e-4, 3e-2])
    """Lowest and highest learning rate of a draw; its logarithm is uniform."""
    draw_clip_norm: Norms = Field(default_factory=lambda: [0.1, 10.0])
    """Lowest and highest `gradient_clip_norm` of a draw; its logarithm is uniform."""

    def settled(self, encoder: str) -> "OptimizerConfig":
        """This configuration with the learning rate and the clipping norm of an encoder filled in.

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
    """A number between the two bounds, its logarithm uniform (Bergstra & Bengio 2012), rounded to two digits."""
    return float(f"{math.exp(random.uniform(*map(math.log, bounds))):.2g}")


EPOCHS, MOST_EPOCHS = 4, 200
"""Least and most epochs of a run with `trainer.epochs=null`."""
# The refused strategies copy this process: two processes would then use one connection to the store.
Strategy = Annotated[
    str, in_words("a strategy that starts processes of its own, such as ddp", "^(?!.*(fork|spawn|notebook))")
]


@dataclass(config=SCHEMA, kw_only=True)
class TrainerConfig(Checked):
    """Where and how long a run trains."""

    accelerator: Literal["auto", "cpu", "gpu"]
    """`auto`, `cpu` or `gpu`."""
    devices: Few
    """Devices on each node (processes, on a CPU)."""
    nodes: Few
    """Machines."""
    strategy: Strategy
    """Lightning's strategy: `auto`, `ddp`, …; none that forks, spawns or shards weights."""
    threads: Few | None
    """Processor threads of this run. Null divides the cores among devices and jobs: those that a scheduler assigned,
    else all of the machine. `encoder=bag` sets 1."""
    jobs_at_once: Few | None = None
    """Runs that share these cores; null takes the number from a sweep's launcher, and 1 for a single run."""
    epochs: Size | None
    """Most passes over the training data. Null takes 4, or as many as `data.least_steps` needs, up to 200; a run
    records the number."""
    patience: Count | None
    """Epochs without a better validation score after which training stops; 0 never stops early. Null takes
    `data.patience`; a run records the number."""
    target_score: Weight | None = None
    """Validation score, such as an accuracy of 0.95, that ends training when two epochs in a row reach it; null trains
    all epochs."""
    tested_epoch: Literal["best", "last"] = "best"
    """The epoch whose weights are tested and packaged: the `best` on validation (of ties the first) or the `last`. Runs
    are always ranked by their best validation score."""
    keep_epochs: bool
    """Keep a checkpoint of every epoch, not only of the best and the last."""
    checkpoint_minutes: Weight
    """Minutes between two checkpoints within an epoch; an interrupted run resumes from the last one. 0 writes
    checkpoints only after each epoch. A signal that ends the run (Ctrl-C, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2) writes one
    too."""
    log_every_n_steps: Size
    """Steps between two points of the training curves."""
    progress_bar: bool
    """Show a progress bar on a terminal."""
    limit_batches: Count = 0
    """Most batches of an epoch, of validation and of test; 0 takes all."""

    @property
    def processes(self) -> int:
        """Processes of a run, one for each device."""
        return self.devices * self.nodes

    @property
    def trial(self) -> str:
        """The key that makes the run a trial, whose scores mean nothing. Empty for a real run."""
        return "limit_batches" if self.limit_batches else ""


@dataclass(config=SCHEMA)
class TrackingConfig(Checked):
    """Where runs are recorded."""

    uri: str | None
    """Address of an MLflow server, or of an SQLite file (`sqlite:///…`); null is SQLite in `directory`."""
    directory: Name
    """Folder of the default store, its artifacts, and all checkpoints. Only a machine with this folder can resume a
    run."""
    experiment: Name
    """MLflow experiment; created if it is missing."""
    system_metrics: bool = True
    """Record the use of processor, memory, disk and, with the extra `gpu`, of NVIDIA cards."""
    record: Literal["full", "results"] = "full"
    """What a run records. `full`: everything. `results`, for sweeps of many small runs: no figures, no mistakes and no
    packaged model, so no command can predict with the run. A language model is always packaged."""
    search_trial: Count | None = None
    """Number of the run among the trials of a search; set by the search."""

    @property
    def records_all(self) -> bool:
        """Whether a run records more than its results and its weights."""
        return self.record == "full"


@dataclass(config=SCHEMA)
class SearchConfig(Checked):
    """Kind and number of a search's trials."""

    _target_: str
    """Hydra's sweeper."""
    sampler: Literal["tpe", "random"]
    """With `hydra/sweeper=search`: `tpe` (tree-structured Parzen estimator, Bergstra et al. 2011; the first ten trials
    are random) or `random`."""
    trials: Size
    """With `hydra/sweeper=search`: number of all trials, including those before an interruption."""
    seed: Seed
    """With `hydra/sweeper=search`: seed of the proposals; `seed` is that of the runs."""
    pruning: Literal["median", "halving"] | None
    """With `hydra/sweeper=search`: end a trial early if its validation score is worse than the `median` of the earlier
    trials at that epoch, or by successive `halving` (Li et al. 2020). With null, or on several devices, no trial ends
    early."""
    at_once: Few | None
    """With `hydra/sweeper=search`: trials that are proposed and launched together; null: the `n_jobs` of
    `hydra/launcher=joblib`, and 1 with every other launcher."""
    params: dict[str, Any] = Field(default_factory=dict)
    """With `hydra/sweeper=search`: a part of the search space, as values by key in a YAML file. The command line
    overrides it."""
