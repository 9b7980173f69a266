"""What is read back of sweeps."""

from typing import Any

import pytest
from mlflow import MlflowClient

from sentiment_rnn.checks import UserError
from sentiment_rnn.tracking.results import runs_of
from sentiment_rnn.tracking.store import Store
from sentiment_rnn.tracking.sweep import SWEEP_TAG


def add_sweep(client: MlflowClient, experiment: str, name: str, runs: list[dict[str, Any]]) -> None:
    """A finished sweep with a run for each of these parameters."""
    parent = client.create_run(experiment, tags={SWEEP_TAG: "a digest", "sentiment_rnn.study": name}).info.run_id
    for parameters in runs:
        child = client.create_run(experiment, tags={"mlflow.parentRunId": parent}).info.run_id
        for key, value in parameters.items():
            client.log_param(child, key, value)
        client.set_terminated(child)
    client.set_terminated(parent)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Four sweeps: two alike, one of other seeds, one of more epochs."""
    folder = tmp_path_factory.mktemp("store")
    uri = f"sqlite:///{folder}/mlflow.db"
    client = MlflowClient(uri)
    experiment = client.create_experiment("mine", artifact_location=folder.as_uri())
    for name, seeds, epochs in (("plain", 3, 3), ("deep", 3, 3), ("single", 1, 3), ("long", 3, 5)):
        add_sweep(client, experiment, name, [{"seed": seed, "trainer.epochs": epochs} for seed in range(seeds)])
    return Store(client, uri, experiment, folder)


def test_sweeps_that_were_trained_alike_are_read_together(store: Store) -> None:
    assert [run.data.params["seed"] for run in runs_of(store, "plain", "deep")] == ["0", "1", "2"] * 2


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ("single", "seed differs (0, 1, 2 in plain; 0 in single)"),
        ("long", "trainer.epochs differs (3 in plain; 5 in long)"),
        ("missing", "sweep=missing: no such sweep has finished"),
    ],
)
def test_sweeps_that_do_not_compare_are_one_line(store: Store, other: str, said: str) -> None:
    with pytest.raises(UserError) as refused:
        runs_of(store, "plain", other)
    assert said in str(refused.value)
