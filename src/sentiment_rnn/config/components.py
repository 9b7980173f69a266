"""Parts of a run whose keys are the arguments of a class: its encoder, and its source of reviews. `_target_` names it.

    _target_: my_package.Convolution   # class Convolution(nn.Module): def __init__(self, input_size, *, width: int = 3)
    name: convolution
    width: 5

Such a part needs only a class and a YAML file. The class's signature gives names, types and defaults; its constructor
checks bounds, and raises a ValueError or a UserError.
"""

import contextlib
import importlib
import inspect
import sys
from collections.abc import Mapping
from dataclasses import field, make_dataclass
from functools import cache
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, TypeVar, cast, get_args

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass
from pydantic.errors import PydanticUserError

from sentiment_rnn.config.schema import SCHEMA, validated
from sentiment_rnn.errors import UserError

Part = TypeVar("Part")
LIBRARIES = ("torch", "torchmetrics", "torchtext", "lightning")
"""Packages that are always imported and can read files. No object of theirs may be named as a part of a run."""
BY_NAME = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def class_named(target: str, key: str = "_target_") -> type[Any]:
    """The class, or function, that `target` names; its module is imported.

    Raises:
        UserError: it cannot be imported, or is something else.
    """
    try:
        found = resolve_name(target)
    except ModuleNotFoundError as error:
        raise UserError(
            f"{key}={target}: cannot be imported ({error}); a module is looked for in PYTHONPATH, with python -m also "
            "in the current folder"
        ) from error
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(f"{key}={target}: cannot be imported ({error})") from error
    if not callable(found):
        raise UserError(f"{key}={target}: expected a class, not {type(found).__name__}")
    return cast(type[Any], found)


def class_having(target: str, key: str, kind: str, *attributes: str) -> type[Any]:
    """The class that `target` names; raises `UserError` if it lacks one of the `attributes` of its `kind`."""
    named = class_named(target, key)
    for attribute in attributes:
        if not hasattr(named, attribute):
            raise UserError(f"{key}={target}: no {kind}, since it has no {attribute}")
    return named


def named_by_file(part: str, target: str, ours: tuple[str, ...]) -> Any:
    """The object that a name in a file refers to; None if the module has no such name.

    Only modules of this package are imported. A name from another package resolves if the user has imported it.

    Args:
        part: kind of the object, for messages.
        ours: beginnings of the modules of this package that may be imported.

    Raises:
        UserError: the module is of another package and not imported, or belongs to one of `LIBRARIES`.
    """
    module, _, name = target.replace(":", ".").rpartition(".")
    if f"{module}.".startswith(ours):
        with contextlib.suppress(ImportError):  # this version has no such family of encoders
            importlib.import_module(module)
    package = module.split(".")[0]
    if module not in sys.modules and package == "sentiment_rnn":
        raise UserError(
            f"{part}: {target} is not in this version of sentiment_rnn; those of studies are in experiments/lab"
        )
    if module not in sys.modules or package in LIBRARIES:
        raise UserError(f"{part}: {target} is of another package; import {module} first (--import {module})")
    # An attribute of the module: resolving the name as an import path would import a submodule of it.
    return getattr(sys.modules[module], name, None)


def arguments_of(target: Any) -> dict[str, inspect.Parameter]:
    """The arguments of a class that may be given by name, in order. A class that passes on `**shared` also has the
    arguments of its base class."""
    arguments: dict[str, inspect.Parameter] = {}
    constructors = (
        [kind for kind in target.__mro__ if "__init__" in vars(kind)] if isinstance(target, type) else [target]
    )
    for constructor in constructors:
        parameters = _parameters(constructor)
        for name, parameter in parameters.items():
            if parameter.kind in BY_NAME:
                arguments.setdefault(name, parameter)
        if all(parameter.kind != inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()):
            break
    return arguments


def typed_part(settings: Mapping[str, Any], base: type[Part], section: str, passed: tuple[str, ...] = ()) -> Part:
    """Settings as an object of `base`, with a field for each further argument of the class in `_target_`.

    Args:
        section: its key in the configuration, for messages.
        passed: arguments that the program passes itself.

    Raises:
        UserError: a key is no argument of the class, or its value is not what the argument's type allows.
    """
    target: Any = class_named(settings["_target_"], f"{section}._target_")
    kind: Any = base
    return cast(Part, validated(_with_arguments(kind, target, passed), settings, section))


@cache
def _with_arguments(base: Any, target: Any, passed: tuple[str, ...]) -> Any:
    arguments = {name: argument for name, argument in arguments_of(target).items() if name not in passed}
    further = [
        (name, _type_of(argument), _field_with(argument.default))
        for name, argument in arguments.items()
        if name not in base.__pydantic_fields__ and _is_a_value(argument.default)
    ]
    made = make_dataclass(base.__name__, further, bases=(base,), kw_only=True)
    return dataclass(config=SCHEMA, kw_only=True)(made)


def _parameters(target: type[Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(target, eval_str=True).parameters
    except NameError:  # an annotation that is imported only for type checkers
        return inspect.signature(target).parameters


def _type_of(argument: inspect.Parameter) -> Any:
    """The type that a configuration may give for an argument; `Any` if pydantic has no schema for its annotation."""
    hint = argument.annotation
    # A recorded path is text, so the class gets text in every case.
    if hint is argument.empty or isinstance(hint, str) or Path in (hint, *get_args(hint)):
        return Any
    with contextlib.suppress(PydanticUserError):
        TypeAdapter(hint).json_schema()
        return hint
    return Any


def _is_a_value(default: Any) -> bool:
    return (
        default is inspect.Parameter.empty
        or default is None
        or isinstance(default, bool | int | float | str | list | tuple)
    )


def _field_with(default: Any) -> Any:
    """A dataclass field with an argument's default, if it has one."""
    if isinstance(default, list | tuple):
        return field(default_factory=lambda: list(default))
    return field() if default is inspect.Parameter.empty else field(default=default)


def part_arguments(part: Any, target: type[Any]) -> dict[str, Any]:
    """The given values of a part's keys that are arguments of its class."""
    return {name: getattr(part, name) for name in arguments_of(target) if hasattr(part, name)}
