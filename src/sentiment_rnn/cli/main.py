"""`sentiment-rnn COMMAND …`: find the command, load it alone, run it."""

import atexit
import gc
import os
import shlex
import sys
from importlib import import_module

from sentiment_rnn import __version__
from sentiment_rnn.cli.errors import run
from sentiment_rnn.cli.help import COMMANDS, help_of_train, overview
from sentiment_rnn.environment import shorten_spins
from sentiment_rnn.errors import UserError, did_you_mean
from sentiment_rnn.tracking.names import COMMAND_VARIABLE


def main() -> None:
    """The console script."""
    shorten_spins()
    # To look for garbage among the million objects of the libraries, while they load and at the end, would take a
    # third of a short command's time. Their number is as good as constant: a training step leaves no garbage.
    gc.set_threshold(100_000)
    atexit.register(gc.freeze)
    sys.path.append("")  # encoders and tokenizers of one's own may lie in the current folder
    run(_dispatch)


def _dispatch() -> None:
    match sys.argv[1:]:
        case [] | ["-h" | "--help" | "help", *_]:
            print(overview())
        case ["--version", *_]:
            print(__version__)
        case ["-sc" | "--shell-completion", *_] as words:  # Hydra completes the keys of `train`
            if is_train_completed():
                start("train", words)
        case words:
            start(*command_in(words))


def start(name: str, words: list[str]) -> None:
    """Load a command alone, and run it. `train` reads the line itself: Hydra does.

    Args:
        words: what stands behind the name.
    """
    if name not in COMMANDS:
        raise UserError(f"{name}: no such command; {did_you_mean(name, COMMANDS, 'one of ')}")
    if name == "train" and {"-h", "--help"} & set(words):
        print(help_of_train(words))
        return
    os.environ[COMMAND_VARIABLE] = shlex.join(["sentiment-rnn", name, *words])
    module = import_module(f"sentiment_rnn.cli.{name.replace(' ', '_')}")
    if name == "train":
        sys.argv[1:] = words
        module.main()
    else:
        from sentiment_rnn.cli.options import call_with

        call_with(words, f"sentiment-rnn {name}", module)


def command_in(arguments: list[str]) -> tuple[str, list[str]]:
    """The command that a line begins with, which may be of two words, and the rest of the line."""
    words = 2 if " ".join(arguments[:2]) in COMMANDS else 1
    return " ".join(arguments[:words]), arguments[words:]


def is_train_completed() -> bool:
    """Whether the shell completes a line of `train`. Removes the command from the line: Hydra knows no commands."""
    program, _, rest = os.environ.get("COMP_LINE", "").partition(" ")
    name, left = command_in(rest.split(" "))
    if name in COMMANDS and left:
        os.environ["COMP_LINE"] = f"{program} {' '.join(left)}"
        os.environ["COMP_POINT"] = str(max(0, int(os.environ.get("COMP_POINT", "0")) - len(name) - 1))
    return name not in COMMANDS or name == "train"
