"""Packaged models in MLflow: logging them, registering them by name, and fetching them."""

import tempfile
import warnings
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml
from mlflow.artifacts import download_artifacts
from mlflow.entities import LoggedModelOutput, Run
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.models.signature import ModelSignature
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.types import ColSpec, Schema

from sentiment_rnn import __version__
from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.names import CHAMPION, ENCODER_TAG
from sentiment_rnn.tracking.results import run_or_none
from sentiment_rnn.tracking.store import Store
from sentiment_rnn.tracking.store_errors import found_or_none, is_missing

HOW_TO_SERVE = (
    "Install sentiment_rnn (a wheel of its repository) beside mlflow, then: "
    "mlflow models serve --env-manager local --model-uri <this model>"
)
"""Note in a model's metadata, since sentiment_rnn is on no package index and MLflow cannot install it."""
LOADER = "sentiment_rnn.inference.pyfunc"
"""Module that MLflow imports to load the model. The code is in this package; the model contains none."""
NO_MODEL = (
    "it has no packaged model; trials, textbook tasks, runs with tracking.record=results and runs that have not "
    "finished have none"
)
AT_ONCE = 16
"""How many files are sent at the same time."""
PACKAGE = "package"
LOGGED_NAME = "sentiment"
"""Name of the MLflow model that a run logs; it may be registered under another name."""
DATA = f"data/{PACKAGE}"
"""Folder in the MLflow model with the files of `inference.package`."""
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


def log_model(store: Store, run: Run, package: Path, tags: Mapping[str, str]) -> None:
    """Log the packaged model in the folder `package`, whose name is `PACKAGE`, as a run's MLflow model."""
    client, run_id = store.client, run.info.run_id
    logged = client.create_logged_model(
        run.info.experiment_id, LOGGED_NAME, run_id, dict(tags), model_type="text-classification"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model")
        save_model(path, package, Model(run_id=run_id, model_id=logged.model_id))
        for fault in filter(None, send_files(logged.artifact_location, store.uri, path).values()):
            raise fault
    client.finalize_logged_model(logged.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, 0)])


def send_files(address: str, uri: str, folder: Path) -> dict[Path, Exception | None]:
    """Send all files in a folder, several at a time, with their paths in it. Returns the error for each file, or None.

    MLflow's client would send one file after the other.

    Args:
        address: address of the artifacts of a run or a model.
        uri: address of the store.
    """
    repository = get_artifact_repository(address, tracking_uri=uri)

    def send(path: Path) -> Exception | None:
        place = path.parent.relative_to(folder).as_posix()
        try:
            repository.log_artifact(str(path), None if place == "." else place)
        except Exception as error:  # any service may keep the files
            return error
        return None

    paths = [path for path in folder.rglob("*") if path.is_file()]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(paths, pool.map(send, paths), strict=True))


def save_model(path: Path, package: Path, described: Model) -> None:
    """Write an MLflow model whose data are the files of `package`; it contains nothing that can run."""
    import mlflow.pyfunc  # here, since neither a run's start nor `predict` needs it
    import pandas as pd

    # This package is not listed: it is on no package index, where somebody else could take its name.
    needed = ("torch", "torchtext", "safetensors", "lightning", "torchmetrics", "pandas", "mlflow", "hydra-core")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow warns of its own deprecations
        mlflow.pyfunc.save_model(
            path,
            loader_module=LOADER,
            data_path=str(package),
            mlflow_model=described,
            signature=SIGNATURE,
            input_example=pd.DataFrame({"text": EXAMPLE}),
            pip_requirements=[f"{name}=={version(name)}" for name in needed],
            metadata={"package": "sentiment_rnn", "version": __version__, "serve": HOW_TO_SERVE},
        )


def model_of(run: Run) -> str | None:
    """Id of the model that a run logged; None for a run that was made before models were packaged."""
    outputs = run.outputs.model_outputs if run.outputs else []
    return outputs[-1].model_id if outputs else None


def check_name(name: str) -> None:
    """Raise `UserError` for the name of a registered model that MLflow, or the address of a model, does not allow."""
    if not name.strip() or set("/:.%\"'@") & set(name):
        raise UserError(f"--model {name}: no name for a registered model; use letters, digits, spaces, - and _")


