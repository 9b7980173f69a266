"""Errors of a tracking server, or its silence, in one line."""

import logging
import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from mlflow.exceptions import MlflowException, RestException
from requests import RequestException
from sqlalchemy.exc import SQLAlchemyError

from sentiment_rnn.environment import REQUESTS
from sentiment_rnn.errors import UserError

T = TypeVar("T")


class NotRecordedError(MlflowException):
    """A server has answered, and does not have what it was sent: another one may answer at its address for a while."""


log = logging.getLogger("sentiment_rnn")

QUICK = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "5"}
"""How long a command waits for a server's first answer [s]."""
NO_SERVER = "no MLflow server, or another one, answers there"
NO_ANSWER = "failed with (timeout )?exception"
"""In MLflow's message where a request got no answer at all."""
REFUSED_FILE = "mlflow-artifacts/.*too many 500 error responses"
"""In MLflow's message where a server has said more than once that it cannot keep a file."""
UNABLE = (429, 502, 503, 504)
"""HTTP statuses of a server, or of what stands before it, that cannot answer now."""
MISSING = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
"""MLflow's codes for what is not there; the second is that of an id or an alias which cannot be one."""
SAYS_MISSING = ("No such file or directory", "404 Client Error")
"""In what MLflow says of a file that is not there, in a folder or on a server; it has no code for it."""
REMEDIES = {
    401: "the server does not know who you are (401); set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or "
    "MLFLOW_TRACKING_TOKEN",
    403: "the server refuses {user} (403), or does not accept this host name (MLFLOW_SERVER_ALLOWED_HOSTS); ask "
    "whoever runs it for the permission {permission} on {experiment}",
    404: "no MLflow server answers there (404); check the address, or give none for SQLite",
}
"""What a user reads, by the HTTP status of the answer."""
UNWRITABLE = "disk is full|No space left on device|Disk quota exceeded|Read-only file system|readonly database"
"""Messages of SQLite and the system where nothing can be written."""
FAULTS = (
    "Connection refused|No route to host|Connection reset|Remote end closed|timed out|timeout|Failed to resolve|"
    rf"\d+ error responses|file is not a database|database is locked|unable to open database file|{UNWRITABLE}"
)
"""The few words that say it, in messages that are long."""
STORE_ERRORS = (MlflowException, RequestException, SQLAlchemyError, sqlite3.Error)
"""Errors that a store raises: MLflow's own, those of a server that keeps artifacts, and those of a database."""


@contextmanager
def store_errors(uri: str, experiment: str, permission: str, name: str = "tracking.uri") -> Iterator[None]:
    """Turn what the store refuses into one line.

    Args:
        permission: MLflow's name of what is needed on the experiment, `READ` or `EDIT`.
        name: what the user calls the address.
    """
    try:
        yield
    except STORE_ERRORS as error:
        raise UserError(f"{name}={uri}: {_reason(error, f'the experiment {experiment}', permission)}") from error


def line_of_store(error: Exception) -> str | None:
    """The one line for what a store refuses or fails at once it is open; None for any other error."""
    if not isinstance(error, STORE_ERRORS):
        return None
    return f"the store of runs: {_reason(error, 'its experiment', 'READ or EDIT')}"


def is_missing(error: Exception) -> bool:
    """Whether an error says that what was asked for is not there, or nothing that this user may read: a server that
    asks for passwords refuses both (403). Another refusal, or a disk that is full, does not."""
    if isinstance(error, MlflowException) and error.error_code in MISSING:
        return True
    return _status(error) in (403, 404) or any(message in str(error) for message in SAYS_MISSING)


def found_or_none(ask: Callable[[], T]) -> T | None:
    """Answer of a store; None where that is not there, or nothing that this user may read."""
    try:
        return ask()
    except MlflowException as error:
        if not is_missing(error):
            raise
        return None


def _reason(error: Exception, experiment: str, permission: str) -> str:
    """Fault and remedy."""
    status = _status(error)
    if status in REMEDIES and not (status == 404 and isinstance(error, RestException)):  # which MLflow explains
        user = os.environ.get("MLFLOW_TRACKING_USERNAME", "this user")
        return REMEDIES[status].format(user=user, permission=permission, experiment=experiment)
    if "database is locked" in str(error):  # for which MLflow has the code of a server that is away
        return "its database is locked by another process; wait until that is done, and try again"
    if is_away(error):
        return f"no answer ({short_reason(error)}); start the server, or check the address (none means SQLite)"
    return short_reason(error)


def _status(error: Exception) -> int | None:
    """The HTTP status of an answer; None where there was none."""
    if isinstance(error, MlflowException):
        return int(error.get_http_status_code())
    answer = error.response if isinstance(error, RequestException) else None
    return None if answer is None else int(answer.status_code)


def short_reason(error: BaseException) -> str:
    """Fault in a few words where it is known, else the first line of the error."""
    if fault := re.search(FAULTS, str(error)):
        return fault[0].lower()
    return (str(error).splitlines() or [type(error).__name__])[0][:300]


@contextmanager
def quick_answers() -> Iterator[None]:
    """Wait less for the first answer than for later ones, unless the user has set how long."""
    before = {name: os.environ.get(name, usual) for name, usual in REQUESTS.items()}
    os.environ.update({name: QUICK[name] for name, usual in REQUESTS.items() if before[name] == usual})
    try:
        yield
    finally:
        os.environ.update(before)


def until_answered(ask: Callable[[], T], patience: float) -> T:
    """Result of `ask`, which is called again while the store is away.

    Args:
        patience: for so many seconds; then what it raises is raised.
    """
    deadline, noted = time.monotonic() + patience, False
    while True:
        try:
            return ask()
        except STORE_ERRORS as error:
            if not is_away(error) or time.monotonic() > deadline:
                raise
            if not noted:
                minutes = patience / 60
                log.warning("no answer (%s); waiting for it, %g minutes at most", short_reason(error), minutes)
                noted = True
            time.sleep(2)


def is_away(error: Exception) -> bool:
    """Whether what failed may go well later: no answer, or none but that the server cannot answer now, a locked
    database, or another server at the address."""
    silent = re.search(f"{NO_ANSWER}|database is locked", str(error))
    return bool(silent) or isinstance(error, NotRecordedError) or _status(error) in UNABLE


def is_refusal(error: Exception) -> bool:
    """Whether the store has said that it will never take a file.

    A wrong password or a missing permission is none: they can be mended while the file waits.
    """
    if re.search(REFUSED_FILE, str(error)):
        return True
    status = _status(error) if isinstance(error, RequestException) else None
    return status is not None and 400 <= status <= 500 and status not in (401, 404, 408, 429)
