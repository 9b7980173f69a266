"""The finished runs of a sweep read back from MLflow, and their comparison logged to its parent."""

import tempfile
from pathlib import Path
from typing import Any, cast

import numpy as np
import yaml
from matplotlib.figure import Figure
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from omegaconf import OmegaConf

from sentiment_rnn.analysis.comparison import RunResult
from sentiment_rnn.analysis.predictions import Predictions
from sentiment_rnn.checks import UserError
from sentiment_rnn.config import Config, GeneratedConfig, ImdbConfig
from sentiment_rnn.tracking.run import GRADIENTS, PREDICTIONS, curve_of
from sentiment_rnn.tracking.store import Store
from sentiment_rnn.tracking.sweep import SWEEP_TAG

FINISHED = "attributes.status = 'FINISHED'"


def find_sweep(store: Store, sweep: str, finished: bool = False) -> Run:
    """A sweep's parent run, by `latest`, a study's name (its latest sweep) or a run id.

    Args:
        finished: look only at sweeps whose jobs have all gone well.

    Raises:
        UserError: there is none.
    """
    query = f"tags.`{SWEEP_TAG}` LIKE '%'"
    if sweep != "latest":
        try:
            return store.client.get_run(sweep)
        except MlflowException:
            query += f" and tags.`sentiment_rnn.study` = '{sweep.replace(chr(39), '')}'"
    if finished:
        query += f" and {FINISHED}"
    found = store.client.search_runs([store.experiment_id], query, order_by=["start_time DESC"], max_results=1000)
    if not found and finished:
        raise UserError(f"sweep={sweep}: no such sweep has finished in {store.uri}; train it first")
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


def log_findings(store: Store, parent: Run, study: str, texts: dict[str, str], figures: dict[str, Figure]) -> None:
    """Put what a study found into the parent run, under `study/<its name>`: a sweep can be that of two studies."""
    for name, content in texts.items():
        store.client.log_text(parent.info.run_id, content, f"study/{study}/{name}")
    for name, figure in figures.items():
        store.client.log_figure(parent.info.run_id, figure, f"study/{study}/{name}.png")


def runs_of(store: Store, *sweeps: str) -> list[Run]:
    """The runs of the latest finished sweep of each name.

    Raises:
        UserError: there is none, or they do not compare: they have other seeds, or another number of epochs.
    """
    found = {sweep: _children(store, find_sweep(store, sweep, finished=True)) for sweep in sweeps}
    for name in ("seed", "trainer.epochs"):
        values = {sweep: ", ".join(sorted({run.data.params[name] for run in runs})) for sweep, runs in found.items()}
        if len(set(values.values())) > 1:
            differing = "; ".join(f"{value} in {sweep}" for sweep, value in values.items())
            raise UserError(f"{name} differs ({differing}); train these sweeps with the same overrides")
    return [run for runs in found.values() for run in runs]


def _children(store: Store, parent: Run) -> list[Run]:
    query = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}' and {FINISHED}"
    runs = store.client.search_runs([store.experiment_id], query, order_by=["start_time ASC"], max_results=10_000)
    if not runs:
        raise UserError(f"sweep {parent.info.run_name} ({parent.info.run_id}): no finished run to compare")
    return list(runs)


def predictions_of(store: Store, run: Run) -> Predictions:
    """What a run said of the test reviews."""
    with tempfile.TemporaryDirectory() as folder:
        return Predictions.load(Path(store.client.download_artifacts(run.info.run_id, PREDICTIONS, folder)))


def config_of(store: Store, run: Run) -> Config:
    """The configuration that a run recorded."""
    settings = _read_yaml(store, run, "config.yaml", dict)
    schema = OmegaConf.structured(Config)
    schema.data = OmegaConf.structured(ImdbConfig if settings["data"]["name"] == "imdb" else GeneratedConfig)
    return cast(Config, OmegaConf.to_object(OmegaConf.merge(schema, settings)))


def read_results(store: Store, parent: Run) -> list[RunResult]:
    """The finished runs under `parent`; raises `UserError` where there are none."""
    runs = _children(store, parent)
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
    lines = _read_yaml(store, run, "overrides.yaml", list)
    return dict(line.lstrip("+").split("=", 1) for line in lines if "=" in line)


def _read_yaml(store: Store, run: Run, name: str, kind: type) -> Any:
    """The plain values in a run's YAML artifact, a `kind`; raises `UserError` for one that is damaged or names code."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(store.client.download_artifacts(run.info.run_id, name, folder))
        try:
            values = yaml.safe_load(path.read_text(encoding="utf-8"))
            if not isinstance(values, kind):
                raise ValueError(f"expected a {kind.__name__}")
            return values
        except (yaml.YAMLError, ValueError) as error:
            raise UserError(
                f"run {run.info.run_id}: its {name} is damaged ({str(error).splitlines()[0]}); train again"
            ) from error


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
