"""From what Hydra composed, or what a run recorded, to a checked configuration."""

import copy
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, make_dataclass
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from sentiment_rnn.config.components import arguments_of, class_named, part_arguments, refuse_missing, typed_part
from sentiment_rnn.config.data import DataConfig
from sentiment_rnn.config.model import DESCRIBING, EncoderConfig
from sentiment_rnn.config.run import ReviewConfig, RunConfig, SequenceConfig
from sentiment_rnn.errors import UserError, unknown_key

GIVEN_TO_ENCODERS = ("self", "input_size")
"""Arguments of every encoder that the model passes."""


def checked(config: DictConfig) -> Any:
    """The dataclass behind a composed configuration (a `RunConfig` for a run), every value resolved and within bounds.

    Raises:
        UserError: a value is out of bounds, or a key is not declared.
        omegaconf.errors.OmegaConfBaseException: a value has the wrong type or refers to nothing.
    """
    settings = copy.deepcopy(config)
    with open_dict(settings):
        settings.pop("hydra", None)
    refuse_undeclared(settings)
    OmegaConf.resolve(settings)
    parts = {key: settings[key] for key in ("encoder", "data") if isinstance(settings.get(key), DictConfig)}
    for key in parts:
        settings[key] = None
    found = OmegaConf.to_object(settings)
    if isinstance(found, RunConfig):
        found.encoder = checked_encoder(parts["encoder"])
        if isinstance(found, ReviewConfig):
            found.data = checked_data(parts["data"])
        found.optimizer = found.optimizer.settled(found.encoder.name)
    return found


def checked_encoder(node: DictConfig) -> EncoderConfig:
    """An encoder's keys: those that its class has no use for are null, the others typed and within bounds."""
    target = class_named(str(node._target_), "encoder._target_")
    if OmegaConf.get_type(node) is EncoderConfig:
        found = cast(EncoderConfig, OmegaConf.to_object(node))
    else:
        found = typed_part(node, EncoderConfig, "encoder", GIVEN_TO_ENCODERS)
    arguments = arguments_of(target)
    for shared in fields(EncoderConfig):
        if shared.name not in (*DESCRIBING, *arguments):
            setattr(found, shared.name, None)
    for name, argument in arguments.items():
        if name not in GIVEN_TO_ENCODERS and argument.default is argument.empty and getattr(found, name, None) is None:
            refuse_missing("encoder", name, found.name)
    return found


def checked_data(node: DictConfig) -> DataConfig:
    """A source's keys, typed and within the bounds of its class, with those that say where it lies (`places`)."""
    target = class_named(str(node._target_), "data._target_")
    found = typed_part(node, DataConfig, "data")
    source_of(found)
    found.places = getattr(target, "places", ())  # type: ignore[attr-defined]
    return found


def source_of(config: DataConfig) -> Any:
    """The source of reviews that a configuration describes, an object of its class; raises `UserError` for a value out
    of bounds."""
    target = class_named(config._target_, "data._target_")
    try:
        return target(**part_arguments(config, target))
    except ValueError as error:
        raise UserError(f"data={config.name}: {error}") from error


def recorded(settings: Mapping[str, Any]) -> Any:
    """The configuration of a finished run, a `ReviewConfig` or a `SequenceConfig`, from the plain values that it
    recorded. Nothing that they name is imported.

    Raises:
        UserError: they are not those of a run that this version can read.
    """
    kind = ReviewConfig if "data" in settings else SequenceConfig
    try:
        if "${" in str(settings):
            raise ValueError("it holds a reference, and a recorded value is plain")
        plain = {**settings, "task": {"_target_": "", "name": "reviews", **settings.get("task", {})}}
        if kind is SequenceConfig:  # of an earlier version, which copied ten symbols of eight
            plain["task"] = {"symbols": 10, "alphabet": 8, **plain["task"]}
        if "solved_score" in settings["trainer"]:  # of an earlier version
            plain["trainer"] = {**settings["trainer"], "target_score": settings["trainer"]["solved_score"]}
            del plain["trainer"]["solved_score"]
        plain["optimizer"] = {"default_learning_rate": settings["optimizer"]["learning_rate"], **settings["optimizer"]}
        parts = {key: plain.pop(key) for key in ("encoder", "data") if key in plain}
        schema = OmegaConf.merge(OmegaConf.structured(kind), dict(plain, **dict.fromkeys(parts)))
        found = OmegaConf.to_object(schema)
        assert isinstance(found, RunConfig)
        found.encoder = _recorded_part(EncoderConfig, parts["encoder"])
        if isinstance(found, ReviewConfig):
            found.data = _recorded_part(DataConfig, parts["data"])
    except (OmegaConfBaseException, UserError, LookupError, TypeError, ValueError, AttributeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"a run's config.yaml is of another version, or damaged ({reason}); train again") from error
    return found


def _recorded_part(base: type[Any], values: Mapping[str, Any]) -> Any:
    declared = {known.name for known in fields(base)}
    extra = [(name, Any, None) for name in values if name not in declared]
    return make_dataclass(base.__name__, extra, bases=(base,))(**values)


def refuse_undeclared(config: DictConfig, path: str = "") -> None:
    """Raise `UserError` for a key that no dataclass declares, as Hydra's `+key=…` and `++key=…` add."""
    schema = OmegaConf.get_type(config)
    known = [declared.name for declared in fields(schema)] if is_dataclass(schema) else None
    for key in config:
        if not isinstance(key, str):  # of a dictionary, which may have any
            continue
        full_key = f"{path}{key}"
        if known is not None and key not in known:
            raise UserError(unknown_key(full_key, known))
        if not OmegaConf.is_missing(config, key) and not OmegaConf.is_interpolation(config, key):
            value = config[key]
            if isinstance(value, DictConfig):
                refuse_undeclared(value, f"{full_key}.")
