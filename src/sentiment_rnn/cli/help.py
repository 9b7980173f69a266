"""Writes the help of `train` and docs/configuration.md, with the meanings of the keys from the schema."""

from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import yaml

from sentiment_rnn.config import CONFIGURATION
from sentiment_rnn.config.run import LanguageModelConfig, ReviewConfig, SequenceConfig
from sentiment_rnn.config.schema import expected, keys_of
from sentiment_rnn.config.sections import SearchConfig

EXAMPLES = (
    "sentiment-rnn train encoder=lstm data=imdb",
    "sentiment-rnn train -m encoder=rnn,lstm seed=0,1,2 study=mine",
    "sentiment-rnn train data=files data.train=reviews.csv encoder=gru",
)
GROUPS = ("encoder", "data", "experiment", "task", "trainer", "optimizer", "pooling", "tracking")
"""Groups of `conf/`."""
SECTIONS = ("", "task", "data", "embedding", "encoder", "pooling", "optimizer", "trainer", "tracking", "hydra.sweeper")
"""Sections of the configuration, in the order in which their keys are listed."""
USUAL = (
    "study",
    "seed",
    "precision",
    "encoder.hidden_size",
    "encoder.layers",
    "encoder.bidirectional",
    "embedding.size",
    "data.batch_size",
    "optimizer.learning_rate",
    "trainer.epochs",
    "trainer.threads",
    "tracking.directory",
)
"""The keys that the short help shows, which fits one screen."""
HINTS = """-m runs every combination of values with commas. --dry-run trains nothing.
--cfg job shows the configuration. --config-dir FOLDER adds choices of your own.
All keys: sentiment-rnn train --help all. Hydra's flags: --hydra-help"""


def show_help_of_train(purpose: str, every_key: bool) -> None:
    """Print purpose, examples, groups and keys of `train`.

    Args:
        purpose: one line.
        every_key: show all keys, not just the usual ones, which fit a screen.
    """
    from rich.console import Console
    from rich.table import Table

    keys = all_keys() if every_key else keys_of(ReviewConfig)
    shown = {
        "Groups: GROUP=CHOICE": {group: ", ".join(choices(group)) for group in GROUPS},
        "Keys: KEY=VALUE": {key: keys[key]["description"] for key in (keys if every_key else USUAL)},
    }
    console = Console(highlight=False, markup=False)
    console.print(purpose, "", "Usage: sentiment-rnn train [KEY=VALUE …]", "", sep="\n")
    console.print(*(f"  {example}" for example in EXAMPLES), sep="\n")
    for title, meanings in shown.items():
        table = Table.grid(padding=(0, 2, 0, 0), expand=True)
        # A list of choices is shown in full; the meaning of a usual key is cut to one line.
        table.add_column(no_wrap=True)
        table.add_column(ratio=1, no_wrap=not every_key and "KEY" in title, overflow="ellipsis")
        for name, meaning in meanings.items():
            table.add_row(f"  {name}", meaning)
        console.print(f"\n{title}", table, sep="\n")
    console.print(f"\n{HINTS}")


def choices(group: str) -> list[str]:
    """The files of a group of `conf/`, without `.yaml`."""
    return sorted(path.stem for path in Path(CONFIGURATION, group).glob("*.yaml"))


def all_keys() -> dict[str, dict[str, Any]]:
    """JSON schemas of all keys of `train`, by full name. A key of several classes has the schema of the first."""
    kinds = dict.fromkeys((SequenceConfig, ReviewConfig, LanguageModelConfig), "")
    files = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in Path(CONFIGURATION, "data").glob("*.yaml")]
    sources = {resolve_name(file["_target_"]): "data." for file in sorted(files, key=lambda file: str(file["name"]))}
    found: dict[str, dict[str, Any]] = {}
    for kind, prefix in (kinds | sources | {SearchConfig: "hydra.sweeper."}).items():
        found |= {key: declared for key, declared in keys_of(kind, prefix).items() if key not in found}
    ordered = sorted(found, key=lambda key: SECTIONS.index(key.rpartition(".")[0]))
    return {key: found[key] for key in ordered if not key.endswith("._target_")}


def configuration_page() -> str:
    """`docs/configuration.md`: every key of `train`, in Markdown."""
    groups = [f"| `{group}` | the files of `conf/{group}/`, without `.yaml` |" for group in GROUPS]
    keys = [f"| `{key}` | {expected(declared)} | {declared['description']} |" for key, declared in all_keys().items()]
    return "\n".join(
        [
            "# Configuration",
            "",
            "Every key that `train` takes, what it may be, and its meaning. `make docs` writes this page from the",
            "schema (`src/sentiment_rnn/config`); change that, not this page. Give a value as `KEY=VALUE`, a choice of",
            "a group as `GROUP=CHOICE`. The other commands take flags: `sentiment-rnn COMMAND --help`.",
            "",
            "```sh",
            *EXAMPLES,
            "```",
            "",
            *("| group | choices |", "| --- | --- |", *groups),
            "",
            *("| key | value | meaning |", "| --- | --- | --- |", *keys),
            "",
        ]
    )


if __name__ == "__main__":
    print(configuration_page(), end="")
