"""`sentiment-rnn COMMAND …`: find the command, load it alone, run it."""

import atexit
import gc
import os
import shlex
import sys
from collections.abc import Callable
from importlib import import_module

from sentiment_rnn import __version__
from sentiment_rnn.cli.commands import COMMANDS
from sentiment_rnn.cli.errors import fail, leave_quietly, one_line_errors, run
from sentiment_rnn.cli.help import help_of, overview
from sentiment_rnn.config.folders import CONFIGURATION
from sentiment_rnn.errors import did_you_mean
from sentiment_rnn.tracking.names import COMMAND_VARIABLE

LOADING_LATE = ("train", "predict", "evaluate", "inspect", "serve")
"""Commands that call `libraries_are_loaded` when they are."""
COMPLETION = ("-sc", "--shell-completion")


def main() -> None:
    """The console script."""
    # At its end Python looks for garbage among the million objects of the libraries, more than once. That takes about a
    # second, for memory that goes with the process.
    atexit.register(gc.freeze)
    try:
        _dispatch(sys.argv[1:])
    except BrokenPipeError:
        leave_quietly()


def _dispatch(arguments: list[str]) -> None:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(overview())
        return
    if arguments[0] == "--version":
        print(__version__)
        return
    if arguments[0] in COMPLETION:
        sys.argv[1:] = arguments
        run(completer(_command_to_complete()))
        return
    os.environ[COMMAND_VARIABLE] = shlex.join(["sentiment-rnn", *arguments])
    name, rest = command_in(arguments)
    if name not in COMMANDS:
        fail(f"{name}: no such command; {did_you_mean(name, COMMANDS, 'one of ')}")
    if COMMANDS[name].keys and {"-h", "--help"} & set(rest):
        print(help_of(name, rest))
        return
    rest = quoted_sweeps(rest) if name == "compare" else rest
    if name in LOADING_LATE:
        gc.disable()  # looking for garbage among the libraries while they load is a fifth of the start
    if COMMANDS[name].keys:
        check_choices(rest)
    sys.argv[1:] = flags_first(rest) if COMMANDS[name].keys else rest
    run(import_module(f"sentiment_rnn.cli.{name.replace(' ', '_')}").main)


def command_in(arguments: list[str]) -> tuple[str, list[str]]:
    """The command that a line begins with, which may be of two words, and the rest of the line."""
    words = 2 if " ".join(arguments[:2]) in COMMANDS else 1
    return " ".join(arguments[:words]), arguments[words:]


def check_choices(arguments: list[str]) -> None:
    """Leave with one line for a group that is given no choice or several, before Hydra says so in other words, or
    merges them."""
    with one_line_errors():
        from sentiment_rnn.config.store import check_choice  # Hydra, which help and completion have no time for

        for argument in arguments:
            check_choice(argument)


def quoted_sweeps(arguments: list[str]) -> list[str]:
    """`sweep=a,b` as one text, and `sweep=[a,b]` too: to Hydra they are a sweep over values, and a list."""
    names = {a: a.removeprefix("sweep=").strip("[]'\"") for a in arguments if a.startswith("sweep=") and {*"[,"} & {*a}}
    return [f"sweep='{names[a]}'" if a in names else a for a in arguments]


def flags_first(arguments: list[str]) -> list[str]:
    """Hydra's flags before the overrides: its parser refuses an override before `-m` and another behind it."""
    overrides = [a for a in arguments if ("=" in a and not a.startswith("-")) or a.startswith("~")]
    return [a for a in arguments if a not in overrides] + overrides


def completer(name: str) -> Callable[[], object]:
    """Hydra's completion of a command's keys, without the command: importing that takes seconds."""
    import hydra

    if not COMMANDS[name].keys:  # with options of its own, which Hydra does not know
        name = "train"
    file = "config" if name == "train" else name.split()[-1]
    main: Callable[[], object] = hydra.main(version_base="1.3", config_path=CONFIGURATION, config_name=file)(_nothing)
    return main


def _nothing(config: object) -> None:
    """What a completion runs."""


def _command_to_complete() -> str:
    """The command in the line that the shell completes, which is taken out of it: Hydra knows of none."""
    line = os.environ.get("COMP_LINE", "")
    program, _, rest = line.partition(" ")
    name, left = command_in(rest.split(" "))
    if name not in COMMANDS or not left:
        return "train"
    os.environ["COMP_LINE"] = f"{program} {' '.join(left)}"
    os.environ["COMP_POINT"] = str(max(0, int(os.environ.get("COMP_POINT", "0")) - len(name) - 1))
    return name
