"""Parts of a run whose keys are the arguments of the class that they name: its encoder, and its source of reviews.

    _target_: my_package.Convolution   # class Convolution(nn.Module): def __init__(self, input_size, *, width: int = 3)
    name: convolution
    width: 5

A class and a YAML file are all that such a part needs. The class's signature gives names, types and defaults; bounds
are what its constructor refuses with a ValueError or a UserError.
"""

import contextlib
import importlib
import inspect
import sys
from collections.abc import Sequence
from dataclasses import field, fields, make_dataclass
from functools import cache
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, NoReturn, TypeVar, cast, get_args, get_type_hints

from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException, ValidationError

from sentiment_rnn.errors import UserError, unknown_key

Part = TypeVar("Part")
LIBRARIES = ("torch", "torchmetrics", "torchtext", "lightning")
"""Packages that are always imported and have modules which read files: nothing of theirs is a part of a run."""


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


def named_by_file(part: str, target: str, ours: tuple[str, ...]) -> Any:
    """Object that a name in a file stands for; None where the module has nothing of that name.

    The name imports no module but this package's. A name of another package resolves where the user has imported it.

    Args:
        part: kind of the object, for messages.
        ours: beginnings of the modules of this package that may be imported.

    Raises:
        UserError: the module is another one that is not imported, or one of a library that always is.
    """
    module, _, name = target.replace(":", ".").rpartition(".")
    if f"{module}.".startswith(ours):
        with contextlib.suppress(ImportError):  # of a family that this version has not
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


def arguments_of(target: type[Any]) -> dict[str, inspect.Parameter]:
    """The arguments of a class that may be given by name, in their order. One that hands further ones on, `**shared`,
    has those of the class that it extends as well."""
    kinds = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    own = {name: given for name, given in inspect.signature(target).parameters.items() if given.kind in kinds}
    base = _handed_on_to(target)
    return own if base is None else own | {name: one for name, one in arguments_of(base).items() if name not in own}


def typed_part(node: DictConfig, base: type[Part], section: str, given: Sequence[str] = ()) -> Part:
    """`node` as an object of `base`, with a field for each further argument of the class that `node` names.

    Args:
        section: its key in the configuration, for messages.
        given: arguments that the program passes itself.

    Raises:
        UserError: a key is no argument of the class, or the class cannot be imported.
        omegaconf.errors.OmegaConfBaseException: a value has the wrong type, or is missing.
    """
    target = class_named(str(node._target_), f"{section}._target_")
    known = [declared.name for declared in fields(base)]  # type: ignore[arg-type]
    arguments = {name: found for name, found in arguments_of(target).items() if name not in (*known, *given)}
    for key in map(str, node):
        if key not in known and key not in arguments:
            raise UserError(unknown_key(f"{section}.{key}", [*known, *arguments]))
    hints = _types_of(target)  # type: ignore[arg-type]  # a class is hashable
    extra = [
        (name, hints.get(name, Any), _field_with(found.default))
        for name, found in arguments.items()
        if _is_a_value(found.default)
    ]
    schema = OmegaConf.structured(make_dataclass(base.__name__, extra, bases=(base,)) if extra else base)
    for key, value in ((str(key), value) for key, value in node.items_ex(resolve=False)):
        try:
            schema[key] = value
        except OmegaConfBaseException as error:
            raise UserError(f"{section}.{key}={value}: {str(error).splitlines()[0]}") from error
    for key in map(str, schema):
        if OmegaConf.is_missing(schema, key):
            refuse_missing(section, key, node.get("name", section), "" if key in map(str, node) else "+")
    return cast(Part, OmegaConf.to_object(schema))


def refuse_missing(section: str, key: str, owner: str, added: str = "") -> NoReturn:
    """Raise the one line for a key that is not given.

    Args:
        added: `+` where no YAML file has the key, without which Hydra refuses it.
    """
    raise UserError(f"{section}.{key}: not given, and {owner} needs it; give {added}{section}.{key}=…")


def _handed_on_to(target: type[Any]) -> type[Any] | None:
    """The base class whose constructor gets a class's `**shared` arguments; None where the class takes none."""
    parameters = inspect.signature(target).parameters.values()
    if not isinstance(target, type) or all(one.kind != inspect.Parameter.VAR_KEYWORD for one in parameters):
        return None
    owner = next(place for place, one in enumerate(target.__mro__) if "__init__" in vars(one))
    base = target.__mro__[owner + 1]
    return None if base is object else base


@cache
def _types_of(target: type[Any]) -> dict[str, Any]:
    """Types of a class's arguments that a configuration can hold; other arguments take anything."""
    found: dict[str, Any] = {}
    owner: type[Any] | None = target
    while owner is not None:
        with contextlib.suppress(NameError):  # a type that is imported for type checkers alone
            found = get_type_hints(owner.__init__ if isinstance(owner, type) else owner) | found
        owner = _handed_on_to(owner)
    types = {}
    for name in arguments_of(target):
        hint = found.get(name, Any)
        try:
            OmegaConf.structured(make_dataclass("Probe", [(name, hint, field(default=MISSING))]))
        except (ValidationError, ValueError):
            continue
        # What is recorded is text, so that the class gets text today as well.
        types[name] = Any if Path in (hint, *get_args(hint)) else hint
    return types


def _is_a_value(default: Any) -> bool:
    return (
        default is inspect.Parameter.empty
        or default is None
        or isinstance(default, bool | int | float | str | list | tuple)
    )


def _field_with(default: Any) -> Any:
    """A field of a dataclass with an argument's default; missing where it has none."""
    if isinstance(default, list | tuple):
        return field(default_factory=lambda: list(default))
    return field(default=MISSING if default is inspect.Parameter.empty else default)


def part_arguments(part: Any, target: type[Any]) -> dict[str, Any]:
    """The values of a part's keys that are arguments of its class, where they are given."""
    return {name: getattr(part, name) for name in arguments_of(target) if hasattr(part, name)}
