"""A job of a sweep in a process of its own: the first module of the runs that it loads."""

import gc
import sys
from importlib import import_module
from typing import Any


def made_in_job(module: str, name: str) -> Any:
    """An object of a class whose module brings torch, Lightning and MLflow along.

    Python looks for garbage among them when they are there, not while they load, as `sentiment-rnn train` itself does.
    """
    if module not in sys.modules:
        gc.disable()  # until `environment.libraries_are_loaded`, which every job calls
    return getattr(import_module(module), name)()
