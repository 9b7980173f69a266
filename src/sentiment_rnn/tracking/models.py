"""Packaged models in MLflow: logged by a run, registered by name, found again."""

import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import pandas as pd
import yaml
from mlflow.artifacts import download_artifacts
from mlflow.entities import LoggedModelOutput, Run
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.models.signature import ModelSignature
from mlflow.types import ColSpec, Schema

from sentiment_rnn import __version__
from sentiment_rnn.checks import UserError
from sentiment_rnn.tracking.store import Store

NAME = "sentiment"
"""The registered model."""
CHAMPION = "champion"
"""Alias of the version that is used where no other is asked for."""
LOADER = "sentiment_rnn.inference.pyfunc"
"""What MLflow imports to load the model: the code is in the package, none is in the model."""
PACKAGE = "package"
DATA = f"data/{PACKAGE}"
"""Where the files of `inference.package` lie in it."""
EXAMPLE = ["a wonderful film , warm and funny", "dull , and far too long"]
SIGNATURE = ModelSignature(
    inputs=Schema([ColSpec("string", "text")]),
    outputs=Schema(
        [
            ColSpec("string", "label", required=False),
            ColSpec("double", "probability", required=False),
            ColSpec("long", "known_tokens"),
            ColSpec("long", "unknown_tokens"),
        ]
    ),
)


def log_model(store: Store, run_id: str, package: Path, tags: dict[str, str]) -> None:
    """Log the packaged model in folder `package`, which is called `PACKAGE`, as a run's MLflow model."""
    client = store.client
    logged = client.create_logged_model(store.experiment_id, NAME, run_id, tags, model_type="text-classification")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model")
        save_model(path, package, Model(run_id=run_id, model_id=logged.model_id))
        client.log_model_artifacts(logged.model_id, str(path))
    client.finalize_logged_model(logged.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, 0)])


def save_model(path: Path, package: Path, described: Model) -> None:
    """Write an MLflow model whose data are the files of `package`, and nothing in which can run."""
    needed = ("torch", "torchtext", "safetensors", "lightning", "pandas", "mlflow")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of MLflow's about its own deprecations
        mlflow.pyfunc.save_model(
            path,
            loader_module=LOADER,
            data_path=str(package),
            mlflow_model=described,
            signature=SIGNATURE,
            input_example=pd.DataFrame({"text": EXAMPLE}),
            pip_requirements=[f"{name}=={version(name)}" for name in needed],
            metadata={"package": "sentiment_rnn", "version": __version__},
        )


def model_of(run: Run) -> str | None:
    """Id of the model that a run logged; None for a run that was made before models were packaged."""
    outputs = run.outputs.model_outputs if run.outputs else []
    return outputs[-1].model_id if outputs else None


def register(store: Store, best: dict[str, Run]) -> dict[str, str]:
    """Move aliases of the registered model `sentiment` to the models of these runs; the version of each alias.

    A model that is registered already keeps its version. Aliases that an earlier sweep gave to encoders which this one
    does not have are taken back, so that all of them are of one sweep; aliases of a user's own stay.

    Args:
        best: a run by alias; one without a packaged model is passed over.
    """
    client = store.client
    try:
        before = client.get_registered_model(NAME).aliases
    except MlflowException:
        before = client.create_registered_model(NAME, description="Probability that a film review is positive.").aliases
    versions = {alias: version for alias, run in best.items() if (version := _version_of(store, run))}
    if not versions:
        return {}
    for alias, version in versions.items():
        client.set_registered_model_alias(NAME, alias, version)
    for alias, number in before.items():
        if alias not in versions and client.get_model_version(NAME, number).tags.get("encoder") == alias:
            client.delete_registered_model_alias(NAME, alias)
    return versions


def _version_of(store: Store, run: Run) -> str | None:
    client = store.client
    model_id = model_of(run)
    if model_id is None:
        return None
    known = [v for v in client.search_model_versions(f"name = '{NAME}'") if v.run_id == run.info.run_id]
    # Not models:/<id>: MLflow's SQL store would look for it in whatever store this process has as its default.
    source = client.get_logged_model(model_id).artifact_location
    tags = {"encoder": run.data.tags["encoder"]}
    made = known[0] if known else client.create_model_version(NAME, source, run.info.run_id, tags, model_id=model_id)
    return str(made.version)


def fetch_run_model(store: Store, run_id: str, folder: Path) -> Path:
    """Download into `folder` the model that a run logged; raises `UserError` where there is none."""
    try:
        run = store.client.get_run(run_id)
    except MlflowException as error:
        raise UserError(f"run={run_id}: no such run in {store.uri}") from error
    model_id = model_of(run)
    if model_id is None:
        raise UserError(f"run={run_id}: it has no packaged model; a run that finished under version 0.3 or later has")
    return _download(store, store.client.get_logged_model(model_id).artifact_location, folder)


def fetch_model(store: Store, name: str, folder: Path) -> Path:
    """Download into `folder` a registered model, `sentiment@champion` or `sentiment/3`, with `models:/` or without.

    Raises:
        UserError: there is none, or it would run code of its own.
    """
    # Asked for step by step: MLflow's own models:/ addresses look into the process's default store.
    registered, _, alias = name.removeprefix("models:/").partition("@")
    registered, _, number = registered.partition("/")
    try:
        found = store.client.get_model_version_by_alias(registered, alias).version if alias else number
        location = store.client.get_model_version_download_uri(registered, found)
    except MlflowException as error:
        raise UserError(
            f"model={name}: not in {store.uri}; compare registers a sweep's best (make demo), or give --run=ID"
        ) from error
    return _download(store, location, folder)


def _download(store: Store, location: str, folder: Path) -> Path:
    try:
        return checked_model(Path(download_artifacts(location, dst_path=str(folder), tracking_uri=store.uri)))
    except (MlflowException, OSError) as error:
        raise UserError(f"{location}: the model is gone ({str(error).splitlines()[0]}); train again") from error


def checked_model(path: Path) -> Path:
    """The folder itself, where it is a model of ours: MLflow would import whatever module another one names."""
    try:
        described = yaml.safe_load((path / "MLmodel").read_text(encoding="utf-8"))
        flavors: dict[str, Any] = described["flavors"]
        flavor = dict(flavors["python_function"])
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        raise UserError(f"{path}: no MLflow model of this project ({type(error).__name__})") from error
    for key, expected in {"loader_module": LOADER, "data": DATA, "code": None}.items():
        if flavor.get(key) != expected:
            raise UserError(
                f"{path}: its {key} is {flavor.get(key)}, and that of this project's models {expected}; not loaded"
            )
    if set(flavors) != {"python_function"}:
        raise UserError(f"{path}: it has flavors {', '.join(flavors)}; this project's models have one; not loaded")
    return path
