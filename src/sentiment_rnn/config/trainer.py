"""Keys of `trainer`."""

from typing import Annotated, Literal

from pydantic.dataclasses import dataclass

from sentiment_rnn.config.schema import SCHEMA, Checked, Count, Few, Size, Weight, in_words

EPOCHS, MOST_EPOCHS = 4, 200
"""Epochs of a run that was given no number, at least and at most."""
# Those that are refused copy this process with its connection to the store, but without the thread that sends to it.
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
    """Processor threads of this run; null divides the cores that a scheduler assigned, or else the machine's, among
    devices and jobs. `encoder=bag` sets 1."""
    jobs_at_once: Few | None = None
    """Runs that share these cores; null takes what a sweep's launcher says, and 1 for a single run."""
    epochs: Size | None
    """Passes over the training data at most. Null takes 4, or as many as make `data.least_steps`, up to 200; a run
    records the number."""
    patience: Count | None
    """Epochs without a better validation score after which training stops; 0 never stops early. Null takes
    `data.patience`; a run records the number."""
    target_score: Weight | None = None
    """Validation score (0.95, say, of accuracy) that ends training once two epochs in a row reach it; null trains all
    epochs."""
    tested_epoch: Literal["best", "last"] = "best"
    """Whose weights are tested and packaged: the `best` on validation, the first of equals, or the `last`. Runs are
    ranked by their best validation score either way."""
    keep_epochs: bool
    """Keep a checkpoint of every epoch, not of the best and the last alone."""
    checkpoint_minutes: Weight
    """Minutes of training within an epoch after which a checkpoint is written, from which an interrupted run resumes; 0
    writes one after each epoch alone. A signal that ends the run (Ctrl-C, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2) writes one
    too."""
    log_every_n_steps: Size
    """Steps between two points of the training curves."""
    progress_bar: bool
    """Show a progress bar on a terminal."""
    fast_dev_run: bool = False
    """Try every part of a run: one epoch of one batch, one batch to validate and one to test."""
    limit_batches: Count = 0
    """Batches of an epoch, of validation and of test at most; 0 takes all."""
    overfit_batches: Count = 0
    """Train on this many batches alone, again and again, and validate on them; 0 takes all."""
    profiler: Literal["simple"] | None = None
    """`simple`: where the time goes, as the artifact `profile.txt`."""

    @property
    def trial(self) -> str:
        """Keys that make the run a trial, whose scores mean nothing: `fast_dev_run`, say. Empty for a real run."""
        keys = ("fast_dev_run", "limit_batches", "overfit_batches", "profiler")
        return ", ".join(key for key in keys if getattr(self, key))
