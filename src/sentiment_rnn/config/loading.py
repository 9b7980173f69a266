"""Checks configurations that Hydra composed or that a run recorded."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue

from sentiment_rnn.config.components import (
    arguments_of,
    class_having,
    class_named,
    part_arguments,
    typed_part,
)
from sentiment_rnn.config.run import LanguageModelConfig, ReviewConfig, RunConfig, SequenceConfig, TextConfig
from sentiment_rnn.config.schema import validated
from sentiment_rnn.config.sections import DESCRIBING, DataConfig, EncoderConfig
from sentiment_rnn.errors import UserError


def checked(config: DictConfig) -> RunConfig:
    """The `RunConfig` behind a composed configuration, every value resolved and within bounds.

    Raises:
        UserError: a key is not declared, or its value is not what the schema expects.
        omegaconf.errors.OmegaConfBaseException: a value refers to a key that does not exist.
    """
    run, encoder = checked_without_encoder(config)
    run.encoder = checked_encoder(encoder)
    run.optimizer = run.optimizer.settled(run.encoder.name)
    return run


def checked_without_encoder(config: DictConfig) -> tuple[RunConfig, dict[str, Any]]:
    """The same, but with the encoder unchecked, so that neither its class nor torch is imported; and the encoder's
    settings."""
    settings = plain(sections_of(config))
    run = validated(_kind_of(settings), settings)
    if isinstance(run, TextConfig):
        run.data = checked_data(settings["data"])
    return run, settings["encoder"]


def sections_of(config: DictConfig) -> DictConfig:
    """A composed configuration without Hydra's own section."""
    return OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])


def plain(config: DictConfig) -> dict[str, Any]:
    """A composed configuration in plain types, every reference resolved; raises `UserError` for a missing value."""
    try:
        return cast(dict[str, Any], OmegaConf.to_container(config, resolve=True, throw_on_missing=True))
    except MissingMandatoryValue as error:
        raise UserError(f"{error.full_key}: not given; give {error.full_key}=…") from error


def _kind_of(settings: Mapping[str, Any]) -> type[RunConfig]:
    texts = ReviewConfig if "pooling" in settings else LanguageModelConfig
    return texts if {"data", "embedding"} <= settings.keys() else SequenceConfig


def checked_encoder(settings: Mapping[str, Any]) -> EncoderConfig:
    """An encoder's keys, checked. Keys that are no arguments of its class are null."""
    target = class_having(settings["_target_"], "encoder._target_", "torch module", "forward")
    arguments = arguments_of(target)
    # The model passes the first argument: the size of the encoder's input.
    passed = tuple(name for name, argument in arguments.items() if argument.kind == argument.POSITIONAL_OR_KEYWORD)[:1]
    encoder = typed_part(settings, EncoderConfig, "encoder", passed)
    for shared in fields(EncoderConfig):
        if shared.name not in (*DESCRIBING, *arguments):
            setattr(encoder, shared.name, None)
    for name, argument in arguments.items():
        if name not in passed and argument.default is argument.empty and getattr(encoder, name, None) is None:
            raise UserError(f"encoder.{name}: not given; give encoder.{name}=…")
    return encoder


def checked_data(settings: Mapping[str, Any]) -> DataConfig:
    """A source's keys, also checked by its class; `places` names the keys that only say where the data lie."""
    target = class_having(settings["_target_"], "data._target_", "source of reviews", "read", "fingerprint")
    data = typed_part(settings, DataConfig, "data")
    source = source_of(data)
    if hasattr(source, "check"):
        source.check()
    type(data).places = getattr(target, "places", ())
    return data


def source_of(config: DataConfig) -> Any:
    """The source of reviews that a configuration describes, an object of its class; raises `UserError` for a value that
    the class refuses."""
    target = class_named(config._target_, "data._target_")
    try:
        return target(**part_arguments(config, target))
    except ValueError as error:
        raise UserError(f"data={config.name}: {error}") from error


def recorded(settings: Mapping[str, Any]) -> Any:
    """The configuration of a finished run, such as a `ReviewConfig`, from the plain values that it recorded. Keys that
    this version does not know are kept. Classes that the values name are not imported.

    Raises:
        UserError: this version cannot read the values.
    """
    try:
        return validated(_kind_of(settings), settings, lenient=True)
    except (UserError, LookupError, TypeError, AttributeError) as error:
        raise UserError(f"a run's config.yaml is of another version, or damaged ({error}); train again") from error
