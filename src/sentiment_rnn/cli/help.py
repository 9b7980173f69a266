"""`sentiment-rnn --help`, and that of the commands which Hydra configures.

Nothing heavy is imported, so it is fast: the meaning of a key is read from the docstrings of its dataclass.
"""

import ast
import re
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from sentiment_rnn.cli.commands import COMMANDS, SOURCES, TRACKING, Command
from sentiment_rnn.config.folders import CONFIGURATION, PACKAGE


class Key(NamedTuple):
    """One key of a dataclass."""

    name: str
    type: str
    meaning: str


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


def help_of(name: str, arguments: Sequence[str] = ()) -> str:
    """What a command is for, examples, groups and keys.

    Args:
        arguments: those beside `--help`. `--config-dir FOLDER` adds the choices of that folder. `all` lists every key
            and choice of a command whose help is one screen of the usual ones.
    """
    command = COMMANDS[name]
    groups = {group: list(dict.fromkeys(_own_choices(group, arguments) + choices(group))) for group in command.groups}
    return "\n".join(
        [
            command.purpose,
            "",
            f"usage: sentiment-rnn {name} [KEY=VALUE …]",
            "",
            *(f"  {example}" for example in command.examples),
            "",
            "Groups: GROUP=CHOICE, or a file of your own with --config-dir FOLDER",
            *(_everything(command, groups) if "all" in arguments or not command.usual else _usual(name, groups)),
        ]
    )


def _everything(command: Command, groups: Mapping[str, Sequence[str]]) -> list[str]:
    return [
        *_entries({group: ", ".join(names) for group, names in groups.items()}),
        "",
        "Keys: KEY=VALUE",
        *_entries({key: meaning for key, _, meaning in _all_keys(command)}),
        "",
        "Hydra's flags: --cfg job shows the configuration and runs nothing, -m runs every combination of values",
        "with commas, --hydra-help lists the others.",
        'Tab completion in bash: eval "$(sentiment-rnn -sc install=bash)"',
    ]


def _usual(name: str, groups: Mapping[str, Sequence[str]]) -> list[str]:
    """What fits one screen: groups with a choice, two lines of names at most, and the usual keys, a line each."""
    command = COMMANDS[name]
    meanings = {prefix + key.name: key.meaning for prefix, *declared in command.keys for key in keys_of(*declared)}
    return [
        *_entries({group: ", ".join(names) for group, names in groups.items() if len(names) > 1}, 2, "… (--help all)"),
        "",
        "Keys: KEY=VALUE, here with the value where none is given",
        *_entries({f"{key}={_default(key)}": meanings[key] for key in command.usual}, 1, "…"),
        "",
        "-m runs every combination of values with commas, --cfg job runs nothing.",
        f"All keys and choices: sentiment-rnn {name} --help all, or docs/configuration.md",
    ]


def choices(group: str, folder: str = CONFIGURATION) -> list[str]:
    """The files of a group of `conf/`, without `.yaml`."""
    return sorted(path.stem for path in Path(folder, group).glob("*.yaml"))


def _own_choices(group: str, arguments: Sequence[str]) -> list[str]:
    """Those of the folder that `--config-dir` names."""
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=True):
        flag, _, folder = argument.partition("=")
        if flag in ("--config-dir", "-cd"):
            return choices(group, folder or following)
    return []


def _default(key: str) -> str:
    """The value of a key of `train` on a command line that names none, as the file has it that the defaults choose."""
    section, _, name = key.rpartition(".")
    text = _file("config") + _file("task/reviews")
    if chosen := re.search(rf"- /?{section}: (\w+)", text):
        text = _file(f"{section}/{chosen[1]}")
    (value,) = re.findall(rf"^ *{name}: +([^#\n]*)", text, re.MULTILINE)
    return str(value).strip()


@cache
def _file(name: str) -> str:
    return Path(CONFIGURATION, f"{name}.yaml").read_text(encoding="utf-8")


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


def keys_of(module: str, name: str) -> list[Key]:
    """The keys of a dataclass and what its docstrings say of each.

    Args:
        module: a file of this package, `config/trainer.py` say.
        name: the class in it.
    """
    body = next(
        node.body
        for node in ast.parse((PACKAGE / module).read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and node.name == name
    )
    found = []
    for node, after in zip(body, [*body[1:], None], strict=True):
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)):
            continue
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            meaning = " ".join(str(after.value.value).split())
            found.append(Key(node.target.id, ast.unparse(node.annotation), meaning))
    return found


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
