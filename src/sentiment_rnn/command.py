"""What every command does around its work: the schema registered, and one line for what a user can mend."""

import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from sentiment_rnn.checks import UserError
from sentiment_rnn.config import (
    CompareConfig,
    Config,
    GeneratedConfig,
    ImdbConfig,
    ReportConfig,
    StudyConfig,
    TextbookConfig,
)
from sentiment_rnn.errors import describe

CONFIGURATION = str(Path(__file__).resolve().parents[2] / "conf")


def register_schema() -> None:
    """Make the dataclasses of `config.py` known to the YAML files that name them."""
    store = ConfigStore.instance()
    store.store(group="schema", name="config", node=Config, package="_global_")
    store.store(group="schema", name="compare", node=CompareConfig, package="_global_")
    store.store(group="schema", name="textbook", node=TextbookConfig, package="_global_")
    store.store(group="schema", name="report", node=ReportConfig, package="_global_")
    store.store(group="schema", name="study", node=StudyConfig, package="_global_")
    store.store(group="schema/data", name="imdb", node=ImdbConfig)
    store.store(group="schema/data", name="generated", node=GeneratedConfig)


def run(command: Callable[[], object]) -> None:
    """Run a Hydra command; what its user can mend is one line on standard error and exit status 1."""
    register_schema()
    quiet_libraries()
    # Hydra prints an error itself, over many lines, unless this asks it to raise it.
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    with one_line_errors():
        command()


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn errors that a user can mend into their one line; all others keep their traceback.

    `run` has it around everything, a command inside Hydra's wrapper too, which would put a line of its own first.
    """
    try:
        yield
    except (UserError, HydraException, OmegaConfBaseException) as error:
        fail(describe(error))
    except (PermissionError, NotADirectoryError, IsADirectoryError, FileExistsError) as error:
        fail(f"{error.filename}: {error.strerror}; choose a folder that can be written")
    except KeyboardInterrupt:
        fail("interrupted; a sweep that is started again takes up what was not finished", status=130)
    except BrokenPipeError:
        # Whoever read the answers has enough of them (`| head`); Python would say so once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


def fail(message: str, status: int = 1) -> NoReturn:
    """Say one line and leave."""
    print(f"error: {message}", file=sys.stderr)
    sys.exit(status)


def quiet_libraries() -> None:
    """Keep the terminal for what the user asked for."""
    talkative = (
        "alembic",
        "mlflow.store.db.utils",
        "mlflow.store.model_registry",
        "mlflow.system_metrics",
        "mlflow.pyfunc",
    )
    for name in ("lightning.pytorch", *talkative):
        logging.getLogger(name).setLevel(logging.WARNING)
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # a bar for each small file
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # says so for every font it does not choose
    # Batches come from memory-mapped arrays: worker processes would only copy them.
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*`IterableDataset` has `__len__` defined.*")
    warnings.filterwarnings("ignore", message=".*available but not used.*")  # the user has chosen the processor
    # joblib takes the freed blocks that a worker keeps (`runtime`) for a leak and starts another; no job is lost.
    warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given to the executor")
    # Lightning 2.6 calls a check that torch deprecates.
    warnings.filterwarnings("ignore", message=".*isinstance\\(treespec, LeafSpec\\).*")
