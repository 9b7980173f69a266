"""An evaluation on other texts, recorded as a run under that of the model."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflow.exceptions import MlflowException

from sentiment_rnn import __version__
from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.names import PARENT_TAG, VERSION_TAG
from sentiment_rnn.tracking.publish import Publisher
from sentiment_rnn.tracking.record import RunRecord
from sentiment_rnn.tracking.results import FINISHED, run_or_none
from sentiment_rnn.tracking.store import Store
from sentiment_rnn.tracking.store_errors import short_reason

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def log_evaluation(
    store: Store,
    run_id: str,
    files: Sequence[Path],
    scores: dict[str, float],
    table: str,
    figures: "dict[str, Figure]",
    mistakes: list[dict[str, Any]],
) -> str:
    """Log scores, tables, figures and the surest mistakes; the id of the new run.

    Args:
        run_id: of the model. Where the store does not have it (a model that came from elsewhere), the new run has no
            parent.

    Raises:
        UserError: nothing could be recorded.
    """
    name = ", ".join(path.name for path in files)[:250]
    tags = {"sentiment_rnn.evaluation": name, VERSION_TAG: __version__, "sentiment_rnn.model_run": run_id}
    experiment = store.experiment_id
    try:
        if parent := run_or_none(store, run_id):
            tags[PARENT_TAG], experiment = run_id, parent.info.experiment_id
        if not experiment:
            raise UserError(f"{store.uri}: no experiment {store.experiment} there; nothing was recorded")
        made = store.client.create_run(experiment, run_name=f"evaluate {name}"[:250], tags=tags).info
        record = RunRecord(store, made.run_id)
        record.begin(tags, {"files": name})
        record.log_metrics(scores)
        record.log_text(table, "table.md")
        record.log_pictures(figures, mistakes)
        record.end(FINISHED)
    except (MlflowException, OSError) as error:
        raise UserError(
            f"{store.uri}: nothing was recorded ({short_reason(error)}); --no-log records nothing"
        ) from error
    Publisher(record).finish()
    with contextlib.suppress(OSError):  # where the store lacks something, which `sync` sends
        record.checkpoints.rmdir()
    return record.run_id
