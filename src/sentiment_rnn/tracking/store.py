"""The MLflow store: found or made, once, whoever comes first."""

import errno
import os
import re
import shlex
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import LifecycleStage
from mlflow.exceptions import MlflowException

from sentiment_rnn.config.tracking import TrackingConfig
from sentiment_rnn.errors import UserError
from sentiment_rnn.locks import FileLock
from sentiment_rnn.masking import masked
from sentiment_rnn.tracking.store_errors import (
    NO_SERVER,
    NotRecordedError,
    found_or_none,
    is_missing,
    quick_answers,
    store_errors,
)
from sentiment_rnn.whole_files import whole

DATABASES = ("postgresql", "postgres", "mysql", "mssql", "oracle")
"""Beginnings of addresses that MLflow would take, and leave artifacts in a folder of whichever machine a run is on."""

NOT_IN_ADDRESS = re.compile(r"\?|%[0-9A-Fa-f]{2}")
"""Characters that an address of SQLite would take for something else than a path."""

VIEW = "sweep"
"""Key of the view of MLflow's page that shows the runs of the sweep that was launched last."""

STORAGE_FAULTS = {
    "database or disk is full": "the disk is full",
    os.strerror(errno.ENOSPC): "the disk is full",
    os.strerror(errno.EDQUOT): "the quota is used up",
    os.strerror(errno.EROFS): "it can only be read",
    "readonly database": "it can only be read",
}
"""Messages of SQLite and the system, and their meaning."""


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
        """Whether a server has it, which can be away."""
        return is_server(self.uri)

    @property
    def checkpoints(self) -> Path:
        """Folder of all checkpoints, with a folder for each identity."""
        return self.directory / "checkpoints"


def check_store(config: TrackingConfig, name: str = "tracking.uri") -> None:
    """Raise `UserError` where nothing can be recorded: a database's address, a server that is away or refuses. So is an
    address with a password in it, which Hydra would write into a file, and everybody sees in a list of processes.

    Args:
        name: what the user calls the address.
    """
    uri = store_uri(config)
    if uri.split(":")[0].split("+")[0] in DATABASES:
        raise UserError(
            f"{name}={uri}: a database holds no artifacts, which would be left on whichever machine a run is on; "
            "give the address of an MLflow server before it (make server, or mlflow server --backend-store-uri …)"
        )
    if config.uri and not _database(uri) and masked(uri) != uri:
        raise UserError(
            f"{name}={uri}: an address with a password in it; give the address alone, and the rest in "
            "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or in MLFLOW_TRACKING_TOKEN"
        )
    if is_server(uri):
        with store_errors(uri, config.experiment, "READ", name), quick_answers():
            MlflowClient(uri).search_experiments(max_results=1)


def open_store(
    config: TrackingConfig,
    create: bool = True,
    names: tuple[str, str] = ("tracking.directory", "tracking.uri"),
    checked: bool = False,
    of_experiment: bool = True,
) -> Store:
    """The store that `config` names, with its database and experiment made if they are missing.

    Both are made under a file lock: jobs that meet a missing database or experiment together would crash ("table runs
    already exists", "Experiment already exists").

    Args:
        create: make what is missing; False is for commands that only read.
        checked: `check_store` has been called.
        names: what the user calls the folder and the address, for messages.
        of_experiment: what is read is its experiment's; a run by its id and a registered model belong to all.

    Raises:
        UserError: the folder cannot be written, there is nothing to read, or as `check_store` does.
    """
    directory = Path(config.directory).expanduser().absolute()
    uri = store_uri(config)
    directory_name, uri_name = names
    database = _database(uri)
    named = (uri, uri_name, "address") if config.uri else (config.directory, directory_name, "folder")
    if not create and _is_missing(database):
        raise UserError(f"{named[1]}={named[0]}: no runs there; train first, or give the {named[2]} of a store")
    if not config.uri and (found := NOT_IN_ADDRESS.search(str(directory))):
        raise UserError(
            f"{directory_name}={config.directory}: {found[0]}, of {directory}, cannot be in the address of a database; "
            "choose another folder"
        )
    if not checked:
        check_store(config, uri_name)
    try:
        with store_errors(named[0], config.experiment, "EDIT" if create else "READ", named[1]):
            if not create:
                client = MlflowClient(uri)
                asked = partial(_experiment, client, config, of_experiment)
                experiment_id = asked() if of_experiment else found_or_none(asked)
                if experiment_id is None and of_experiment:
                    raise UserError(f"{uri}: no experiment {config.experiment} there; train first, or name another")
                return Store(client, uri, experiment_id or "", directory, config.experiment)
            directory.mkdir(parents=True, exist_ok=True)
            with FileLock(directory / ".store.lock"):
                if database and _is_missing(database):
                    _make_database(database)
                client = MlflowClient(uri)
                experiment_id = _experiment(client, config) or _made_experiment(client, config, database)
    except OSError as error:
        raise UserError(
            f"{directory_name}={config.directory}: cannot be written ({error.strerror or error}); choose another folder"
        ) from error
    return Store(client, uri, experiment_id, directory, config.experiment)


