"""Which trained model a command uses: `--run`, `--model`, `--store`."""

import argparse
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from sentiment_rnn.environment import libraries_are_loaded
from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.names import CHAMPION

if TYPE_CHECKING:  # torch and MLflow take seconds to load, and `--help` needs neither
    from sentiment_rnn.inference.predictor import Predictor
    from sentiment_rnn.tracking.store import Store

DEFAULT_NAME = "sentiment"
"""Of the registered model, where the configuration gives no other (`tracking.model`)."""


@dataclass(frozen=True)
class TrainedModel:
    """A model at work, and where it came from."""

    predictor: "Predictor"
    folder: Path
    """The MLflow model, on this machine."""
    store: "Store | None"
    """None where the model is a folder, and nothing is recorded."""

    @property
    def run(self) -> str:
        """Id of the run that made it."""
        return self.predictor.package.reading.run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of every command that uses a trained model."""
    parser.add_argument("--run", metavar="ID", help="the model of this MLflow run")
    parser.add_argument(
        "--model",
        metavar="NAME",
        help=f"a registered model, {DEFAULT_NAME}@{CHAMPION} by default, {DEFAULT_NAME}@rnn say, or its folder",
    )
    parser.add_argument(
        "--import", dest="imports", metavar="MODULE", action="append", default=[],
        help="import this first: encoders and tokenizers of your own are loaded only from modules that you name",
    )  # fmt: skip
    parser.add_argument("--store", metavar="FOLDER", default="runs", help="where the runs are (default: %(default)s)")
    parser.add_argument(
        "--experiment", metavar="NAME", default="sentiment_rnn",
        help="the MLflow experiment of the runs, tracking.experiment (default: %(default)s)",
    )  # fmt: skip
    add_tracking_uri(parser, "an MLflow server instead (default: MLFLOW_TRACKING_URI)")


def add_tracking_uri(parser: argparse.ArgumentParser, meaning: str) -> None:
    """The option of the commands that take no configuration; `tracking.uri` is that of the others."""
    default = os.environ.get("MLFLOW_TRACKING_URI")
    parser.add_argument("--tracking-uri", metavar="URI", default=default, help=meaning)


@contextmanager
def open_model(
    arguments: argparse.Namespace, run: str | None = None, model: str | None = None
) -> Iterator[TrainedModel]:
    """The model that the options name, downloaded for as long as it is used.

    Args:
        run, model: instead of `--run` and `--model`.

    Raises:
        UserError: there is none, or it is not what it should be.
    """
    from sentiment_rnn import runtime
    from sentiment_rnn.cli.run_model import make_missing_model
    from sentiment_rnn.inference.package import read_package
    from sentiment_rnn.inference.predictor import Predictor
    from sentiment_rnn.tracking.models import DATA, checked_model, fetch_model, fetch_run_model

    run, model = (run, model) if run or model else (arguments.run, arguments.model)
    if run and model:
        raise UserError(f"--run={run} --model={model}: two models; give one of them")
    for name in arguments.imports:
        try:
            import_module(name)
        except (ImportError, TypeError, ValueError) as error:  # the latter two of a relative or an empty name
            raise UserError(f"--import={name}: cannot be imported ({error})") from error
    runtime.prepare(runtime.cores())
    with tempfile.TemporaryDirectory() as temporary:
        store = None if model and Path(model).is_dir() else _store(arguments)
        if store is None:
            folder = checked_model(Path(str(model)))
        elif run:
            make_missing_model(store, run)
            folder = fetch_run_model(store, run, Path(temporary))
        else:
            folder = fetch_model(store, model or f"{DEFAULT_NAME}@{CHAMPION}", Path(temporary))
        predictor = Predictor(read_package(folder / DATA))
        libraries_are_loaded()
        yield TrainedModel(predictor, folder, store)


def _store(arguments: argparse.Namespace) -> "Store":
    from sentiment_rnn.config.tracking import TrackingConfig
    from sentiment_rnn.tracking.store import open_store

    config = TrackingConfig(
        uri=arguments.tracking_uri,
        directory=arguments.store,
        experiment=arguments.experiment,
        system_metrics=False,
        repeat=True,
    )
    return open_store(config, create=False, names=("--store", "--tracking-uri"))
