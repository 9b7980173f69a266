"""Choosing the trained model of a command: `--run`, `--model`."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.cells import cell_len, set_cell_size

from sentiment_rnn.cli.options import StoreOptions
from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.names import CHAMPION, DEFAULT_MODELS

if TYPE_CHECKING:
    from sentiment_rnn.inference.predictor import Predictor
    from sentiment_rnn.tracking.store import Store


def shortened(text: str, width: int) -> str:
    """The text in one line of at most `width` cells. Control characters become spaces: they would move a terminal's
    cursor, or do worse."""
    from sentiment_rnn.data.tokenizer import whole

    readable = "".join(c if c.isprintable() else " " for c in whole(text[: 4 * width]))
    line = " ".join(readable.split())
    if cell_len(line) <= width and len(text) <= 4 * width:
        return line
    return set_cell_size(line, width - 1).rstrip() + "…"


DEFAULTS = tuple(f"{name}@{CHAMPION}" for name in DEFAULT_MODELS.values())
"""Registered models in the order in which they are tried when no model is named."""


@dataclass(frozen=True)
class TrainedModel:
    """A loaded model, and where it came from."""

    predictor: "Predictor"
    store: "Store | None"
    """None if the model is a folder; nothing is recorded then."""
    registered: str = ""
    """Name and alias, or version, of the registered model; empty for a model that a run or a folder gave."""

    @property
    def run(self) -> str:
        """Id of the run that made it."""
        return self.predictor.package.reading.run


@Parameter(name="*")
@dataclass(frozen=True)
class ModelOptions(StoreOptions):
    """Which trained model a command uses."""

    run: str | None = None
    """the model of this MLflow run, or the beginning of its id"""
    model: str | None = None
    """a registered model, sentiment@rnn say, or its folder (default: sentiment@champion, else demo@champion)"""
    imports: Annotated[tuple[str, ...], Parameter(name="--import")] = ()
    """import this first: encoders and tokenizers of your own are loaded only from modules that you name"""


@contextmanager
def open_model(options: ModelOptions) -> Iterator[TrainedModel]:
    """The model that the options name; a downloaded copy is deleted after use. Prints a line on a registered model.

    Raises:
        UserError: there is no such model, or it is damaged.
    """
    from sentiment_rnn import runtime
    from sentiment_rnn.inference.package import read_package
    from sentiment_rnn.inference.predictor import Predictor
    from sentiment_rnn.tracking.models import (
        DATA,
        checked_model,
        fetch_model,
        fetch_run_model,
        is_registered,
        names_folder,
        whole_name,
    )

    run, model = options.run, options.model
    if run is not None and model is not None:
        raise UserError(f"--run={run} --model={model}: two models; give one of them")
    for name in options.imports:
        try:
            import_module(name)
        except (ImportError, TypeError, ValueError) as error:  # TypeError: a relative name; ValueError: an empty one
            raise UserError(f"--import={name}: cannot be imported ({error})") from error
    runtime.prepare(runtime.cores())
    with tempfile.TemporaryDirectory() as temporary:
        store = None if model and names_folder(model) else options.open(of_experiment=False)
        registered = ""
        if store is None:
            folder = checked_model(Path(str(model)).expanduser())
        elif run is not None:  # --run= with nothing behind it is an error, and does not mean the default model
            folder = fetch_run_model(store, run, Path(temporary))
        else:
            if model is None:
                model = next((name for name in DEFAULTS if is_registered(store, name)), DEFAULTS[0])
            folder = fetch_model(store, model, Path(temporary))
            registered = whole_name(model)
        opened = TrainedModel(Predictor(read_package(folder / DATA)), store, registered)
        if registered:
            print(introduced(opened), file=sys.stderr, flush=True)
        yield opened


def introduced(model: TrainedModel) -> str:
    """One line on a registered model: its encoder, what it was trained on, and how good it was on validation."""
    from sentiment_rnn.tracking.results import run_or_none

    package = model.predictor.package
    run = run_or_none(model.store, model.run) if model.store else None
    data = package.reading.data
    facts = [package.name, f"trained on data={data}" if data else "", run.score if run else ""]
    return shortened(f"{model.registered}: {', '.join(filter(None, facts))}", 200)
