"""What earlier processes have left unsent, sent."""

import logging
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from sentiment_rnn.config.tracking import TrackingConfig
from sentiment_rnn.errors import UserError
from sentiment_rnn.masking import MASK
from sentiment_rnn.tracking.answers import no_answer, short_reason, store_errors
from sentiment_rnn.tracking.journal import Journal, journals
from sentiment_rnn.tracking.outbox import send_next
from sentiment_rnn.tracking.store import Store, check_store

log = logging.getLogger(__name__)


def send_left(store: Store) -> None:
    """Send what earlier runs of this folder have left for this store, as far as it can be sent now."""
    for folder in journals(store.directory):
        try:
            with closing(Journal(folder)) as journal:
                sent = send_all(journal, store) if journal.described.get("uri") == store.uri else 0
        except (UserError, OSError):  # another process sends it, or has sent it
            continue
        except Exception as error:
            log.warning("%s: still unsent (%s)", folder, short_reason(error))
            return
        if sent:
            log.info("run %s: sent what an earlier process had left", folder.name)


def send_everything(directory: Path, uri: str | None) -> Iterator[str]:
    """Send what all runs of a `tracking.directory` have left; a line on each.

    Args:
        uri: of the server; None is the one that a run began on.

    Raises:
        UserError: after all that can be sent: a server does not answer, refuses or does not know a run, or its address
            is not known in full.
    """
    faults: list[str] = []
    away: set[str] = set()
    for folder in journals(directory):
        try:
            opened = Journal(folder)
        except UserError as busy:
            yield f"run {folder.name}: left alone ({busy})"
            continue
        with closing(opened) as journal:
            address = uri or str(journal.described.get("uri"))
            if address in away:  # which took seconds to find
                continue
            try:
                yield _send(journal, directory, address)
            except UserError as fault:
                faults.append(str(fault))
                if isinstance(fault.__cause__, MlflowException) and no_answer(fault.__cause__):
                    away.add(address)
    if faults:
        raise UserError("; ".join(dict.fromkeys(faults)))


def _send(journal: Journal, directory: Path, address: str) -> str:
    """Send what one run has left; a line on it. Raises `UserError` as `send_everything` does."""
    described = journal.described
    if "run" not in described:
        raise UserError(f"{journal.entries}: its first line is damaged, so its run is not known")
    if MASK in address:  # of an earlier version, which took a password in an address
        raise UserError(
            f"{journal.folder}: its server is {address}; give the address alone in MLFLOW_TRACKING_URI, and the "
            "password in MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
        )
    config = TrackingConfig(uri=address, directory=str(directory), experiment=described["experiment"])
    check_store(config, name="--tracking-uri")
    client = MlflowClient(address)
    store = Store(client, address, described["experiment_id"], directory, described["experiment"])
    waiting = journal.count()
    with store_errors(address, store.experiment, "EDIT", "--tracking-uri"):
        _check_run(journal, store)
        send_all(journal, store)
    refused = f"; what it refuses is in {journal.refusals}" if journal.refusals.exists() else ""
    return f"run {described['run']}: sent {waiting} entries to {store.uri}{refused}"


def _check_run(journal: Journal, store: Store) -> None:
    """Raise `UserError` where the store has no such run: it would refuse each entry for good."""
    described = journal.described
    try:
        store.client.get_run(described["run"])
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        raise UserError(
            f"--tracking-uri={store.uri}: it has no run {described['run']}, which began on {described['uri']}; give "
            f"that server, or delete {journal.folder}"
        ) from error


def send_all(journal: Journal, store: Store) -> int:
    """Send all that a run has left; how many requests that took. Raises what keeps the store from taking it."""
    sent = 0
    while send_next(journal, store, journal.described["run"]):
        sent += 1
    return sent
