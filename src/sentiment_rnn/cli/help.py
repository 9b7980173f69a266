"""`sentiment-rnn --help`, that of `train`, and docs/configuration.md.

Nothing heavy is imported, so it is fast: the meaning of a key is read from the docstrings of its dataclass.
"""

import ast
import re
import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from sentiment_rnn.config.folders import CONFIGURATION, PACKAGE

COMMANDS = ("train", "compare", "publish", "runs", "runs prune", "predict", "evaluate", "inspect", "serve")
"""Each is a file of this folder, whose docstring is its help."""

EXAMPLES = (
    "sentiment-rnn train encoder=lstm data=imdb",
    "sentiment-rnn train -m encoder=rnn,lstm seed=0,1,2 study=mine",
    "sentiment-rnn train data=files data.train=reviews.csv encoder=gru",
)
GROUPS = ("encoder", "data", "experiment", "task", "trainer", "optimizer", "pooling", "tracking")
"""Groups of `conf/`."""
SECTIONS = {
    "": ("config/run.py", "RunConfig"),
    "task.": ("config/task.py", "SequenceTaskConfig"),
    "data.": ("config/data.py", "DataConfig"),
    "embedding.": ("config/model.py", "EmbeddingConfig"),
    "encoder.": ("config/model.py", "EncoderConfig"),
    "pooling.": ("config/model.py", "PoolingConfig"),
    "optimizer.": ("config/optimizer.py", "OptimizerConfig"),
    "trainer.": ("config/trainer.py", "TrainerConfig"),
    "tracking.": ("config/tracking.py", "TrackingConfig"),
    "hydra.sweeper.": ("config/search.py", "SearchConfig"),
}
"""File and class of keys, by their prefix."""
OF_TASKS = {
    "": [("config/run.py", "ReviewConfig")],
    "task.": [("config/task.py", "ReviewTaskConfig"), ("config/task.py", "LanguageModelTaskConfig")],
}
"""The same of keys that one task has."""
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


class Key(NamedTuple):
    """One key of a dataclass."""

    name: str
    type: str
    meaning: str


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
    return str(ast.get_docstring(_tree(file), clean=False)).partition("\n")[0]


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
        *_entries({name: meaning for name, _, meaning in all_keys()}),
        "",
        "-m runs every combination of values with commas. --dry-run says what would be trained, and about how long.",
        "Hydra's flags: --cfg job shows the configuration and runs nothing, --hydra-help lists the others.",
        'Tab completion in bash: eval "$(sentiment-rnn -sc install=bash)"',
    ]


def _usual(groups: Mapping[str, Sequence[str]]) -> list[str]:
    """Help on one screen: groups with a choice, two lines of names at most, and the usual keys, a line each."""
    meanings = {name: meaning for name, _, meaning in all_keys()}
    return [
        *_entries({group: ", ".join(names) for group, names in groups.items() if len(names) > 1}, 2, "… (--help all)"),
        "",
        "Keys: KEY=VALUE, here with the value where none is given",
        *_entries({f"{key}={_default(key)}": meanings[key] for key in USUAL}, 1, "…"),
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


def _default(key: str) -> str:
    """The value of a key on a command line that names none, as the file has it that the defaults choose."""
    section, _, name = key.rpartition(".")
    text = _file("config") + _file("task/reviews")
    if chosen := re.search(rf"- /?{section}: (\w+)", text):
        text = _file(f"{section}/{chosen[1]}")
    (value,) = re.findall(rf"^ *{name}: +([^#\n]*)", text, re.MULTILINE)
    return str(value).strip()


@cache
def _file(name: str) -> str:
    return Path(CONFIGURATION, f"{name}.yaml").read_text(encoding="utf-8")


def all_keys() -> list[Key]:
    """Each key with its whole name; where several sources of reviews share one, that of the first."""
    found: dict[str, Key] = {}
    for prefix, declared in SECTIONS.items():
        for module, name in [declared, *OF_TASKS.get(prefix, ()), *(_sources() if prefix == "data." else ())]:
            for key in keys_of(module, name):
                if not key.name.startswith("_") and f"{key.name}." not in SECTIONS:
                    found.setdefault(prefix + key.name, key._replace(name=prefix + key.name))
    return list(found.values())


def keys_of(module: str, name: str) -> list[Key]:
    """The keys of a dataclass and what its docstrings say of each.

    Args:
        module: a file of this package, `config/trainer.py` say.
        name: the class in it.
    """
    declared = _tree(PACKAGE / module).body
    body = next(node.body for node in declared if isinstance(node, ast.ClassDef) and node.name == name)
    found = []
    for node, after in zip(body, [*body[1:], None], strict=True):
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)):
            continue
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            meaning = " ".join(str(after.value.value).split())
            found.append(Key(node.target.id, ast.unparse(node.annotation), meaning))
    return found


@cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def _sources() -> Iterator[tuple[str, str]]:
    """File and class of the shipped sources of reviews, whose keys are their own, as `conf/data/` names them."""
    for choice in choices("data"):
        target = re.findall(r"^_target_: +sentiment_rnn\.(\S+)\.(\w+)", _file(f"data/{choice}"), re.MULTILINE)
        yield from ((module.replace(".", "/") + ".py", name) for module, name in target)


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
    groups = [f"| `{group}` | the files of `conf/{group}/`, without `.yaml` |" for group in GROUPS]
    keys = ["| `{}` | `{}` | {} |".format(key.name, key.type.replace("|", "\\|"), key.meaning) for key in all_keys()]
    return "\n".join(
        [
            "# Configuration",
            "",
            "Every key that `train` takes, with its type and its meaning. `make docs` writes this page from the",
            "docstrings of the schema; change those, not this page. Give a value as `KEY=VALUE`, a choice of a group",
            "as `GROUP=CHOICE`. The other commands take flags: `sentiment-rnn COMMAND --help`.",
            "",
            "```sh",
            *EXAMPLES,
            "```",
            "",
            *("| group | choices |", "| --- | --- |", *groups),
            "",
            *("| key | type | meaning |", "| --- | --- | --- |", *keys),
            "",
        ]
    )


if __name__ == "__main__":
    print(configuration_page(), end="")
