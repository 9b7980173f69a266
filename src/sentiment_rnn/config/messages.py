"""Errors of ours, of Hydra and of OmegaConf, each said in one line."""

import dataclasses
import errno
import re

import yaml
from hydra.errors import HydraException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException

from sentiment_rnn.config import data, model, optimizer, run, search, task, tracking, trainer
from sentiment_rnn.config.store import choices_with_key, groups, keys_of_group
from sentiment_rnn.errors import UserError, unknown_key

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""Errors of a disk that is full, or that can only be read."""
HYDRAS = ("hydra/launcher", "hydra/sweeper", "hydra/callbacks")
"""Groups of Hydra's that a command line chooses from."""
SUBJECTS = (run, data, model, optimizer, search, task, tracking, trainer)
FIELDS = {
    name: dataclasses.fields(one)
    for subject in SUBJECTS
    for name, one in vars(subject).items() if dataclasses.is_dataclass(one)
}  # fmt: skip
"""Fields of the schema's classes."""
FILLED = {field.name for fields in FIELDS.values() for field in fields if str(field.type).startswith("dict")}
"""Keys that are dictionaries, `options` say, which a user fills."""


def line_of(error: BaseException) -> str | None:
    """The one line for an error that a user can mend; None for any other, which keeps its traceback."""
    if isinstance(error, UserError | HydraException | OmegaConfBaseException):
        return describe(error)
    if isinstance(error, yaml.YAMLError):
        return " ".join(str(error).split())
    if isinstance(error, PermissionError | NotADirectoryError | IsADirectoryError | FileExistsError):
        return f"{error.filename}: {error.strerror}; choose a folder that can be written"
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror}; make room, or choose another folder"
    if isinstance(error, ValueError) and "can be specified" in str(error):  # Hydra's word on flags that exclude others
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
    causes = [error.__cause__] if isinstance(error.__cause__, OmegaConfBaseException) else []
    text = "\n".join(map(str, [error, *causes]))
    unknown = re.search(r"Key '([\w/-]+)' (?:is )?not in '?(\w+)'?(?:\s+full_key: (\S+))?", text)
    if unknown:
        key, owner, full_key = unknown.groups()
        path = full_key or key
        group = path.partition(".")[0]
        if FILLED & set(path.split(".")[-2:-1]):
            return f"{path}: not given so far; write +{path}=… to add it"
        if choices := choices_with_key(group, key):
            return f"{path}: not a key of this choice of {group}; {', '.join(choices)} has it ({group}={choices[0]})"
        known = [field.name for field in FIELDS.get(owner, ())] or keys_of_group(group)
        if path != group:
            return unknown_key(path, known)
        return unknown_key(
            path,
            [*known, *(["experiment", *HYDRAS] if "encoder" in known else [])],
            elsewhere=[f"{one}.{name}" for one in known if one in groups() for name in keys_of_group(one)],
        )
    if interval := re.search(r"parsing override '(.*)'\n.*while evaluating 'interval\(", text):
        return f"{interval[1]}: expected interval(LOW,HIGH), two numbers"
    if several := re.search(r"Ambiguous value for argument '(.*)'\n", text):
        listed = "" if several[1].partition("=")[0] in groups() else "; in brackets they are a list, in quotes a text"
        return f"{several[1]}: several values; -m {several[1]} runs each in turn{listed}"
    if fraction := re.search(r"override (\S+=\S+)\s+Value '.*' of type 'float' could not be converted to Int", text):
        return f"{fraction[1]}: expected a whole number; a search gives them with int(interval(LOW,HIGH))"
    if "BasicSweeper does not support" in text:
        return "hydra/sweeper: an interval(…) is searched; give hydra/sweeper=search, or values with commas"
    if pooled := re.search(r"In 'encoder/(\w+)': Could not override 'pooling'", text):
        return f"encoder={pooled[1]}: reads reviews alone, since other tasks have no pooling; expected another encoder"
    if (absent := re.match(r"Could not override '(\w+)'", text)) and absent[1] in groups():
        return f"{absent[1]}: this task has none; leave it out"
    if isinstance(error, OverrideParseException):
        return _unread(error.override, error.message.splitlines()[0])
    if "hydra/launcher/submitit" in text:
        return "hydra/launcher: submitit is not here; install it: pip install '.[slurm]' in a clone"
    # Hydra's search path and OmegaConf's object types say nothing to a user.
    lines = [line.strip() for line in text.split("Config search path")[0].splitlines()]
    return " ".join(line for line in lines if line and not re.match(r"full_key:|object_type=|reference_type=", line))


def quoted(value: str) -> str:
    """A text as a value on Hydra's command line: one with a comma is no sweep."""
    return "'" + value.replace("'", "\\'") + "'"


def _unread(override: str, reason: str) -> str:
    """Message for an override that Hydra's grammar refuses, most often for a letter or sign that the grammar lacks."""
    key, equals, value = override.partition("=")
    why = "" if reason.startswith("Lexer") else f" ({reason})"  # which names a class, and repeats the override
    if not equals:
        return f"{override}: Hydra cannot read this{why}; expected KEY=VALUE"
    return f'{override}: Hydra cannot read this{why}; a text with signs is put into two quotes: "{key}={quoted(value)}"'
