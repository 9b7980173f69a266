"""Shared by the sections of the configuration: types of values with their bounds, and error lines for wrong values.

A section is a dataclass of pydantic's. Its annotations say what a value may be, and the docstring below a key what it
means; error lines, `train --help` and docs/configuration.md are made from these.
"""

from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from typing import Annotated, Any, TypeVar, get_args

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, ValidationInfo, field_validator
from pydantic.dataclasses import dataclass

from sentiment_rnn.errors import UserError, as_given, unknown_key

Section = TypeVar("Section")

SCHEMA = ConfigDict(
    extra="forbid",
    allow_inf_nan=False,
    coerce_numbers_to_str=True,  # a name may be a number on the command line
    use_attribute_docstrings=True,
    regex_engine="python-re",
)
"""Settings of every section."""
OPEN = SCHEMA | ConfigDict(extra="allow")
"""Settings of a section that takes further keys: the arguments of the class that it names."""

NOT_GIVEN = "???"
"""Hydra's mark for a value that must be given."""
LARGEST = 2**31 - 1
"""A packaged model holds some of these numbers in 32 bits."""
Count = Annotated[int, Field(ge=0, le=LARGEST)]
Size = Annotated[int, Field(ge=1, le=LARGEST)]
Vocabulary = Annotated[int, Field(ge=3, le=LARGEST)]
Width = Annotated[int, Field(ge=1, le=2**16)]
"""Width of a vector. A larger one would need matrices that fit into no memory."""
Few = Annotated[int, Field(ge=1, le=1024)]
"""Layers, threads, devices and the like."""
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Probability = Annotated[float, Field(ge=0, lt=1)]
Rate = Annotated[float, Field(gt=0, le=1000)]
"""A learning rate."""
Weight = Annotated[float, Field(ge=0, le=1e6)]
"""A number of at least 0 that a loss, a gradient or a time is measured by."""
Name = Annotated[str, Field(min_length=1)]


def in_words(expected: str, pattern: str | None = None) -> Any:
    """Metadata of a value: what is expected, in words, and for a text the pattern that it must match."""
    return Field(pattern=pattern, json_schema_extra={"expected": expected})


@dataclass(config=SCHEMA)
class Checked:
    """Base of the sections; refuses a boolean where a number is expected."""

    @field_validator("*", mode="before")
    @classmethod
    def _no_boolean_for_a_number(cls, value: Any, field: ValidationInfo) -> Any:
        declared = cls.__pydantic_fields__[str(field.field_name)].annotation  # type: ignore[attr-defined]
        if isinstance(value, bool) and not {bool, Any} & {declared, *get_args(declared)}:
            raise ValueError("a boolean is no number")
        return value


def validated(kind: type[Section], settings: Mapping[str, Any], section: str = "", lenient: bool = False) -> Section:
    """Settings as an object of a section's class, or of the class of a run.

    Args:
        section: its key in the configuration, for messages.
        lenient: keep keys that are not declared, instead of refusing them.

    Raises:
        UserError: a key is not declared, or not given, or its value is not what the schema expects.
    """
    try:
        return TypeAdapter(kind).validate_python(dict(settings), extra="allow" if lenient else None)
    except ValidationError as error:
        raise UserError(_line_of(error.errors()[0], kind, settings, section)) from error


def defaults_of(kind: Any) -> dict[str, Any]:
    """The keys of a class and their defaults as Hydra composes them, in plain types; `???` for a key without one."""
    return {
        key: defaults_of(declared.annotation) if is_dataclass(declared.annotation)
        else NOT_GIVEN if declared.is_required()
        else declared.get_default(call_default_factory=True)
        for key, declared in kind.__pydantic_fields__.items()
    }  # fmt: skip


def keys_of(kind: Any, prefix: str = "") -> dict[str, dict[str, Any]]:
    """The JSON schema of each key of a class, by full name: bounds, choices, and the meaning (`description`)."""
    keys: dict[str, dict[str, Any]] = {}
    properties = TypeAdapter(kind).json_schema()["properties"]
    for key, declared in kind.__pydantic_fields__.items():
        if is_dataclass(declared.annotation):
            keys |= keys_of(declared.annotation, f"{prefix}{key}.")
        elif declared.init is not False:
            keys[prefix + key] = {**properties[key], "description": _meaning(kind, key)}
    return keys


def _meaning(kind: Any, key: str) -> str:
    """The docstring below a key, also of a key in a base class, which pydantic does not read."""
    declared = (getattr(base, "__pydantic_fields__", {}).get(key) for base in kind.__mro__)
    return " ".join(next(own.description for own in declared if own and own.description).split())


def expected(declared: Mapping[str, Any]) -> str:
    """The values that a part of a JSON schema allows, in words."""
    if "expected" in declared:
        return str(declared["expected"])
    if "anyOf" in declared:
        return ", or ".join(map(expected, declared["anyOf"]))
    if choices := declared.get("enum", [declared["const"]] if "const" in declared else None):
        return f"{'one of ' if choices[1:] else ''}{', '.join(map(str, choices))}"
    kinds = {
        "integer": "a whole number", "number": "a number", "boolean": "true or false", "null": "null",
        "string": "some text" if "minLength" in declared else "text",
        "array": f"a list, each item {expected(declared['items'])}" if "items" in declared else "a list",
    }  # fmt: skip
    kind = kinds.get(declared.get("type", ""), "keys and values")
    if "minimum" in declared and "maximum" in declared:
        return f"{kind} from {_number(declared['minimum'])} to {_number(declared['maximum'])}"
    words = {"exclusiveMinimum": "above", "minimum": "of at least", "exclusiveMaximum": "below", "maximum": "at most"}
    limits = [f"{word} {_number(declared[limit])}" for limit, word in words.items() if limit in declared]
    return f"{kind} {' and '.join(limits)}".rstrip()


def _number(limit: float) -> str:
    return f"{int(limit):,}" if limit == int(limit) else f"{limit:g}"


def _line_of(error: Mapping[str, Any], kind: type[Any], settings: Mapping[str, Any], section: str) -> str:
    """The line for an error that pydantic found in settings."""
    *above, key = map(str, error["loc"])
    path = ".".join(filter(None, [section, *above, key]))
    if error["type"] == "missing":
        return f"{path}: not given; give +{path}=…"
    if error["type"] == "unexpected_keyword_argument":
        _, declared, parent = _walk(kind, settings, above)
        return unknown_key(path, [*declared["properties"]], {} if above or section else parent)
    steps, declared, value = _walk(kind, settings, [*above, key])
    line = f"{'.'.join(filter(None, [section, *steps]))}={as_given(value)}: expected {expected(declared)}"
    return f"{line}; a search gives them with int(interval(LOW,HIGH))" if error["type"] == "int_from_float" else line


def _walk(kind: Any, value: Any, steps: Sequence[str]) -> tuple[list[str], dict[str, Any], Any]:
    """Follow steps into a class's schema as far as they lead to a key (a list's items have no keys). Returns the steps
    that were followed, and the schema and the value there."""
    declared = schema = TypeAdapter(kind).json_schema()
    walked: list[str] = []
    for step in steps:
        below = declared.get("properties", {}).get(step, declared.get("additionalProperties"))
        if not isinstance(below, dict):
            break
        name = below.get("$ref", "").rpartition("/")[2]
        declared = schema["$defs"][name] if name else below
        value, walked = value[step], [*walked, step]
    return walked, declared, value
