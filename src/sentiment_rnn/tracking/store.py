"""Opens the MLflow store, and creates it if it is missing; of several processes, the first creates it."""

import re
import shlex
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mlflow import MlflowClient
from mlflow.entities import LifecycleStage
from mlflow.exceptions import MlflowException

from sentiment_rnn.config.sections import TrackingConfig
from sentiment_rnn.errors import UserError
from sentiment_rnn.files import FileLock, replacement_of
from sentiment_rnn.tracking.store_errors import (
    NO_SERVER,
    NotRecordedError,
    found_or_none,
    quick_answers,
    store_errors,
    until_answered,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NOT_IN_ADDRESS = re.compile(r"\?|%[0-9A-Fa-f]{2}")
"""Characters that have a special meaning in an address of SQLite, and cannot be in a path there."""


VIEW = "sweep"
"""Key of the view on MLflow's page that shows the runs of the last launched sweep."""


@dataclass(frozen=True)
class Store:
    """An MLflow tracking store and the experiment in it."""

    client: MlflowClient
    uri: str
    experiment_id: str
    directory: Path
    """Absolute folder of the default database, its artifacts, and all checkpoints."""
    experiment: str = ""
    """Name of the experiment, for messages."""

    @property
    def remote(self) -> bool:
        """Whether the store is on a server, which can be away."""
        return is_server(self.uri)

    @property
    def checkpoints(self) -> Path:
        """Folder of all checkpoints, with a folder for each identity."""
        return self.directory / "checkpoints"

    def log_files(self, run_id: str, texts: Mapping[str, str], figures: "Mapping[str, Figure]") -> None:
        """Record artifacts of a run, by their names."""
        for name, text in texts.items():
            self.client.log_text(run_id, text, name)
        for name, figure in figures.items():
            self.client.log_figure(run_id, figure, name)


def check_store(config: TrackingConfig, directory_name: str = "tracking.directory", name: str = "tracking.uri") -> None:
    """Raise `UserError` if nothing can be recorded: the address is wrong, or the server is away or refuses. Also
    refuses an address with a password, which Hydra would write into a file, and which lists of processes would show.

    Args:
        directory_name, name: the keys or options of the folder and the address, for messages.
    """
    uri = store_uri(config)
    directory = str(Path(config.directory).expanduser().absolute())
    if not config.uri and (unusable := NOT_IN_ADDRESS.search(directory)):
        raise UserError(
            f"{directory_name}={config.directory}: {unusable[0]}, of {directory}, cannot be in the address of a "
            "database; choose another folder"
        )
    if is_server(uri) and ("@" in urlsplit(uri).netloc or urlsplit(uri).query):
        raise UserError(
            f"{name}: an address with a password in it; give the address alone, and the rest in "
            "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or in MLFLOW_TRACKING_TOKEN"
        )
    if is_server(uri):
        with store_errors(uri, config.experiment, "READ", name), quick_answers():
            MlflowClient(uri).search_experiments(max_results=1)
    elif not (database := _database(uri)) or database.is_dir():  # not shown: it may hold a password
        raise UserError(f"{name}: expected a server, http://HOST:PORT (make server), or a file, sqlite:///FILE")


def open_store(
    config: TrackingConfig,
    names: tuple[str, str] = ("tracking.directory", "tracking.uri"),
    checked: bool = False,
    patience: float = 0,
) -> Store:
    """The store that `config` names, for recording. Its database and experiment are created if they are missing.

    Both are created under a file lock: jobs that create them at the same time would crash ("table runs already exists",
    "Experiment already exists").

    Args:
        names: the keys or options of the folder and the address, for messages.
        checked: whether `check_store` has been called.
        patience: how long to wait for a server that is away [s].

    Raises:
        UserError: the folder cannot be written, or as `check_store` does.
    """
    if not checked:
        check_store(config, *names)
    directory, uri = Path(config.directory).expanduser().absolute(), store_uri(config)
    database = _database(uri)

    def made() -> Store:
        directory.mkdir(parents=True, exist_ok=True)
        with FileLock(directory / ".store.lock"):
            if database and _is_missing(database):
                _make_database(database)
            client = MlflowClient(uri)
            experiment_id = _experiment(client, config.experiment) or _made_experiment(
                client, config.experiment, database
            )
        return Store(client, uri, experiment_id, directory, config.experiment)

    try:
        with store_errors(config.uri or config.directory, config.experiment, "EDIT", names[bool(config.uri)]):
            return until_answered(made, patience)
    except OSError as error:
        raise UserError(
            f"{names[0]}={config.directory}: cannot be written ({error.strerror or error}); choose another folder"
        ) from error


def existing_store(
    config: TrackingConfig,
    names: tuple[str, str] = ("tracking.directory", "tracking.uri"),
    of_experiment: bool = True,
) -> Store:
    """The store that `config` names, for commands that only read.

    Args:
        names: the keys or options of the folder and the address, for messages.
        of_experiment: require the experiment to exist. Runs by id and registered models do not need it.

    Raises:
        UserError: there is nothing to read, or as `check_store` does.
    """
    uri, place = store_uri(config), config.uri or config.directory
    if _is_missing(_database(uri)):
        kind = "address" if config.uri else "folder"
        raise UserError(f"{names[bool(config.uri)]}={place}: no runs there; train first, or give the {kind} of a store")
    check_store(config, *names)
    with store_errors(place, config.experiment, "READ", names[bool(config.uri)]):
        client = MlflowClient(uri)
        experiment_id = found_or_none(lambda: _experiment(client, config.experiment))
    if experiment_id is None and of_experiment:
        raise UserError(
            f"{uri}: no experiment {config.experiment} there, or it was deleted in MLflow; train first, or name another"
        )
    return Store(client, uri, experiment_id or "", Path(config.directory).expanduser().absolute(), config.experiment)


def is_server(uri: str) -> bool:
    """Whether an address is that of an MLflow server."""
    return uri.startswith(("http://", "https://"))


def _database(uri: str) -> Path | None:
    """The file of an SQLite store; None for another store, and for an address with options."""
    path = uri.removeprefix("sqlite:///")
    return None if path in (uri, "", ":memory:") or NOT_IN_ADDRESS.search(path) else Path(path)


def _make_database(database: Path) -> None:
    """Create an SQLite store atomically: if the process is killed, there is none.

    MLflow creates its tables in some hundred transactions, and cannot resume ("table … already exists"). In memory
    these take a quarter of the time, since none waits for the disk."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore  # here, since clients of a server do not need it

    made = SqlAlchemyStore("sqlite://", "mlruns")
    database.parent.mkdir(parents=True, exist_ok=True)
    with replacement_of(database) as partial:
        partial.unlink(missing_ok=True)  # left by a process that was killed
        with closing(made.engine.raw_connection()) as memory, closing(sqlite3.connect(partial)) as file:
            memory.driver_connection.backup(file)


def _is_missing(database: Path | None) -> bool:
    """Whether there is no such database yet; an empty file does not count as one."""
    return database is not None and not (database.exists() and database.stat().st_size)


def _experiment(client: MlflowClient, name: str) -> str | None:
    """Id of the experiment; None if it is missing, or was deleted."""
    experiment = client.get_experiment_by_name(name)
    if experiment and experiment.name != name:
        raise NotRecordedError(NO_SERVER)
    active = experiment and experiment.lifecycle_stage == LifecycleStage.ACTIVE
    return str(experiment.experiment_id) if active else None


def _made_experiment(client: MlflowClient, name: str, database: Path | None) -> str:
    """Id of the experiment, created by this process, or by a faster one on another host. Artifacts are stored beside an
    SQLite file; a server has a place of its own for them."""
    artifacts = (database.parent / "artifacts").absolute().as_uri() if database else None
    try:
        tags = {"mlflow.experimentKind": "custom_model_development"}
        return str(client.create_experiment(name, artifacts, tags))
    except MlflowException as error:
        if (experiment_id := _experiment(client, name)) is not None:
            return experiment_id
        if error.error_code == "RESOURCE_ALREADY_EXISTS":
            raise UserError(
                f"tracking.experiment={name}: deleted in MLflow; give another name, or restore it (mlflow experiments "
                "restore)"
            ) from error
        raise


def where_to_look(store: Store) -> str:
    """One line: how to see the runs of a store."""
    if store.remote:
        return f"see the runs: {store.uri}/#/experiments/{store.experiment_id}/runs?viewStateShareKey={VIEW}"
    return f"see the runs: mlflow ui --backend-store-uri {shlex.quote(store.uri)}   (in a checkout: make ui)"


def store_uri(config: TrackingConfig) -> str:
    """`config.uri`, or SQLite in `config.directory`."""
    return config.uri or f"sqlite:///{Path(config.directory).expanduser().absolute() / 'mlflow.db'}"
