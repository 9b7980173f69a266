"""What earlier processes have left unsent, sent."""

import logging
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from mlflow import MlflowClient

from sentiment_rnn.config.tracking import TrackingConfig
from sentiment_rnn.errors import UserError
from sentiment_rnn.masking import MASK
from sentiment_rnn.tracking.answers import short_reason, store_errors
from sentiment_rnn.tracking.journal import Journal, journals
from sentiment_rnn.tracking.outbox import send_next
from sentiment_rnn.tracking.store import Store, check_store

log = logging.getLogger(__name__)


def send_left(store: Store) -> None:
    """Send what earlier runs of this folder have left for this store, as far as it can be sent now."""
    for folder in journals(store.directory):
        try:
            with closing(Journal(folder)) as journal:
                sent = send_all(journal, store) if journal.described.get("uri") == store.address else 0
        except (UserError, OSError):  # another process sends it, or has sent it
            continue
        except Exception as error:
            log.warning("%s: still unsent (%s)", folder, short_reason(error))
            return
        if sent:
            log.info("run %s: sent what an earlier process had left", folder.name)


def send_everything(directory: Path, uri: str | None) -> Iterator[str]:
    """Send what all runs of a `tracking.directory` have left; a line on each that was sent.

    Args:
        uri: of the server; None is the one that a run began on.

    Raises:
        UserError: the server does not answer or refuses, a run is still at work, or the address of its server is not
            known in full.
    """
    for folder in journals(directory):
        with closing(Journal(folder)) as journal:
            described = journal.described
            address = uri or str(described.get("uri"))
            if "run" not in described:
                raise UserError(f"{journal.entries}: its first line is damaged, so its run is not known")
            if MASK in address:
                raise UserError(f"{folder}: its server is {address}; give the whole address in MLFLOW_TRACKING_URI")
            config = TrackingConfig(uri=address, directory=str(directory), experiment=described["experiment"])
            check_store(config, name="--tracking-uri")
            client = MlflowClient(address)
            store = Store(client, address, described["experiment_id"], directory, described["experiment"])
            waiting = journal.count()
            with store_errors(address, store.experiment, "EDIT", "--tracking-uri"):
                send_all(journal, store)
            yield f"run {described['run']}: sent {waiting} entries to {store.address}"


def send_all(journal: Journal, store: Store) -> int:
    """Send all that a run has left; how many requests that took. Raises what keeps the store from taking it."""
    sent = 0
    while send_next(journal, store, journal.described["run"]):
        sent += 1
    return sent
