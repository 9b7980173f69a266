"""The flags that the commands share which read runs."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from sentiment_rnn.environment import libraries_are_loaded

if TYPE_CHECKING:  # MLflow takes seconds to load, and `--help` needs none of it
    from sentiment_rnn.tracking.store import Store


def new_parser(name: str, meaning: str | None) -> argparse.ArgumentParser:
    """The parser of a command that reads runs, with flags for the place of the runs.

    Args:
        meaning: purpose of the command, with examples.
    """
    parser = argparse.ArgumentParser(
        prog=f"sentiment-rnn {name}", description=meaning, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--store", metavar="FOLDER", default="runs", help="where the runs are (default: %(default)s)")
    parser.add_argument(
        "--tracking-uri", metavar="URI", default=os.environ.get("MLFLOW_TRACKING_URI"),
        help="an MLflow server instead (default: MLFLOW_TRACKING_URI)",
    )  # fmt: skip
    return parser


def path(given: str) -> Path:
    """A type of option: a path, in which a shell may have left ~, as in `--output=~/results`."""
    return Path(os.path.expanduser(given))  # noqa: PTH111  # which leaves a user whom nobody knows


def add_experiment(parser: argparse.ArgumentParser) -> None:
    """The flags of what `opened_store` opens, beside those of every parser."""
    parser.add_argument(
        "--experiment", metavar="NAME", default="sentiment_rnn",
        help="the MLflow experiment of the runs (default: %(default)s)",
    )  # fmt: skip


def opened_store(arguments: argparse.Namespace, of_experiment: bool = True) -> "Store":
    """The store that the flags name; raises `UserError` where there is none.

    Args:
        of_experiment: whether it has to have the experiment; a run and a registered model are found without.
    """
    from sentiment_rnn.config.tracking import TrackingConfig
    from sentiment_rnn.tracking.store import open_store

    libraries_are_loaded()
    config = TrackingConfig(
        uri=arguments.tracking_uri,
        directory=arguments.store,
        experiment=arguments.experiment,
    )
    return open_store(config, create=False, names=("--store", "--tracking-uri"), of_experiment=of_experiment)
