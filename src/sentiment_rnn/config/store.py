"""The schema of `conf/` as Hydra knows it, and what its files hold."""

from pathlib import Path
from typing import Any

import yaml
from hydra.core.config_store import ConfigStore

from sentiment_rnn.config.commands import CompareConfig, PruneConfig, ReportConfig, RunsConfig, StudyConfig
from sentiment_rnn.config.folders import CONFIGURATION
from sentiment_rnn.config.loading import checked
from sentiment_rnn.config.model import EncoderConfig
from sentiment_rnn.config.run import ReviewConfig, SequenceConfig
from sentiment_rnn.config.search import SearchConfig

SCHEMA = {
    "reviews": ReviewConfig,
    "sequences": SequenceConfig,
    "compare": CompareConfig,
    "report": ReportConfig,
    "study": StudyConfig,
    "runs": RunsConfig,
    "prune": PruneConfig,
}
"""Root schemas, by the name under which YAML files refer to them: `/schema/reviews`."""


def register_schema() -> None:
    """Make the dataclasses known to the YAML files that name them."""
    store = ConfigStore.instance()
    for name, node in SCHEMA.items():
        store.store(group="schema", name=name, node=node, package="_global_")
    store.store(group="schema", name="encoder", node=EncoderConfig)
    store.store(group="hydra/sweeper", name="search_schema", node=SearchConfig)


def run_config(*overrides: str) -> Any:
    """The checked configuration that `train` gets for these overrides; for scripts and tests, which have no command
    line."""
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    register_schema()
    GlobalHydra.instance().clear()
    with initialize_config_dir(CONFIGURATION, version_base="1.3"):
        return checked(compose("config", list(overrides)))


def keys_of_group(group: str) -> list[str]:
    """The keys that the files of a group of `conf/` have, `data` say: a source's keys are those of its class."""
    return list(dict.fromkeys(key for keys in _keys_of_choices(group).values() for key in keys))


def choices_with_key(group: str, key: str) -> list[str]:
    """The choices of a group of `conf/` whose files have a key."""
    return [choice for choice, keys in _keys_of_choices(group).items() if key in keys]


def _keys_of_choices(group: str) -> dict[str, list[str]]:
    """The keys in each file of a group."""
    files = sorted(Path(CONFIGURATION, group).glob("*.yaml"))
    contents = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) or {} for path in files}
    return {choice: [key for key in content if key != "defaults"] for choice, content in contents.items()}
