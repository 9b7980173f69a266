"""`sentiment-rnn COMMAND …`: find the command, load it alone, run it."""

import difflib
import gc
import os
import shlex
import sys
from importlib import import_module

from sentiment_rnn import __version__
from sentiment_rnn.cli.commands import COMMANDS
from sentiment_rnn.cli.errors import fail, run
from sentiment_rnn.cli.help import help_of, overview

COMPLETION = ("-sc", "--shell-completion")


def main() -> None:
    """The console script."""
    try:
        _dispatch(sys.argv[1:])
    except BrokenPipeError:  # whoever read the help has enough of it (`| head`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


def _dispatch(arguments: list[str]) -> None:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(overview())
        return
    if arguments[0] == "--version":
        print(__version__)
        return
    if "LOCAL_RANK" in os.environ and arguments[0] not in COMMANDS:
        # Lightning starts the other processes of a distributed run with what Hydra saw, so without the command.
        arguments = ["train", *arguments]
    elif arguments[0] in COMPLETION:
        arguments = [_command_to_complete(), *arguments]
    else:
        os.environ["SENTIMENT_RNN_COMMAND"] = shlex.join(["sentiment-rnn", *arguments])
    name, *rest = arguments
    if name not in COMMANDS:
        close = difflib.get_close_matches(name, COMMANDS, n=1)
        fail(f"{name}: no such command; " + (f"did you mean {close[0]}?" if close else f"one of {', '.join(COMMANDS)}"))
    if COMMANDS[name].keys and {"-h", "--help"} & set(rest):
        print(help_of(name))
        return
    sys.argv[1:] = flags_first(rest) if COMMANDS[name].keys else rest
    if name == "train":
        gc.disable()  # the libraries are a million objects: looking for garbage among them takes a second of the start
    run(import_module(f"sentiment_rnn.cli.{name}").main)


def flags_first(arguments: list[str]) -> list[str]:
    """Hydra's flags before the overrides: its parser refuses an override before `-m` and another behind it."""
    overrides = [a for a in arguments if ("=" in a and not a.startswith("-")) or a.startswith("~")]
    return [a for a in arguments if a not in overrides] + overrides


def _command_to_complete() -> str:
    """The command in the line that the shell completes, which is taken out of it: Hydra knows of none."""
    line = os.environ.get("COMP_LINE", "")
    program, _, rest = line.partition(" ")
    name, space, overrides = rest.partition(" ")
    if name not in COMMANDS or not space:
        return "train"
    os.environ["COMP_LINE"] = f"{program} {overrides}"
    os.environ["COMP_POINT"] = str(max(0, int(os.environ.get("COMP_POINT", "0")) - len(name) - 1))
    return name