def register(store: Store, name: str, alias: str, run_id: str) -> str | None:
    """Move an alias of the registered model `name` to the model of a run.

    Returns:
        The model's version, which stays the same if it is already registered; None if the run has no packaged model.
    """
    client, run = store.client, store.client.get_run(run_id)
    model_id = model_of(run)
    if model_id is None:
        return None
    if not found_or_none(lambda: client.get_registered_model(name)):
        client.create_registered_model(name, description="Probability that a text is positive.")
    version = next(iter(client.search_model_versions(f"name = '{name}' and run_id = '{run_id}'")), None)
    if version is None:
        # Not models:/<id>, which MLflow's SQL store would look up in the default store of this process.
        source = client.get_logged_model(model_id).artifact_location
        tags = {ENCODER_TAG: run.data.tags[ENCODER_TAG]}
        version = client.create_model_version(name, source, run_id, tags, model_id=model_id)
    client.set_registered_model_alias(name, alias, version.version)
    return str(version.version)


def fetch_run_model(store: Store, run_id: str, folder: Path) -> Path:
    """Download the model that a run logged into `folder`, by the beginning of the run's id; raises `UserError` if there
    is none."""
    run = run_or_none(store, run_id)
    if run is None:
        raise UserError(f"run={run_id}: no such run in {store.uri}, or none that this user may read")
    model_id = model_of(run.run)
    if model_id is None:
        raise UserError(f"run={run_id}: {NO_MODEL}")
    return _download(store, store.client.get_logged_model(model_id).artifact_location, folder)


def whole_name(name: str) -> str:
    """The full name, `sentiment@champion` or `sentiment/3`, of a registered model that a user calls `sentiment` or
    `models:/sentiment/3`."""
    bare = name.removeprefix("models:/")
    return bare if "@" in bare or "/" in bare else f"{bare}@{CHAMPION}"


def is_registered(store: Store, name: str) -> bool:
    """Whether there is such a model, as in `sentiment@champion`, and this user may read it."""
    return found_or_none(lambda: _location(store, name)) is not None


def _location(store: Store, name: str) -> str:
    # Resolved step by step, since MLflow would look up models:/ addresses in the default store of this process.
    registered, _, alias = whole_name(name).partition("@")
    registered, _, number = registered.partition("/")
    version = store.client.get_model_version_by_alias(registered, alias).version if alias else number
    return str(store.client.get_model_version_download_uri(registered, version))


def fetch_model(store: Store, name: str, folder: Path) -> Path:
    """Download a registered model into `folder`, by a name that `whole_name` understands.

    Raises:
        UserError: there is no such model, or it would run code of its own.
    """
    location = found_or_none(lambda: _location(store, name))
    if location is None:
        raise UserError(
            f"model={name}: not in {store.uri}, or none that this user may read; compare --register registers "
            "a sweep's best, or give --model=NAME or --run=ID"
        )
    return _download(store, location, folder)


def _download(store: Store, location: str, folder: Path) -> Path:
    try:
        return checked_model(Path(download_artifacts(location, dst_path=str(folder), tracking_uri=store.uri)))
    except (MlflowException, OSError) as error:
        if not is_missing(error):
            raise
        raise UserError(f"{location}: the model is gone ({str(error).splitlines()[0]}); train again") from error


def names_folder(given: str) -> bool:
    """Whether the name of a model means a folder, and not a registered model that has the same name as a folder
    here."""
    path = Path(given).expanduser()
    return (path / "MLmodel").is_file() or (path.name != given and path.is_dir())


def checked_model(path: Path) -> Path:
    """The folder, after a check that it has a model of this project: MLflow would import any module that it names."""
    try:
        described = yaml.safe_load((path / "MLmodel").read_text(encoding="utf-8"))
        flavors: dict[str, Any] = described["flavors"]
        flavor = dict(flavors["python_function"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError, yaml.YAMLError) as error:
        raise UserError(f"{path}: no MLflow model of this project ({type(error).__name__})") from error
    ours = {"loader_module": LOADER, "data": DATA, "code": None}
    if set(flavors) != {"python_function"} or {key: flavor.get(key) for key in ours} != ours:
        raise UserError(f"{path}: its MLmodel names code or data that this project's models do not; not loaded")
    return path
