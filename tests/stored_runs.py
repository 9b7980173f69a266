"""Runs in the store of a folder."""

from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run


def runs_in(folder: Path) -> tuple[MlflowClient, list[Run]]:
    """The store under `folder`, and all its runs, the newest first."""
    client = MlflowClient(f"sqlite:///{folder}/runs/mlflow.db")
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return client, list(client.search_runs(experiments, order_by=["start_time DESC"]))


def last_run(folder: Path) -> tuple[MlflowClient, Run]:
    """The store under `folder`, and its newest run."""
    client, runs = runs_in(folder)
    return client, runs[0]
