"""Records an evaluation on other texts as a run under the run of the model."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflow.entities import Metric, Param
from mlflow.utils.time import get_current_time_millis

from sentiment_rnn import __version__
from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.names import MISTAKES, PARENT_TAG, VERSION_TAG
from sentiment_rnn.tracking.results import FINISHED, run_or_none
from sentiment_rnn.tracking.store import Store
from sentiment_rnn.tracking.store_errors import STORE_ERRORS, short_reason

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
    """Log scores, tables, figures and the most confident mistakes. Returns the id of the new run.

    Args:
        run_id: the model's run. If the store does not have it (the model came from elsewhere), the new run has no
            parent.

    Raises:
        UserError: nothing could be recorded.
    """
    name = ", ".join(path.name for path in files)[:250]
    tags = {"sentiment_rnn.evaluation": name, VERSION_TAG: __version__, "sentiment_rnn.model_run": run_id}
    experiment = store.experiment_id
    try:
        if parent := run_or_none(store, run_id):
            tags[PARENT_TAG], experiment = run_id, parent.run.info.experiment_id
        if not experiment:
            raise UserError(f"{store.uri}: no experiment {store.experiment} there; nothing was recorded")
        run = store.client.create_run(experiment, run_name=f"evaluate {name}"[:250], tags=tags)
        client, made = store.client, str(run.info.run_id)
        now = get_current_time_millis()
        points = [Metric(key, value, now, 0) for key, value in scores.items()]
        client.log_batch(made, points, [Param("files", name)])
        store.log_files(made, {"table.md": table}, {f"figures/{key}.png": figure for key, figure in figures.items()})
        if mistakes:
            import pandas as pd

            client.log_table(made, pd.DataFrame(mistakes), MISTAKES)
        client.set_terminated(made, FINISHED)
    except (*STORE_ERRORS, OSError) as error:
        raise UserError(
            f"{store.uri}: nothing was recorded ({short_reason(error)}); --no-log records nothing"
        ) from error
    return made
