"""What was made of a sweep's runs, logged to its parent run: tables, figures, a summary, a page.

All raise `UserError` where the store refuses, or does not answer.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
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


def log_findings(store: Store, parent: Run, study: str, files: Iterable[Path]) -> None:
    """Put what a study wrote into the parent run, under `study/<its name>`: a sweep can be that of two studies."""
    with logging_errors(store):
        for path in files:
            store.client.log_artifact(parent.info.run_id, str(path), f"study/{study}")


def log_page(store: Store, parent: Run, page: str) -> None:
    """Put the report into the parent run, as `report.html`."""
    with logging_errors(store):
        store.client.log_text(parent.info.run_id, page, "report.html")
