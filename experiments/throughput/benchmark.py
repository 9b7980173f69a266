"""What the scripts beside this file share: their options, their reviews, and measurements in processes of their own."""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from sentiment_rnn.report.tables import find_block, replace_block

HERE = Path(__file__).parent
ENCODERS = ("lstm", "rnn")
REVIEWS = "data=imdb" if os.environ.get("IMDB_ARCHIVE") else "data=generated"
"""The reviews to measure on; a later override replaces it."""


def new_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser with the option that all scripts have."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--output", type=Path, default=HERE, metavar="FOLDER",
        help="write files here, and tables into its README.md (default: %(default)s)",
    )  # fmt: skip
    return parser


def parsed(parser: argparse.ArgumentParser, *blocks: str) -> argparse.Namespace:
    """The options given; raises `UserError` before any work where README.md lacks one of the blocks to write."""
    arguments = parser.parse_args()
    for block in blocks:
        find_block(arguments.output / "README.md", block)
    return arguments


def publish(folder: Path, **blocks: str) -> None:
    """Write Markdown into the blocks of these names of README.md in a folder, and print it."""
    for block, text in blocks.items():
        replace_block(folder / "README.md", block, text)
        print(text)


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


def add_step_options(parser: argparse.ArgumentParser, batch_size: int, length: int) -> None:
    """Add the options of scripts that time steps on random reviews beside the floor."""
    add = parser.add_argument
    add("--batch-size", type=int, default=batch_size, metavar="B", help="reviews of a step (default: %(default)s)")
    add("--length", type=int, default=length, metavar="T", help="words of a review (default: %(default)s)")
    add("--seconds", type=float, default=10.0, help="that a row is timed for, at least (default: %(default)s)")
    add_products(parser)


def add_products(parser: argparse.ArgumentParser) -> None:
    """Add the option that says where the floor's peak is looked for."""
    parser.add_argument(
        "--products", type=numbers, default="1024,2048,4096", metavar="SIZES",
        help="square matrix products that the peak is measured on (default: %(default)s)",
    )  # fmt: skip


def last_line(command: list[str], environment: dict[str, str] | None = None) -> str:
    """Run a command to its end and return the last line that it prints; leave with its error where it fails."""
    return finished(command, environment).strip().splitlines()[-1]


def finished(command: list[str], environment: dict[str, str] | None = None) -> str:
    """Run a command to its end and return what it prints; leave with its error where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(f"error: {' '.join(command)}:\n{done.stderr[-2000:]}")
    return done.stdout
