"""Registers the schema of `conf/` with Hydra, and lists the contents of its files."""

from pathlib import Path
from typing import Any

import yaml
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from omegaconf import OmegaConf

from sentiment_rnn.config import CONFIGURATION
from sentiment_rnn.config.loading import checked
from sentiment_rnn.config.run import LanguageModelConfig, ReviewConfig, SequenceConfig
from sentiment_rnn.config.schema import defaults_of
from sentiment_rnn.config.sections import EncoderConfig, SearchConfig
from sentiment_rnn.errors import UserError


def register_schema() -> None:
    """Register the schema's keys and defaults under names such as `/schema/reviews`, for the YAML files. Then a key
    that is in no file needs no `+` on the command line."""
    store = ConfigStore.instance()
    kinds = {"reviews": ReviewConfig, "language_model": LanguageModelConfig, "sequences": SequenceConfig}
    for name, kind in kinds.items():
        store.store(group="schema", name=name, node=defaults_of(kind), package="_global_")
    store.store(group="schema", name="encoder", node=defaults_of(EncoderConfig))
    store.store(group="hydra/sweeper", name="search_schema", node=defaults_of(SearchConfig))


def run_config(*overrides: str) -> Any:
    """The checked configuration that `train` gets for these overrides; for scripts and tests, which have no command
    line."""
    from hydra import compose, initialize_config_dir

    register_schema()
    GlobalHydra.instance().clear()
    with initialize_config_dir(CONFIGURATION, version_base="1.3"):
        return checked(compose("config", list(overrides)))


def check_choice(override: str) -> None:
    """Raise `UserError` for an override that gives a group no choice, `encoder=null`, or several, `encoder=[rnn,lstm]`,
    which Hydra would merge into one. An experiment may be left out, or combine several. An override that uses a
    function of Hydra, `encoder=glob([r*,l*])`, is checked job by job."""
    group, equals, value = override.lstrip("+").partition("=")
    if not group.strip():
        raise UserError(f"{override}: expected KEY=VALUE")
    if not equals or "(" in value or group not in groups() or group == "experiment":
        return
    chosen = [yaml.safe_load(part.strip(" []{}'\"")) for part in value.split(",")]
    if "[" in value or not all(isinstance(choice, str) for choice in chosen):
        choices = ", ".join(_keys_of_choices(group))
        raise UserError(f"{override}: expected one of {choices}; -m {group}=A,B runs two in turn")


def groups() -> list[str]:
    """The groups of `conf/` that make up a run."""
    return sorted(path.name for path in Path(CONFIGURATION).iterdir() if path.is_dir() and path.name != "hydra")


def encoder_names() -> list[str]:
    """The encoders of `conf/` and of a user's own folders, by the `name` in their files."""
    found = []
    for source in GlobalHydra.instance().config_loader().get_sources():
        if source.is_group("encoder"):
            files = [source.load_config(f"encoder/{choice}") for choice in source.list("encoder", ObjectType.CONFIG)]
            found += [OmegaConf.select(file.config, key) for file in files for key in ("name", "encoder.name")]
    return [str(name) for name in found if name]


def choices_with_key(group: str, key: str) -> list[str]:
    """The choices of a group of `conf/` whose files have a key."""
    return [choice for choice, keys in _keys_of_choices(group).items() if key in keys]


def _keys_of_choices(group: str) -> dict[str, list[str]]:
    """The keys in each file of a group."""
    files = sorted(Path(CONFIGURATION, group).glob("*.yaml"))
    contents = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) or {} for path in files}
    return {choice: [key for key in content if key != "defaults"] for choice, content in contents.items()}
