"""The flags that the commands share which read runs."""

import argparse
import os
import shlex
import sys
from typing import TYPE_CHECKING

from sentiment_rnn.environment import libraries_are_loaded
from sentiment_rnn.errors import UserError

if TYPE_CHECKING:  # MLflow takes seconds to load, and `--help` needs none of it
    from sentiment_rnn.tracking.store import Store

FORMER = {
    "sweep": "",
    "output": "--output",
    "panels": "--panel",
    "register": "--register",
    "keep": "--keep",
    "older_than_days": "--older-than",
    "unfinished": "--unfinished",
    "yes": "--yes",
    "json": "--json",
    "tracking.directory": "--store",
    "tracking.uri": "--tracking-uri",
    "tracking.experiment": "--experiment",
    "tracking.checkpoints": "--checkpoints",
    "tracking.model": "--model",
}
"""Flags by the `KEY=VALUE` keys of earlier versions."""


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


def add_experiment(parser: argparse.ArgumentParser) -> None:
    """The flags of what `opened_store` opens, beside those of every parser."""
    parser.add_argument(
        "--experiment", metavar="NAME", default="sentiment_rnn",
        help="the MLflow experiment of the runs (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--checkpoints", metavar="FOLDER", help="where their checkpoints are, if not in the store")


def arguments_of(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Arguments of a command that took `KEY=VALUE` in earlier versions. Raises `UserError`, with the new spelling, for
    a `KEY=VALUE` that is a flag now."""
    words = sys.argv[1:]
    if former := [word for word in words if word.lstrip("+").partition("=")[0] in FORMER and "=" in word]:
        written = [part for word in words for part in (flags_for(word) if word in former else [word])]
        command = shlex.join([*parser.prog.split(), *written])
        raise UserError(f"{' '.join(former)}: this command takes flags now; write {command}")
    return parser.parse_intermixed_args(words)


def flags_for(former: str) -> list[str]:
    """`output=there` as `--output there`, `yes=true` as `--yes`, `sweep=[a,b]` as `a b`."""
    key, _, value = former.lstrip("+").partition("=")
    if value in ("true", "replace"):
        return ["--replace" if value == "replace" else FORMER[key]]
    given = [] if value in ("false", "null") else value.strip("[]'\"").split(",")
    return [part for one in given for part in (FORMER[key], one) if part]


def opened_store(arguments: argparse.Namespace) -> "Store":
    """The store that the flags name; raises `UserError` where there is none."""
    from sentiment_rnn.config.tracking import TrackingConfig
    from sentiment_rnn.tracking.store import open_store

    libraries_are_loaded()
    config = TrackingConfig(
        uri=arguments.tracking_uri,
        directory=arguments.store,
        experiment=arguments.experiment,
        checkpoints=arguments.checkpoints,
        system_metrics=False,
        repeat=True,
    )
    return open_store(config, create=False, names=("--store", "--tracking-uri"))
