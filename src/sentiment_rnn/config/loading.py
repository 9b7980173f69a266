"""Checked configurations, from those that Hydra composed or that a run recorded."""

from collections.abc import Mapping
from dataclasses import fields, make_dataclass
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sentiment_rnn.config.components import arguments_of, class_named, part_arguments, refuse_missing, typed_part
from sentiment_rnn.config.data import DataConfig
from sentiment_rnn.config.model import DESCRIBING, EncoderConfig
from sentiment_rnn.config.optimizer import OptimizerConfig
from sentiment_rnn.config.run import LanguageModelConfig, ReviewConfig, RunConfig, SequenceConfig, TextConfig
from sentiment_rnn.config.tracking import TrackingConfig
from sentiment_rnn.errors import UserError


def checked(config: DictConfig) -> RunConfig:
    """The `RunConfig` behind a composed configuration, every value resolved and within bounds.

    Raises:
        UserError: a value is out of bounds, or a key is not declared.
        omegaconf.errors.OmegaConfBaseException: a value has the wrong type or refers to nothing.
    """
    settings = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    found, parts = _typed(OmegaConf.get_type(config), OmegaConf.to_container(settings, resolve=True))
    nodes = OmegaConf.create(parts)
    found.encoder = checked_encoder(nodes.encoder)
    if isinstance(found, TextConfig):
        found.data = checked_data(nodes.data)
    found.optimizer = found.optimizer.settled(found.encoder.name)
    return found


def _typed(kind: Any, plain: Any) -> tuple[RunConfig, dict[str, Any]]:
    """Plain values as a configuration without its encoder and its source of reviews, whose classes have keys of their
    own; and these two."""
    parts = {key: plain.pop(key) for key in ("encoder", "data") if key in plain}
    schema = OmegaConf.merge(OmegaConf.structured(kind), dict(plain, **dict.fromkeys(parts)))
    return cast(RunConfig, OmegaConf.to_object(schema)), parts


def checked_encoder(node: DictConfig) -> EncoderConfig:
    """An encoder's keys: those that its class has no use for are null, the others typed and within bounds."""
    target = class_named(str(node._target_), "encoder._target_")
    arguments = arguments_of(target)
    # The model passes the first: the size of what the encoder reads.
    passed = [name for name, one in arguments.items() if one.kind == one.POSITIONAL_OR_KEYWORD][:1]
    found = typed_part(node, EncoderConfig, "encoder", passed)
    for shared in fields(EncoderConfig):
        if shared.name not in (*DESCRIBING, *arguments):
            setattr(found, shared.name, None)
    for name, argument in arguments.items():
        if name not in passed and argument.default is argument.empty and getattr(found, name, None) is None:
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
    """The configuration of a finished run, a `ReviewConfig` say, from the plain values that it
    recorded. Nothing that they name is imported.

    Raises:
        UserError: they are not those of a run that this version can read.
    """
    texts = ReviewConfig if "pooling" in settings else LanguageModelConfig
    kind = texts if "data" in settings else SequenceConfig
    try:
        if "${" in str(settings):
            raise ValueError("it holds a reference, and a recorded value is plain")
        # An earlier version had others.
        kept = {
            section: {key.name: settings[section][key.name] for key in fields(known) if key.name in settings[section]}
            for section, known in {"optimizer": OptimizerConfig, "tracking": TrackingConfig}.items()
        }
        found, parts = _typed(kind, {**settings, **kept})
        found.encoder = _recorded_part(EncoderConfig, parts["encoder"])
        if isinstance(found, TextConfig):
            found.data = _recorded_part(DataConfig, parts["data"])
    except (OmegaConfBaseException, UserError, LookupError, TypeError, ValueError, AttributeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"a run's config.yaml is of another version, or damaged ({reason}); train again") from error
    return found


def _recorded_part(base: type[Any], values: Mapping[str, Any]) -> Any:
    declared = {known.name for known in fields(base)}
    extra = [(name, Any, None) for name in values if name not in declared]
    return make_dataclass(base.__name__, extra, bases=(base,))(**values)
