"""What a command sets for itself and its workers: how threads wait, and which libraries may print on the terminal."""

import logging
import os
import warnings

SPINS = {"GOMP_SPINCOUNT": "1000"}
"""GNU OpenMP reads it once, when torch loads. Without it, a waiting thread spins and occupies the core that a preempted
thread needs: beside a busy process per core, an RNN took 25 times as long (experiments/benchmarks)."""
OTHERS = ("OMP_WAIT_POLICY",)
"""Other variables that set how threads wait."""
REQUESTS = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}
"""Time for which MLflow tries to reach its server; by default it gives up after more than four minutes."""


def shorten_spins() -> None:
    """Have waiting threads spin briefly, unless the user has set how they wait. Call it before torch loads."""
    if not {*SPINS, *OTHERS} & set(os.environ):
        os.environ.update(SPINS)


def quiet_libraries() -> None:
    """Keep the terminal for what the user asked for."""
    logging.raiseExceptions = False  # a log file on a full disk, and `| head`, would be a traceback for each line
    talkative = (
        "alembic",
        "mlflow.store.model_registry",
        "mlflow.system_metrics",
        "mlflow.pyfunc",
    )
    for name in ("lightning.pytorch", "lightning.fabric", *talkative):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # a line for every attempt
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # the traceback of what it raises as well
    for variable, value in REQUESTS.items():
        os.environ.setdefault(variable, value)
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # the run's address
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # a bar for each small file
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # says so for every font it does not choose
    # Batches come from memory-mapped arrays: worker processes would only copy them.
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*`IterableDataset` has `__len__` defined.*")
    warnings.filterwarnings("ignore", message=".*available but not used.*")  # the user has chosen the processor
    warnings.filterwarnings("ignore", message=".*`srun` command is available.*")  # a machine of a cluster is one too
    warnings.filterwarnings("ignore", message="Checkpoint directory .* exists and is not empty")  # of a resumed run
    # joblib takes the freed blocks that a worker keeps (`runtime`) for a leak and starts another; no job is lost.
    warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given to the executor")
    # Lightning 2.6 calls a check that torch deprecates.
    warnings.filterwarnings("ignore", message=".*isinstance\\(treespec, LeafSpec\\).*")
