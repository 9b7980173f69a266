"""Shared code of the scripts beside this file: their options, and measurements in processes of their own."""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sentiment_rnn.environment import shorten_spins
from sentiment_rnn.report.tables import find_block

os.environ["CUDA_VISIBLE_DEVICES"] = ""  # everything is timed on the processor
shorten_spins()  # in the processes that it starts threads wait as in a command
HERE = Path(__file__).parent
ENCODERS = ("lstm", "rnn")
REVIEWS = "data=imdb" if os.environ.get("IMDB_ARCHIVE") else "data=generated"
"""The reviews to measure on; a later override replaces it."""


def new_parser(description: str | None, encoders: Sequence[str] = (), overrides: str = "") -> argparse.ArgumentParser:
    """A parser with the options that the scripts have in common.

    Args:
        encoders: choices of `--encoders`, which takes all of them by default.
        overrides: purpose of overrides, where the script takes some.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    if encoders:
        add("--encoders", type=some_of(*encoders), default=",".join(encoders), help="some of %(default)s")
    if overrides:
        add("overrides", nargs="*", metavar="override", help=f"override of {overrides}, such as data=generated")
    return parser


def add_products(parser: argparse.ArgumentParser, default: str = "1024,2048,4096") -> None:
    """Add the option that says where the floor's peak is looked for."""
    parser.add_argument(
        "--products", type=numbers, default=default, metavar="SIZES",
        help="square matrix products that the peak is measured on (default: %(default)s)",
    )  # fmt: skip


def parsed(parser: argparse.ArgumentParser, block: str) -> argparse.Namespace:
    """The options given, and where to write; raises `UserError` before any work where README.md lacks the block."""
    parser.add_argument(
        "--output", type=Path, default=HERE, metavar="FOLDER",
        help="write files here, and ratios into its README.md (default: %(default)s)",
    )  # fmt: skip
    arguments = parser.parse_args()
    find_block(arguments.output / "README.md", block)
    return arguments


def some_of(*choices: str) -> Callable[[str], tuple[str, ...]]:
    """A type of option: names out of `choices`, separated by commas."""

    def names(text: str) -> tuple[str, ...]:
        given = tuple(text.split(","))
        if not set(given) <= set(choices):
            raise argparse.ArgumentTypeError(f"{text}: expected some of {','.join(choices)}")
        return given

    return names


def numbers(text: str) -> tuple[int, ...]:
    """A type of option: whole numbers, separated by commas."""
    return tuple(int(number) for number in text.split(","))


def answer_of(
    script: str, *arguments: str, python: Path | str = sys.executable, environment: dict[str, str] | None = None
) -> Any:
    """The JSON in the last line that a script beside this file prints, in a process of its own.

    Args:
        environment: the variables of that process; those of this one if not given.
    """
    said = finished([str(python), str(HERE / script), *arguments], environment)
    return json.loads(said.strip().splitlines()[-1])


def finished(command: list[str], environment: dict[str, str] | None = None) -> str:
    """Run a command to its end and return what it prints; leave with its error where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(f"error: {' '.join(command)}:\n{done.stderr[-2000:]}")
    return done.stdout


def seconds_of(*arguments: str) -> float:
    """Seconds of a whole command of the project."""
    started = time.monotonic()
    finished([sys.executable, "-m", "sentiment_rnn", *arguments])
    return time.monotonic() - started
