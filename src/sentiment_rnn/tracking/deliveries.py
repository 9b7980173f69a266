"""How each kind of entry reaches the store. Delivering one twice leaves what delivering it once does."""

from pathlib import Path

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, RunTag
from mlflow.exceptions import MlflowException, RestException

from sentiment_rnn.tracking.journal import Entry
from sentiment_rnn.tracking.models import log_model
from sentiment_rnn.tracking.results import is_finished
from sentiment_rnn.tracking.store import Store


def deliver(store: Store, run_id: str, entry: Entry, path: Path | None) -> None:
    """Write an entry of a run to its store.

    A metric that arrives again has the key, the step, the time and the value of the one that is there. That is the
    primary key of MLflow's SQL stores, so they keep one. Tags and files are replaced by themselves. A finished run
    stays so: another machine may have finished it while the end of an interrupted process was unsent.

    Args:
        path: the file or the folder that goes with the entry.
    """
    client = store.client
    kind = entry["kind"]
    if kind == "metrics":
        client.log_batch(run_id, [Metric(key, value, time, step) for key, value, time, step in entry["metrics"]])
    elif kind == "tags":
        client.log_batch(run_id, tags=[RunTag(key, value) for key, value in entry["tags"].items()])
    elif kind == "artifact" and path:
        (client.log_artifacts if path.is_dir() else client.log_artifact)(run_id, str(path), entry["folder"])
    elif kind == "dataset":
        given = InputTag("mlflow.data.context", entry["context"])
        client.log_inputs(run_id, [DatasetInput(Dataset(**entry["dataset"]), [given])])
    elif kind == "model" and path:
        log_model(store, run_id, path, entry["tags"])
    elif kind == "end":
        if not is_finished(client.get_run(run_id)):
            client.set_terminated(run_id, entry["status"], entry["time"])
    else:
        raise ValueError(f"{kind}: no such entry")


def is_refusal(error: Exception) -> bool:
    """Whether the store has said that it will never take an entry, a metric with an impossible name say.

    A wrong password or a missing permission is none: they can be mended while the entry waits.
    """
    if isinstance(error, RestException):
        return error.get_http_status_code() in (400, 404, 409, 413)
    if isinstance(error, MlflowException):
        return error.error_code in ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST")
    return not isinstance(error, OSError)  # a mistake of ours, which no time mends
