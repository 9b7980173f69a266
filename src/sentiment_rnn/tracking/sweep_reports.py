"""What was made of a sweep's runs, logged to its parent run: tables, a figure, a summary.

All raise `UserError` where the store refuses, or does not answer.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mlflow.entities import Metric, Run

from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.answers import store_errors
from sentiment_rnn.tracking.names import NOTE_TAG
from sentiment_rnn.tracking.store import Store

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@contextmanager
def logging_errors(store: Store) -> Iterator[None]:
    """Turn what a store refuses into one line, also where its artifacts are a folder that cannot be written."""
    try:
        with store_errors(store.uri, store.experiment, "EDIT"):
            yield
    except OSError as error:
        raise UserError(
            f"{store.uri}: nothing was logged ({error.strerror or error}); make its folder writable"
        ) from error


def log_comparison(store: Store, parent: Run, files: dict[str, str], figure: "Figure") -> None:
    """Put tables and figure into the parent run, under `comparison/`."""
    with logging_errors(store):
        for name, content in files.items():
            store.client.log_text(parent.info.run_id, content, f"comparison/{name}")
        store.client.log_figure(parent.info.run_id, figure, "comparison/comparison.png")


def log_summary(store: Store, run_id: str, text: str, metrics: dict[str, float]) -> None:
    """Make `text` the description of a parent run, and give it these metrics: MLflow's list shows the result."""
    now = int(1000 * time.time())
    with logging_errors(store):
        store.client.set_tag(run_id, NOTE_TAG, text)
        store.client.log_batch(run_id, [Metric(name, value, now, 0) for name, value in metrics.items()])
