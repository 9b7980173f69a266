"""The finished runs of a sweep read back from MLflow, and their comparison logged to its parent."""

import tempfile
from pathlib import Path

import numpy as np
import yaml
from matplotlib.figure import Figure
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from sentiment_rnn.analysis.comparison import RunResult
from sentiment_rnn.analysis.predictions import Predictions
from sentiment_rnn.config import UserError
from sentiment_rnn.tracking.run import GRADIENTS, PREDICTIONS, curve_of
from sentiment_rnn.tracking.store import Store
from sentiment_rnn.tracking.sweep import SWEEP_TAG

FINISHED = "attributes.status = 'FINISHED'"


def find_sweep(store: Store, sweep: str) -> Run:
    """A sweep's parent run, by `latest`, a study's name (its latest sweep) or a run id.

    Raises:
        UserError: there is none.
    """
    query = f"tags.`{SWEEP_TAG}` LIKE '%'"
    if sweep != "latest":
        try:
            return store.client.get_run(sweep)
        except MlflowException:
            query += f" and tags.`sentiment_rnn.study` = '{sweep.replace(chr(39), '')}'"
    found = store.client.search_runs([store.experiment_id], query, order_by=["start_time DESC"], max_results=1000)
    if not found:
        raise UserError(
            f"sweep={sweep}: no such sweep in {store.uri}; expected latest, a study's name or a parent run's id, "
            "after e.g. python -m sentiment_rnn.train experiment=demo"
        )
    # The last that was worked on: a sweep that is taken up keeps its start, and has no end while it runs.
    return max(found, key=lambda run: run.info.end_time or float("inf"))


def log_comparison(store: Store, parent: Run, files: dict[str, str], figure: Figure) -> None:
    """Put tables and figure into the parent run, under `comparison/`."""
    for name, content in files.items():
        store.client.log_text(parent.info.run_id, content, f"comparison/{name}")
    store.client.log_figure(parent.info.run_id, figure, "comparison/comparison.png")


def read_results(store: Store, parent: Run) -> list[RunResult]:
    """The finished runs under `parent`; raises `UserError` where there are none."""
    query = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}' and {FINISHED}"
    runs = store.client.search_runs([store.experiment_id], query, order_by=["start_time ASC"], max_results=10_000)
    if not runs:
        raise UserError(f"sweep {parent.info.run_name} ({parent.info.run_id}): no finished run to compare")
    overrides = {run.info.run_id: _overrides(store, run) for run in runs}
    varied = {
        key
        for chosen in overrides.values()
        for key in chosen
        if len({other.get(key) for other in overrides.values()}) > 1 and key not in ("seed", "encoder")
    }
    with tempfile.TemporaryDirectory() as folder:
        return [_read(store, run, overrides[run.info.run_id], sorted(varied), Path(folder)) for run in runs]


def _overrides(store: Store, run: Run) -> dict[str, str]:
    path = store.client.download_artifacts(run.info.run_id, "overrides.yaml")
    lines = yaml.safe_load(Path(path).read_text()) or []
    return dict(line.lstrip("+").split("=", 1) for line in lines if "=" in line)


def _read(store: Store, run: Run, overrides: dict[str, str], varied: list[str], folder: Path) -> RunResult:
    run_id, parameters = run.info.run_id, run.data.params
    local = folder / run_id
    local.mkdir()
    predictions = store.client.download_artifacts(run_id, PREDICTIONS, str(local))
    gradients = store.client.download_artifacts(run_id, GRADIENTS, str(local))
    settings = (f"{key.split('.')[-1]}={overrides[key]}" for key in varied if key in overrides)
    parts = [parameters["encoder.name"], *settings]
    return RunResult(
        run_id=run_id,
        arm=", ".join(parts),
        pooling=parameters["pooling.name"],
        learning_rate=float(parameters["optimizer.learning_rate"]),
        seed=int(parameters["seed"]),
        metrics={name: float(value) for name, value in run.data.metrics.items()},
        validation=np.array(curve_of(store, run_id, "val/accuracy")[1]),
        predictions=Predictions.load(Path(predictions)),
        gradients=np.loadtxt(gradients, delimiter=",", skiprows=1, ndmin=2).T,
    )
