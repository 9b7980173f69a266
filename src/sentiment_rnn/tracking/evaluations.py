"""An evaluation on other texts, recorded as a run under that of the model."""

import contextlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflow.entities import Metric, Param, RunStatus
from mlflow.exceptions import MlflowException

from sentiment_rnn import __version__
from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.names import PARENT_TAG
from sentiment_rnn.tracking.record import write_pictures_and_mistakes
from sentiment_rnn.tracking.store import Store
from sentiment_rnn.tracking.store_errors import short_reason, store_errors

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
    """
    client = store.client
    name = ", ".join(path.name for path in files)[:250]
    tags = {"sentiment_rnn.evaluation": name, "sentiment_rnn.version": __version__, "sentiment_rnn.model_run": run_id}
    experiment = store.experiment_id
    with contextlib.suppress(MlflowException):
        parent = client.get_run(run_id).info
        tags[PARENT_TAG], experiment = parent.run_id, parent.experiment_id
    try:
        made = client.create_run(experiment, run_name=f"evaluate {name}"[:250], tags=tags).info.run_id
    except MlflowException as error:
        raise UserError(
            f"{store.uri}: nothing was recorded ({short_reason(error)}); --no-log records nothing"
        ) from error
    try:
        metrics = [Metric(key, value, 0, 0) for key, value in scores.items()]
        with (
            store_errors(store.uri, store.experiment, "EDIT", "--tracking-uri"),
            tempfile.TemporaryDirectory() as folder,
        ):
            client.log_batch(made, metrics, [Param("files", name)])
            client.log_text(made, table, "table.md")
            for tag, value in write_pictures_and_mistakes(Path(folder), figures, mistakes).items():
                client.set_tag(made, tag, value)
            client.log_artifacts(made, folder)
            client.set_terminated(made, RunStatus.to_string(RunStatus.FINISHED))
    except BaseException:
        with contextlib.suppress(MlflowException):  # the server is away, as what is raised says
            client.set_terminated(made, RunStatus.to_string(RunStatus.FAILED))
        raise
    return str(made)