def check_answers(store: Store) -> None:
    """Raise `NotRecordedError` where what answers at a store's address does not know its experiment: another server, or
    something that says yes to all."""
    try:
        known = store.client.get_experiment(store.experiment_id).experiment_id == store.experiment_id
    except MlflowException as error:
        if not is_missing(error):
            raise
        known = False
    if not known:
        raise NotRecordedError(NO_SERVER)


def is_server(uri: str) -> bool:
    """Whether an address is that of an MLflow server."""
    return uri.startswith(("http://", "https://", "databricks"))


def _database(uri: str) -> Path | None:
    """The file of an SQLite store; None for another store, and for an address with options."""
    path = uri.removeprefix("sqlite:///")
    return None if path in (uri, "", ":memory:") or NOT_IN_ADDRESS.search(path) else Path(path)


def _make_database(database: Path) -> None:
    """Make an SQLite store that a process which is killed leaves as a whole, or not at all.

    MLflow makes its tables in some hundred transactions, and cannot resume ("table … already exists"). In memory these
    take a quarter of the time, since none waits for the disk."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore  # which no server's client needs

    made = SqlAlchemyStore("sqlite://", "mlruns")
    database.parent.mkdir(parents=True, exist_ok=True)
    with whole(database) as partial:
        partial.unlink(missing_ok=True)  # of a process that was killed
        with closing(made.engine.raw_connection()) as memory, closing(sqlite3.connect(partial)) as file:
            memory.driver_connection.backup(file)


def _is_missing(database: Path | None) -> bool:
    """Whether there is no such database yet; an empty file is none."""
    return database is not None and not (database.exists() and database.stat().st_size)


def _experiment(client: MlflowClient, config: TrackingConfig, refuse: bool = True) -> str | None:
    """Id of the experiment, None where it is missing; raises `UserError` where it was deleted, if `refuse`."""
    found = client.get_experiment_by_name(config.experiment)
    if found and found.name != config.experiment:
        raise NotRecordedError(NO_SERVER)
    if refuse and found and found.lifecycle_stage == LifecycleStage.DELETED:
        raise UserError(
            f"tracking.experiment={config.experiment}: deleted in MLflow; give another name, or restore it: mlflow "
            f"experiments restore --experiment-id {found.experiment_id}"
        )
    return None if found is None else str(found.experiment_id)


def _made_experiment(client: MlflowClient, config: TrackingConfig, database: Path | None) -> str:
    """Id of the experiment, made by this process, or by one on another host that came first. Beside an SQLite file lie
    its artifacts; a server knows where its own are."""
    artifacts = (database.parent / "artifacts").absolute().as_uri() if database else None
    try:
        tags = {"mlflow.experimentKind": "custom_model_development"}
        return str(client.create_experiment(config.experiment, artifacts, tags))
    except MlflowException:
        if (found := _experiment(client, config)) is None:
            raise
        return found


def storage_fault(store: Store, error: BaseException) -> UserError | None:
    """The one line for a disk that is full or cannot be written while a run is recorded; None for any other error."""
    cause = error.__cause__ if isinstance(error, UserError) else error
    for found, fault in STORAGE_FAULTS.items():
        if isinstance(cause, MlflowException | OSError) and found in str(cause):
            return UserError(f"{store.directory}: {fault}; mend that; the same command resumes")
    return None


def where_to_look(store: Store) -> str:
    """One line: how to see the runs of a store."""
    if store.remote:
        return f"see the runs: {store.uri}/#/experiments/{store.experiment_id}/runs?viewStateShareKey={VIEW}"
    return f"see the runs: mlflow ui --backend-store-uri {shlex.quote(store.uri)}   (in a checkout: make ui)"


def store_uri(config: TrackingConfig) -> str:
    """`config.uri`, or SQLite in `config.directory`."""
    return config.uri or f"sqlite:///{Path(config.directory).expanduser().absolute() / 'mlflow.db'}"
