"""Runs in the store of a folder."""

from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run

from sentiment_rnn.tracking.names import PARENT_TAG


def runs_in(folder: Path) -> tuple[MlflowClient, list[Run]]:
    """The store under `folder`, and all its runs, the newest first."""
    client = MlflowClient(f"sqlite:///{folder}/runs/mlflow.db")
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return client, list(client.search_runs(experiments, order_by=["start_time DESC"]))


def sweep_in(folder: Path) -> tuple[list[Run], list[Run]]:
    """Parents, and runs of their jobs, in the store under `folder`, the newest first."""
    runs = runs_in(folder)[1]
    jobs = [run for run in runs if PARENT_TAG in run.data.tags]
    return [run for run in runs if run not in jobs], jobs


MEASURED = ("train/epoch_seconds", "train/tokens_per_second", "memory/peak_bytes", "system/")
"""Beginnings of metrics that no two runs share."""


def rows(client: MlflowClient, run: Run) -> list[tuple[str, int, float]]:
    """Name, step and value of all that a run logged, but for time and memory."""
    return sorted(
        (name, point.step, point.value)
        for name in run.data.metrics
        if not name.startswith(MEASURED)
        for point in client.get_metric_history(run.info.run_id, name)
    )


def last_run(folder: Path) -> tuple[MlflowClient, Run]:
    """The store under `folder`, and its newest run."""
    client, runs = runs_in(folder)
    return client, runs[0]
