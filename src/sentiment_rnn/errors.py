"""Errors of ours, of Hydra and of OmegaConf, each said in one line."""

import dataclasses
import re

from omegaconf.errors import OmegaConfBaseException

from sentiment_rnn import config as schema
from sentiment_rnn.checks import unknown_key


def describe(error: BaseException) -> str:
    """What was given and what was expected, without the libraries' inner names."""
    causes = [str(error)] + ([str(error.__cause__)] if isinstance(error.__cause__, OmegaConfBaseException) else [])
    text = "\n".join(causes)
    unknown = re.search(r"Key '(\w+)' (?:is )?not in '(\w+)'(?:\s+full_key: (\S+))?", text)
    if unknown:
        key, owner, full_key = unknown.groups()
        declared = dataclasses.fields(getattr(schema, owner)) if hasattr(schema, owner) else ()
        return unknown_key(full_key or key, [field.name for field in declared])
    # Hydra's search path and OmegaConf's object types say nothing to a user.
    text = text.split("Config search path")[0]
    lines = [line.strip() for line in text.splitlines()]
    return " ".join(line for line in lines if line and not re.match(r"full_key:|object_type=|reference_type=", line))
