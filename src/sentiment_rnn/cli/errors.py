"""What every command does around its work: the schema registered, and one line for what a user can mend."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from sentiment_rnn.environment import quiet_libraries
from sentiment_rnn.errors import UserError
from sentiment_rnn.masking import masked


def run(command: Callable[[], object]) -> None:
    """Run a command; what its user can mend is one line on standard error and exit status 1."""
    from sentiment_rnn.config.store import register_schema

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
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from sentiment_rnn.config.messages import describe

    try:
        yield
    except (UserError, HydraException, OmegaConfBaseException) as error:
        fail(describe(error))
    except ValueError as error:
        if "can be specified" not in str(error):  # Hydra's word on flags that exclude each other
            raise
        fail(str(error))
    except (PermissionError, NotADirectoryError, IsADirectoryError, FileExistsError) as error:
        fail(f"{error.filename}: {error.strerror}; choose a folder that can be written")
    except KeyboardInterrupt:
        fail("interrupted; a sweep that is started again resumes where it was", status=130)
    except BrokenPipeError:
        leave_quietly()
    except Exception as error:
        if type(error).__module__ != "submitit.core.utils":
            raise
        fail(_of_submitit(str(error)))


def _of_submitit(text: str) -> str:
    """The last line of what `sbatch` says; or that of a job's traceback, and where all of its output is."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    rules = [number for number, line in enumerate(lines) if not line.strip("-")]
    if not rules:
        return f"hydra/launcher: {lines[-1]}"
    return f"a job failed: {lines[rules[-1] - 1]}; its output is in {lines[-1].removeprefix('- ')}"


def leave_quietly() -> NoReturn:
    """Leave where whoever reads the output has enough of it (`| head`); Python would say so once more when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(141)


def fail(message: str, status: int = 1) -> NoReturn:
    """Say one line and leave."""
    print(f"error: {masked(message)}", file=sys.stderr)
    sys.exit(status)
