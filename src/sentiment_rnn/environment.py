"""Sets, for a command and its workers, how threads wait and which libraries may print on the terminal."""

import logging
import os
import warnings

SPINS = {"GOMP_SPINCOUNT": "1000"}
"""Variable that GNU OpenMP reads once, when torch loads. Without it, a waiting thread spins, and occupies the core that
a preempted thread needs: beside a busy process per core, an RNN took 25 times as long (experiments/benchmarks)."""
OTHERS = ("OMP_WAIT_POLICY",)
"""Other variables that set how threads wait."""
REQUESTS = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}
"""Time for which MLflow tries to reach its server; by default it gives up after more than four minutes."""
SILENCE = {
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # the run's address
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",  # a bar for each small file
}
LEVELS = {
    "lightning.pytorch": logging.WARNING, "lightning.fabric": logging.WARNING, "alembic": logging.WARNING,
    "mlflow.store.model_registry": logging.WARNING, "mlflow.system_metrics": logging.WARNING,
    "mlflow.pyfunc": logging.WARNING,
    "urllib3": logging.ERROR,  # a line for every attempt
    "matplotlib.font_manager": logging.ERROR,  # a line for every font that it does not choose
    "mlflow.store.db.utils": logging.CRITICAL,  # the traceback of what it raises as well
}  # fmt: skip
"""Lowest level at which the loggers of libraries may print."""
UNHEEDED = (
    # Batches come from memory-mapped arrays: worker processes would only copy them.
    ".*does not have many workers.*",
    ".*`IterableDataset` has `__len__` defined.*",
    ".*available but not used.*",  # the user has chosen the processor
    ".*`srun` command is available.*",  # a machine of a cluster is one too
    "Checkpoint directory .* exists and is not empty",  # of a resumed run
    # joblib takes the freed blocks that a worker keeps (`runtime`) for a leak and starts another; no job is lost.
    "A worker stopped while some jobs were given to the executor",
    ".*isinstance\\(treespec, LeafSpec\\).*",  # Lightning 2.6 calls a check that torch deprecates
)
"""Warnings that need no action."""


def shorten_spins() -> None:
    """Have waiting threads spin briefly, unless the user has set how they wait. Call it before torch loads."""
    if not {*SPINS, *OTHERS} & set(os.environ):
        os.environ.update(SPINS)


def quiet_libraries() -> None:
    """Keep messages of libraries off the terminal."""
    logging.raiseExceptions = False  # a log file on a full disk, and `| head`, would be a traceback for each line
    for name, level in LEVELS.items():
        logging.getLogger(name).setLevel(level)
    for variable, value in (REQUESTS | SILENCE).items():
        os.environ.setdefault(variable, value)
    for message in UNHEEDED:
        warnings.filterwarnings("ignore", message=message)
