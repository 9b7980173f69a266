"""`sentiment-rnn --help`, and that of the commands which Hydra configures. Nothing heavy is imported, so it is fast."""

import shutil
import textwrap
from collections.abc import Sequence
from pathlib import Path

from sentiment_rnn.cli.commands import COMMANDS, SOURCES, TRACKING, Command
from sentiment_rnn.config.documented import keys_of
from sentiment_rnn.config.folders import CONFIGURATION


def overview() -> str:
    """What the commands are."""
    lines = [f"  {name:<10} {command.purpose}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "How far back can a vanilla RNN remember, how far can an LSTM, and what does that cost on real text?",
            "",
            "usage: sentiment-rnn COMMAND …",
            "",
            *lines,
            "",
            "sentiment-rnn COMMAND --help tells more of each. First try: sentiment-rnn train experiment=demo",
        ]
    )


def help_of(name: str) -> str:
    """What a command is for, examples, groups and keys."""
    command = COMMANDS[name]
    return "\n".join(
        [
            command.purpose,
            "",
            f"usage: sentiment-rnn {name} [KEY=VALUE …]",
            "",
            *(f"  {example}" for example in command.examples),
            "",
            "Groups: GROUP=CHOICE, or a file of your own with --config-dir FOLDER",
            *_groups(command),
            "",
            "Keys: KEY=VALUE",
            *_keys(command),
            "",
            "Hydra's flags: --cfg job shows the configuration and runs nothing, -m runs every combination of values",
            "with commas, --hydra-help lists the others.",
            'Tab completion in bash: eval "$(sentiment-rnn -sc install=bash)"',
        ]
    )


def _groups(command: Command) -> list[str]:
    return [line for group in command.groups for line in _entry(group, ", ".join(choices(group)))]


def choices(group: str) -> list[str]:
    """The files of a group of `conf/`, without `.yaml`."""
    return sorted(path.stem for path in Path(CONFIGURATION, group).glob("*.yaml"))


def _keys(command: Command) -> list[str]:
    return [line for key, _, meaning in _all_keys(command) for line in _entry(key, meaning)]


def _all_keys(command: Command) -> list[tuple[str, str, str]]:
    """Each key with its type and its meaning; where several sources of reviews share one, that of the first."""
    sections = [prefix.removesuffix(".") for prefix, _, _ in command.keys]
    found: dict[str, tuple[str, str]] = {}
    for prefix, module, name in [part for keys in command.keys for part in (keys, *_sources(keys[0]))]:
        for key in keys_of(module, name):
            unused = prefix == TRACKING and command.of_tracking and key.name not in command.of_tracking
            if not key.name.startswith("_") and key.name not in sections and not unused:
                found.setdefault(prefix + key.name, (key.type, key.meaning))
    return [(key, kind, meaning) for key, (kind, meaning) in found.items()]


def _sources(prefix: str) -> list[tuple[str, str, str]]:
    """Prefix, file and class of the shipped sources' own keys, by the files of `conf/data/` that name them."""
    if prefix != f"{SOURCES}.":
        return []
    found = []
    for path in sorted(Path(CONFIGURATION, SOURCES).glob("*.yaml")):
        target = next(line.split()[1] for line in path.read_text(encoding="utf-8").splitlines() if "_target_:" in line)
        module, _, name = target.removeprefix("sentiment_rnn.").rpartition(".")
        found.append((prefix, module.replace(".", "/") + ".py", name))
    return found


def _entry(key: str, meaning: str, indent: int = 32) -> list[str]:
    """A key and its meaning beside it, or under it where the key is long."""
    width = max(60, min(120, shutil.get_terminal_size().columns))
    lines = textwrap.wrap(meaning, width - indent) or [""]
    head = f"  {key:<{indent - 3}} "
    first = [head + lines[0]] if len(head) == indent else [head.rstrip(), " " * indent + lines[0]]
    return first + [" " * indent + line for line in lines[1:]]


def configuration_page() -> str:
    """`docs/configuration.md`: every key of every command, in Markdown."""
    lines = [
        "# Configuration",
        "",
        "Every key that a command takes, with its type and its meaning. `make docs` writes this page from the",
        "docstrings of the schema; change those, not this page. Give a value as `KEY=VALUE`, a choice of a group as",
        "`GROUP=CHOICE`.",
        "",
    ]
    for name, command in COMMANDS.items():
        if not command.keys:
            continue
        lines += [f"## {name}", "", command.purpose, "", "```sh", *command.examples, "```", ""]
        groups = [(f"`{group}`", f"the files of `conf/{group}/`, without `.yaml`") for group in command.groups]
        keys = [(f"`{key}`", f"`{kind}`".replace("|", "\\|"), meaning) for key, kind, meaning in _all_keys(command)]
        lines += [*_table(("group", "choices"), groups), *_table(("key", "type", "meaning"), keys)]
    return "\n".join(lines)


def _table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    lines = [columns, ("---",) * len(columns), *rows]
    return [*(f"| {' | '.join(line)} |" for line in lines), ""]


if __name__ == "__main__":
    print(configuration_page(), end="")
