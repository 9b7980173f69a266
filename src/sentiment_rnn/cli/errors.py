"""Runs a command, and shows an error that its user can mend as one line."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from sentiment_rnn.environment import quiet_libraries
from sentiment_rnn.tracking.names import COMMAND_VARIABLE

LONGEST = 1000
"""Most characters of an error line."""


def run(command: Callable[[], object]) -> None:
    """Run a command. An error that its user can mend prints one line on standard error and exits with status 1."""
    quiet_libraries()
    with one_line_errors():
        command()


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn errors that a user can mend into their one line; all others keep their traceback."""
    try:
        yield
    except KeyboardInterrupt:
        training = os.environ.get(COMMAND_VARIABLE, "sentiment-rnn train").startswith("sentiment-rnn train")
        again = "; the same command resumes" if training else ""
        fail(f"interrupted{again}", status=130)
    except BrokenPipeError:
        # The reader of the output has closed it (`| head`): without this, Python says so a second time at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except Exception as error:
        from sentiment_rnn.config.messages import line_of  # loads Hydra

        line = line_of(error)
        if line is None:
            from sentiment_rnn.tracking.store_errors import line_of_store  # here: loads MLflow, slow for a mere typo

            line = line_of_store(error)
        if line is None:
            raise
        fail(line)


def fail(message: str, status: int = 1) -> NoReturn:
    """Print one line and exit. A long line is cut in its middle: it may quote what the user gave."""
    if len(message) > LONGEST:
        message = f"{message[: LONGEST // 2]} … {message[-LONGEST // 2 :]}"
    print(f"error: {message}", file=sys.stderr)
    sys.exit(status)
