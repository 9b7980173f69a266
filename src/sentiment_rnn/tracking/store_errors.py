"""Turns errors of a tracking server, and missing answers, into one line."""

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
    """A server has answered, but does not have what was sent: another server may answer at this address for a while."""


log = logging.getLogger("sentiment_rnn")

QUICK = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "5"}
"""Settings of MLflow with which a command waits for a server's first answer: one attempt of 5 s."""
NO_SERVER = "no MLflow server, or another one, answers there"
NO_ANSWER = "failed with (timeout )?exception"
"""Pattern in MLflow's message if a request got no answer."""
REFUSED_FILE = "mlflow-artifacts/.*too many 500 error responses"
"""Pattern in MLflow's message if a server has answered several times that it cannot store a file."""
UNABLE = (429, 502, 503, 504)
"""HTTP statuses of a server, or of a proxy before it, that cannot answer at the moment."""
MISSING = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
"""MLflow's codes for something that does not exist; the second is for an invalid id or alias."""
SAYS_MISSING = ("No such file or directory", "404 Client Error")
"""Parts of MLflow's messages on a missing file, in a folder or on a server, for which it has no code."""
REMEDIES = {
    401: "the server does not know who you are (401); set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or "
    "MLFLOW_TRACKING_TOKEN",
    403: "the server refuses {user} (403), or does not accept this host name (MLFLOW_SERVER_ALLOWED_HOSTS); ask "
    "whoever runs it for the permission {permission} on {experiment}",
    404: "no MLflow server answers there (404); check the address, or give none for SQLite",
}
"""Message to the user, by the HTTP status of the answer."""
UNWRITABLE = "disk is full|No space left on device|Disk quota exceeded|Read-only file system|readonly database"
"""Messages of SQLite and the system if nothing can be written."""
FAULTS = (
    "Connection refused|No route to host|Connection reset|Remote end closed|timed out|timeout|Failed to resolve|"
    rf"\d+ error responses|file is not a database|database is locked|unable to open database file|{UNWRITABLE}"
)
"""Words that name the fault in long messages."""
STORE_ERRORS = (MlflowException, RequestException, SQLAlchemyError, sqlite3.Error)
"""Errors that a store raises: MLflow's own, those of a server that keeps artifacts, and those of a database."""


@contextmanager
def store_errors(uri: str, experiment: str, permission: str, name: str = "tracking.uri") -> Iterator[None]:
    """Turn errors of the store into a `UserError` of one line.

    Args:
        permission: MLflow's name of the permission that is needed on the experiment, `READ` or `EDIT`.
        name: the key or option of the address, for messages.
    """
    try:
        yield
    except STORE_ERRORS as error:
        raise UserError(f"{name}={uri}: {_reason(error, f'the experiment {experiment}', permission)}") from error


def line_of_store(error: Exception) -> str | None:
    """The one line for an error of a store after it was opened; None for any other error."""
    if not isinstance(error, STORE_ERRORS):
        return None
    return f"the store of runs: {_reason(error, 'its experiment', 'READ or EDIT')}"


def is_missing(error: Exception) -> bool:
    """Whether an error means that something does not exist, or that this user may not read it: a server with passwords
    refuses both (403). Other refusals and a full disk do not count."""
    if isinstance(error, MlflowException) and error.error_code in MISSING:
        return True
    return _status(error) in (403, 404) or any(message in str(error) for message in SAYS_MISSING)


def found_or_none(ask: Callable[[], T]) -> T | None:
    """Answer of a store; None if what was asked for does not exist, or this user may not read it."""
    try:
        return ask()
    except MlflowException as error:
        if not is_missing(error):
            raise
        return None


def _reason(error: Exception, experiment: str, permission: str) -> str:
    """Fault and remedy."""
    status = _status(error)
    if status in REMEDIES and not (status == 404 and isinstance(error, RestException)):  # MLflow explains these itself
        user = os.environ.get("MLFLOW_TRACKING_USERNAME", "this user")
        return REMEDIES[status].format(user=user, permission=permission, experiment=experiment)
    if "database is locked" in str(error):  # MLflow's code for this is that of a server that is away
        return "its database is locked by another process; wait until that is done, and try again"
    if is_away(error):
        return f"no answer ({short_reason(error)}); start the server, or check the address (none means SQLite)"
    return short_reason(error)


def _status(error: Exception) -> int | None:
    """The HTTP status of an answer; None if there was no answer."""
    if isinstance(error, MlflowException):
        return int(error.get_http_status_code())
    answer = error.response if isinstance(error, RequestException) else None
    return None if answer is None else int(answer.status_code)


def short_reason(error: BaseException) -> str:
    """The fault in a few words if it is a known one, else the first line of the error."""
    if fault := re.search(FAULTS, str(error)):
        return fault[0].lower()
    return (str(error).splitlines() or [type(error).__name__])[0][:300]


@contextmanager
def quick_answers() -> Iterator[None]:
    """Wait less for the first answer than for later ones, unless the user has set the time."""
    before = {name: os.environ.get(name, usual) for name, usual in REQUESTS.items()}
    os.environ.update({name: QUICK[name] for name, usual in REQUESTS.items() if before[name] == usual})
    try:
        yield
    finally:
        os.environ.update(before)


def until_answered(ask: Callable[[], T], patience: float) -> T:
    """Result of `ask`, which is called again while the store is away.

    Args:
        patience: for how many seconds to try; after that the error of `ask` is raised.
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
    """Whether a later attempt may succeed: there was no answer, the server cannot answer at the moment, the database is
    locked, or another server is at the address."""
    silent = re.search(f"{NO_ANSWER}|database is locked", str(error))
    return bool(silent) or isinstance(error, NotRecordedError) or _status(error) in UNABLE


def is_refusal(error: Exception) -> bool:
    """Whether the store refuses a file for good.

    A wrong password or a missing permission does not count: it can be mended while the file waits.
    """
    if re.search(REFUSED_FILE, str(error)):
        return True
    status = _status(error) if isinstance(error, RequestException) else None
    return status is not None and 400 <= status <= 500 and status not in (401, 404, 408, 429)
