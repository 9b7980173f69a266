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
DATABASE_FAULTS = {
    "database is locked": "its database is locked by another process; wait until that is done, and try again",
    "file is not a database": "its mlflow.db is no database; restore it, or give another folder",
    "unable to open database file": "its mlflow.db cannot be opened; make it readable, or give another folder",
    "disk image is malformed": "its mlflow.db is damaged; restore it, or give another folder",
    "database or disk is full": "the disk is full; make room, and try again",
    "readonly database": "its mlflow.db cannot be written; make it writable, or give another folder",
}
"""Messages of SQLite, and what a user reads."""
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
        reason = _reason(error, f"the experiment {experiment}", permission)
        reason = reason or f"{short_reason(error)}; check the address, or give none for SQLite"
        raise UserError(f"{name}={uri}: {reason}") from error


def line_of_store(error: Exception) -> str | None:
    """The one line for what a store refuses or fails at once it is open; None for any other error."""
    if not isinstance(error, STORE_ERRORS):
        return None
    return f"the store of runs: {_reason(error, 'its experiment', 'READ or EDIT') or short_reason(error)}"


def is_missing(error: Exception) -> bool:
    """Whether an error says that what was asked for is not there. A refusal, or a disk that is full, does not."""
    if isinstance(error, MlflowException) and error.error_code in MISSING:
        return True
    return _status(error) == 404 or any(message in str(error) for message in SAYS_MISSING)


def may_be_missing(error: Exception) -> bool:
    """Whether it is missing, or cannot be told from what is: a server that asks for passwords refuses both (403)."""
    return is_missing(error) or _status(error) == 403


def found_or_none(ask: Callable[[], T]) -> T | None:
    """Answer of a store; None where that is not there, or nothing that this user may read."""
    try:
        return ask()
    except MlflowException as error:
        if not may_be_missing(error):
            raise
        return None


def answer_or_refuse(ask: Callable[[], T], missing: str, advice: str = "") -> T:
    """Answer of a store; raises `UserError`, `missing` and then `advice`, where `found_or_none` is None."""
    try:
        return ask()
    except MlflowException as error:
        if not may_be_missing(error):
            raise
        refused = ", or none that this user may read (403)" if _status(error) == 403 else ""
        raise UserError(f"{missing}{refused}{advice}") from error


def _reason(error: Exception, experiment: str, permission: str) -> str | None:
    """Fault and remedy; None where they are not known."""
    status, user = _status(error), os.environ.get("MLFLOW_TRACKING_USERNAME")
    if status == 401 and user:
        return f"the server does not know the user {user} with this password (401); check MLFLOW_TRACKING_PASSWORD"
    if status == 401:
        return (
            "the server asks who you are (401); set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, "
            "or MLFLOW_TRACKING_TOKEN"
        )
    if status == 403 and "Invalid Host" in str(error):
        return "the server does not accept this host name (403); whoever runs it adds it to MLFLOW_SERVER_ALLOWED_HOSTS"
    if status == 403:
        return (
            f"the server refuses {user or 'this user'} (403); ask whoever runs it for the permission {permission} on "
            f"{experiment}"
        )
    if status == 404 and isinstance(error, MlflowException) and not isinstance(error, RestException):
        return "no MLflow server answers there (404); check the address, or give none for SQLite"
    # MLflow has the same code for a database that is locked as for a server that is away.
    if fault := next((fault for message, fault in DATABASE_FAULTS.items() if message in str(error)), None):
        return fault
    if no_answer(error):
        return f"no answer ({short_reason(error)}); start the server, or check the address (none means SQLite)"
    return None


def no_answer(error: Exception) -> bool:
    """Whether a request got no answer, or none but that the server cannot answer now."""
    return bool(re.search(NO_ANSWER, str(error))) or _status(error) in UNABLE


def _status(error: Exception) -> int | None:
    """The HTTP status of an answer; None where there was none."""
    if isinstance(error, MlflowException):
        return int(error.get_http_status_code())
    answer = error.response if isinstance(error, RequestException) else None
    return None if answer is None else int(answer.status_code)


def short_reason(error: BaseException) -> str:
    """Fault in a few words where it is known, else the first line of the error."""
    text = str(error)
    known = {
        "Connection refused": "connection refused",
        "timeout exception": "timeout",
        "timed out": "timeout",
        "resolve": "no such host",
        "No route to host": "no route to the host",
        "Remote end closed": "connection closed",
        "Connection reset": "connection reset",
        "error responses": "server error",
        "No space left on device": "no space left on the disk",
    }
    phrase = next((shown for part, shown in known.items() if part in text), None)
    # The first line of several downloads that failed says only that they did.
    lines = [line for line in text.splitlines() if not line.startswith(("The following failures", "##### File"))]
    return phrase or (lines or [type(error).__name__])[0][:300]


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
        except (UserError, *STORE_ERRORS) as error:  # the first is the one line for one of the others
            cause = error.__cause__ if isinstance(error, UserError) else error
            if not isinstance(cause, Exception) or not is_away(cause) or time.monotonic() > deadline:
                raise
            if not noted:
                minutes = patience / 60
                log.warning("no answer (%s); waiting for it, %g minutes at most", short_reason(error), minutes)
                noted = True
            time.sleep(2)


def is_away(error: Exception) -> bool:
    """Whether what failed may go well later: no answer, a locked database, or another server at the address."""
    return isinstance(error, NotRecordedError) or no_answer(error) or "database is locked" in str(error)


def is_refusal(error: Exception) -> bool:
    """Whether the store has said that it will never take a value or a file.

    A wrong password or a missing permission is none: they can be mended while the value waits.
    """
    if isinstance(error, MlflowException) and error.error_code == "INVALID_PARAMETER_VALUE":
        return True
    if re.search(REFUSED_FILE, str(error)):
        return True
    status = _status(error) if isinstance(error, RequestException) else None
    return status is not None and 400 <= status <= 500 and status not in (401, 404, 408, 429)
