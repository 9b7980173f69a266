"""Turns errors of this package, Hydra and OmegaConf into one line each."""

from typing import Any

import yaml
from hydra.errors import HydraException, OverrideParseException
from omegaconf import OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException
from pydantic import ValidationError

from sentiment_rnn.config.store import choices_with_key
from sentiment_rnn.errors import UserError, as_given, unknown_key

CHOSEN = ("experiment", "hydra/launcher", "hydra/sweeper", "hydra/callbacks")
"""Groups that the command line chooses from but that are no sections of the configuration."""
HINTS = {
    "Ambiguous value": "-m runs each in turn; a text with commas is put into quotes",
    "No match in the defaults list": "this task has none",
    "does not support sweep type": "an interval(…) is searched: give hydra/sweeper=search, or values with commas",
    "hydra/launcher/submitit": "install it: pip install '.[slurm]' in a clone",
}
"""Advice for some of Hydra's errors, by words in their messages."""
FILLED = ("options", "learning_rates", "draws")
"""Last parts of keys whose value is a dictionary that the user fills."""
INNER = ("full_key:", "object_type=", "reference_type=")
"""Beginnings of message lines that name internal objects of OmegaConf."""


def line_of(error: BaseException) -> str | None:
    """The one line for an error that a user can mend; None for any other error, which keeps its traceback."""
    if isinstance(error, UserError | HydraException | OmegaConfBaseException):
        return describe(error)
    if isinstance(error, ValidationError):  # a value that came from no configuration
        wrong = error.errors()[0]
        return f"{'.'.join(map(str, wrong['loc']))}={as_given(wrong['input'])}: {wrong['msg']}"
    if isinstance(error, yaml.YAMLError):
        return " ".join(str(error).split())
    if isinstance(error, OSError) and error.strerror:  # a file or folder; a disk that is full or read-only
        return f"{error.filename or 'a file'}: {error.strerror}; make room there, or name another"
    if isinstance(error, ValueError) and "can be specified" in str(error):  # Hydra: flags that exclude each other
        return str(error)
    if type(error).__name__ == "TerminatedWorkerError":  # joblib's
        return "a worker was killed, by the system for want of memory maybe; the same command resumes"
    if type(error).__module__ == "submitit.core.utils":
        return _of_submitit(str(error))
    return None


def _of_submitit(text: str) -> str:
    """The last line of `sbatch`'s output, or of a job's traceback with the place of its output."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    rules = [number for number, line in enumerate(lines) if not line.strip("-")]
    if not rules:
        return f"hydra/launcher: {lines[-1]}"
    return f"a job failed: {lines[rules[-1] - 1]}; its output is in {lines[-1].removeprefix('- ')}"


def describe(error: BaseException) -> str:
    """Message of an error: what was given and what was expected, without the libraries' inner names."""
    if isinstance(error, UserError):
        return str(error)
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    if isinstance(cause, ConfigKeyError | ConfigAttributeError) and cause.parent_node is not None:
        return _no_such_key(cause)
    if isinstance(error, OverrideParseException):
        key, _, value = error.override.partition("=")
        if value.startswith("interval("):
            return f"{error.override}: expected interval(LOW,HIGH), two numbers"
        return f'{error.override}: expected KEY=VALUE; a text with signs is in two quotes: "{key}={quoted(value)}"'
    # Hydra's search path and OmegaConf's object types do not help a user.
    lines = str(error).split("Config search path")[0].splitlines()
    text = " ".join(line.strip() for line in lines if line.strip() and not line.lstrip().startswith(INNER))
    hints = [hint for words, hint in HINTS.items() if words in text]
    return f"{lines[0].partition('. ')[0].rstrip('.')}: {hints[0]}" if hints else text


def _no_such_key(error: ConfigKeyError | ConfigAttributeError) -> str:
    """Message for a key that the composed configuration does not have."""
    path, section = str(error.full_key or error.key), error.parent_node
    above, _, key = path.rpartition(".")
    if above.endswith(FILLED):
        return f"{path}: not given so far; write +{path}=… to add it"
    if choices := choices_with_key(above, key):
        return f"{path}: not a key of this choice of {above}; {', '.join(choices)} has it ({above}={choices[0]})"
    known: Any = OmegaConf.to_container(section, resolve=False)
    return unknown_key(path, [*known, *([] if above else CHOSEN)], {} if above else known)


def quoted(value: str) -> str:
    """A text quoted for Hydra's command line, so that a comma in it does not start a sweep."""
    return "'" + value.replace("'", "\\'") + "'"
