"""`sentiment-rnn COMMAND …`: find the command, load it alone, run it."""

import atexit
import gc
import os
import shlex
import sys

from sentiment_rnn import __version__
from sentiment_rnn.cli.errors import run
from sentiment_rnn.config import PACKAGE
from sentiment_rnn.environment import shorten_spins
from sentiment_rnn.tracking.names import COMMAND_VARIABLE

COMMANDS = ("train", "compare", "publish", "runs", "predict", "evaluate", "inspect", "serve")
"""Each is a file of this folder, whose docstring is its help."""
PURPOSE = """How far back can a vanilla RNN remember, how far can an LSTM, and what does that cost on real text?

First try: sentiment-rnn train experiment=demo"""


def main() -> None:
    """The console script."""
    shorten_spins()
    # Garbage collection would take a third of a short command's time: it searches the million objects of the libraries
    # while they load and at the end. It is hardly needed, since a training step leaves no garbage.
    gc.set_threshold(100_000)
    atexit.register(gc.freeze)
    sys.path.append("")  # a user's own encoders and tokenizers may lie in the current folder
    os.environ[COMMAND_VARIABLE] = shlex.join(["sentiment-rnn", *sys.argv[1:]])
    run(_dispatch)


def _dispatch() -> None:
    match sys.argv[1:]:
        case ["train", *words] if {"-h", "--help"} & set(words):
            from sentiment_rnn.cli.help import show_help_of_train

            show_help_of_train(docstring_of("train"), "all" in words)
        case ["train", *words]:
            from sentiment_rnn.cli import train

            sys.argv[1:] = words  # Hydra reads the line itself
            train.main()
        case words:
            from sentiment_rnn.cli.options import call, new_app

            app = new_app("sentiment-rnn", PURPOSE, version=__version__)
            for name in COMMANDS:  # loaded when they are called
                app.command(f"sentiment_rnn.cli.{name}:main", name=name, help=docstring_of(name))
            call(app, words)


def docstring_of(name: str) -> str:
    """The docstring at the top of a command's file, read without importing the file."""
    return (PACKAGE / "cli" / f"{name}.py").read_text(encoding="utf-8").split('"""')[1]
