"""Where `conf/` is, and its schema as Hydra knows it."""

from collections.abc import Iterator
from pathlib import Path

import yaml
from hydra.core.config_store import ConfigStore

from sentiment_rnn.config.commands import CompareConfig, ReportConfig, StudyConfig
from sentiment_rnn.config.model import EncoderConfig
from sentiment_rnn.config.run import ReviewConfig, SequenceConfig

PACKAGE = Path(__file__).resolve().parents[1]
CONFIGURATION = str(next(path for path in (PACKAGE / "conf", PACKAGE.parents[1] / "conf") if path.is_dir()))
"""The folder: in the package where a wheel was installed, at the top of a checkout."""

SCHEMA = {
    "reviews": ReviewConfig,
    "sequences": SequenceConfig,
    "compare": CompareConfig,
    "report": ReportConfig,
    "study": StudyConfig,
}
"""Root schemas, by the name under which YAML files refer to them: `/schema/reviews`."""


def register_schema() -> None:
    """Make the dataclasses known to the YAML files that name them."""
    store = ConfigStore.instance()
    for name, node in SCHEMA.items():
        store.store(group="schema", name=name, node=node, package="_global_")
    store.store(group="schema", name="encoder", node=EncoderConfig)


def keys_of_group(group: str) -> list[str]:
    """The keys that the files of a group of `conf/` have, `data` say: a source's keys are those of its class."""
    return list(dict.fromkeys(_keys(Path(CONFIGURATION, group))))


def choices_with_key(group: str, key: str) -> list[str]:
    """The choices of a group of `conf/` whose files have a key."""
    files = sorted(Path(CONFIGURATION, group).glob("*.yaml"))
    return [path.stem for path in files if key in (yaml.safe_load(path.read_text(encoding="utf-8")) or {})]


def _keys(folder: Path) -> Iterator[str]:
    for path in sorted(folder.glob("*.yaml")):
        for key in yaml.safe_load(path.read_text(encoding="utf-8")) or ():
            if key != "defaults":
                yield key
