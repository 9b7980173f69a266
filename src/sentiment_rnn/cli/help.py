"""`sentiment-rnn --help`, that of `train`, and docs/configuration.md: the meanings of the keys are the schema's."""

import ast
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from sentiment_rnn.config import CONFIGURATION, PACKAGE
from sentiment_rnn.errors import as_given

COMMANDS = ("train", "compare", "publish", "runs", "runs prune", "predict", "evaluate", "inspect", "serve")
"""Each is a file of this folder, whose docstring is its help."""

EXAMPLES = (
    "sentiment-rnn train encoder=lstm data=imdb",
    "sentiment-rnn train -m encoder=rnn,lstm seed=0,1,2 study=mine",
    "sentiment-rnn train data=files data.train=reviews.csv encoder=gru",
)
GROUPS = ("encoder", "data", "experiment", "task", "trainer", "optimizer", "pooling", "tracking")
"""Groups of `conf/`."""
SECTIONS = ("", "task", "data", "embedding", "encoder", "pooling", "optimizer", "trainer", "tracking", "hydra.sweeper")
"""Of the configuration, in the order in which their keys are listed."""
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
"""The keys that the help of one screen shows."""


def overview() -> str:
    """A list of the commands and their purposes."""
    return "\n".join(
        [
            "How far back can a vanilla RNN remember, how far can an LSTM, and what does that cost on real text?",
            "",
            "usage: sentiment-rnn COMMAND …",
            "",
            *(f"  {name:<10} {purpose_of(name)}" for name in COMMANDS),
            "",
            "sentiment-rnn COMMAND --help tells more of each. First try: sentiment-rnn train experiment=demo",
        ]
    )


def purpose_of(name: str) -> str:
    """Purpose of a command: the first line of its file."""
    file = PACKAGE / "cli" / f"{name.replace(' ', '_')}.py"
    return str(ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))).partition("\n")[0]


def help_of_train(arguments: Sequence[str] = ()) -> str:
    """Purpose, examples, groups and keys of `train`.

    Args:
        arguments: the words beside `--help`. `--config-dir FOLDER` adds the choices of that folder. `all` lists every
            key and choice; the default is one screen of the usual ones.
    """
    groups = {group: list(dict.fromkeys(_own_choices(group, arguments) + choices(group))) for group in GROUPS}
    return "\n".join(
        [
            purpose_of("train"),
            "",
            "usage: sentiment-rnn train [KEY=VALUE …]",
            "",
            *(f"  {example}" for example in EXAMPLES),
            "",
            "Groups: GROUP=CHOICE, or a file of your own with --config-dir FOLDER",
            *(_everything(groups) if "all" in arguments else _usual(groups)),
        ]
    )


def _everything(groups: Mapping[str, Sequence[str]]) -> list[str]:
    return [
        *_entries({group: ", ".join(names) for group, names in groups.items()}),
        "",
        "Keys: KEY=VALUE",
        *_entries({name: declared["description"] for name, declared in all_keys().items()}),
        "",
        "-m runs every combination of values with commas. --dry-run says what would be trained, and about how long.",
        "Hydra's flags: --cfg job shows the configuration and runs nothing, --hydra-help lists the others.",
        'Tab completion in bash: eval "$(sentiment-rnn -sc install=bash)"',
    ]


def _usual(groups: Mapping[str, Sequence[str]]) -> list[str]:
    """Help on one screen: groups with a choice, two lines of names at most, and the usual keys, a line each."""
    from sentiment_rnn.config.run import ReviewConfig
    from sentiment_rnn.config.schema import keys_of

    keys = keys_of(ReviewConfig)
    return [
        *_entries({group: ", ".join(names) for group, names in groups.items() if len(names) > 1}, 2, "… (--help all)"),
        "",
        "Keys: KEY=VALUE, here with the value where none is given",
        *_entries({f"{key}={as_given(_default(key))}": keys[key]["description"] for key in USUAL}, 1, "…"),
        "",
        "-m runs every combination of values with commas; --dry-run trains nothing.",
        "All keys and choices: sentiment-rnn train --help all, or docs/configuration.md",
    ]


def choices(group: str, folder: str = CONFIGURATION) -> list[str]:
    """The files of a group of `conf/`, without `.yaml`."""
    return sorted(path.stem for path in Path(folder, group).glob("*.yaml"))


def _own_choices(group: str, arguments: Sequence[str]) -> list[str]:
    """Choices in the folder that `--config-dir` names."""
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=True):
        flag, _, folder = argument.partition("=")
        if flag in ("--config-dir", "-cd"):
            return choices(group, folder or following)
    return []


def _default(key: str) -> Any:
    """The value of a key on a command line that names none, from the files that the defaults choose."""
    section, _, name = key.rpartition(".")
    files: list[dict[str, Any]] = [_file("config"), _file("task/reviews")]
    defaults = [entry for file in files for entry in file["defaults"] if isinstance(entry, dict)]
    chosen = [choice for entry in defaults for group, choice in entry.items() if group.strip("/") == section]
    if chosen:
        files = [_file(f"{section}/{chosen[0]}")]
    elif section:
        files = [file.get(section, {}) for file in files]
    return next(values[name] for values in files if name in values)


@cache
def _file(name: str) -> Any:
    import yaml

    return yaml.safe_load(Path(CONFIGURATION, f"{name}.yaml").read_text(encoding="utf-8"))


@cache
def all_keys() -> dict[str, dict[str, Any]]:
    """Each key of `train` by its whole name, with its JSON schema, of the first class that has it."""
    # Here, since pydantic takes a while to load, which the help of no other command needs.
    from sentiment_rnn.config.run import LanguageModelConfig, ReviewConfig, SequenceConfig
    from sentiment_rnn.config.schema import keys_of
    from sentiment_rnn.config.sections import SearchConfig

    kinds = dict.fromkeys((SequenceConfig, ReviewConfig, LanguageModelConfig), "")
    sources = {resolve_name(_file(f"data/{choice}")["_target_"]): "data." for choice in choices("data")}
    found: dict[str, dict[str, Any]] = {}
    for kind, prefix in (kinds | sources | {SearchConfig: "hydra.sweeper."}).items():
        found |= {key: declared for key, declared in keys_of(kind, prefix).items() if key not in found}
    ordered = sorted(found, key=lambda key: SECTIONS.index(key.rpartition(".")[0]))
    return {key: found[key] for key in ordered if not key.endswith("._target_")}


def _entries(rows: Mapping[str, str], most_lines: int | None = None, rest: str = "") -> list[str]:
    """Keys and their meanings side by side, or one under the other where a key is long.

    Args:
        most_lines: of a meaning; all where not given.
        rest: what stands for the words that are left out.
    """
    width = max(60, min(120, shutil.get_terminal_size().columns))
    indent = min(32, 4 + max(map(len, rows)))
    lines = []
    for key, meaning in rows.items():
        head = f"  {key:<{indent - 3}} "
        said = textwrap.wrap(meaning, width - indent, max_lines=most_lines, placeholder=f" {rest}") or [""]
        if len(head) > indent:
            lines.append(head.rstrip())
            head = " " * indent
        lines += [start + line for start, line in zip([head, *[" " * indent] * len(said)], said, strict=False)]
    return lines


def configuration_page() -> str:
    """`docs/configuration.md`: every key of `train`, in Markdown."""
    from sentiment_rnn.config.schema import expected

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
