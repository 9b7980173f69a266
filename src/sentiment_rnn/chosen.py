"""Which trained model a command uses: `--run`, `--model`, `--store`."""

import argparse
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from sentiment_rnn import runtime
from sentiment_rnn.checks import UserError
from sentiment_rnn.config import TrackingConfig
from sentiment_rnn.inference.package import read_package
from sentiment_rnn.inference.predictor import Predictor
from sentiment_rnn.tracking.models import CHAMPION, DATA, NAME, checked_model, fetch_model, fetch_run_model
from sentiment_rnn.tracking.store import Store, open_store


@dataclass(frozen=True)
class Chosen:
    """A model at work, and where it came from."""

    predictor: Predictor
    folder: Path
    """The MLflow model, on this machine."""
    store: Store | None
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
        help=f"a registered model, such as {NAME}@{CHAMPION} (the default) or {NAME}@rnn, or a folder that holds one",
    )
    parser.add_argument(
        "--import", dest="imports", metavar="MODULE", action="append", default=[],
        help="import this first: an encoder of your own is loaded from modules that you name alone",
    )  # fmt: skip
    parser.add_argument("--store", metavar="FOLDER", default="runs", help="where the runs are (default: %(default)s)")
    parser.add_argument(
        "--tracking-uri",
        metavar="URI",
        default=os.environ.get("MLFLOW_TRACKING_URI"),
        help="an MLflow server instead (default: MLFLOW_TRACKING_URI)",
    )


@contextmanager
def chosen(arguments: argparse.Namespace, run: str | None = None, model: str | None = None) -> Iterator[Chosen]:
    """The model that the options name, downloaded for as long as it is used.

    Args:
        run, model: instead of `--run` and `--model`.

    Raises:
        UserError: there is none, or it is not what it should be.
    """
    run, model = (run, model) if run or model else (arguments.run, arguments.model)
    if run and model:
        raise UserError(f"--run={run} --model={model}: two models; give one of them")
    for name in arguments.imports:
        try:
            import_module(name)
        except ImportError as error:
            raise UserError(f"--import={name}: cannot be imported ({error})") from error
    runtime.prepare(runtime.cores())
    with tempfile.TemporaryDirectory() as temporary:
        store = None if model and Path(model).is_dir() else _store(arguments)
        if store is None:
            folder = checked_model(Path(str(model)))
        elif run:
            folder = fetch_run_model(store, run, Path(temporary))
        else:
            folder = fetch_model(store, model or f"{NAME}@{CHAMPION}", Path(temporary))
        yield Chosen(Predictor(read_package(folder / DATA)), folder, store)


def _store(arguments: argparse.Namespace) -> Store:
    config = TrackingConfig(
        uri=arguments.tracking_uri,
        directory=arguments.store,
        experiment="sentiment_rnn",
        system_metrics=False,
        repeat=True,
    )
    return open_store(config, create=False, names=("--store", "--tracking-uri"))
