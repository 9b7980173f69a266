"""README and docs: their commands parse, their make targets exist, their links lead somewhere."""

import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser

from documented import DOCUMENTS, REPOSITORY, commands, targets
from sentiment_rnn.cli.help import COMMANDS
from sentiment_rnn.cli.main import command_in
from sentiment_rnn.config import CONFIGURATION
from sentiment_rnn.config.loading import checked
from sentiment_rnn.config.store import register_schema
from sentiment_rnn.sweeps.space import space_of


def name(path: Path) -> str:
    """A document's path in the repository."""
    return path.relative_to(REPOSITORY).as_posix()


OURS = [line for line in commands() if line.startswith("sentiment-rnn ")]
TARGETS = sorted({target for line in commands() for target in re.findall(r"^make ([a-z][a-z -]*)", line)})
OTHERS = ("source ", "curl ", "mlflow models serve", "python ", "make ", "docker ", "squeue")
"""Beginnings of the other lines: tested elsewhere, or of other programs."""


@pytest.mark.parametrize("line", OURS)
def test_a_documented_command_parses(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reviews.csv").write_text("text,label\ngood,1\nbad,0\n")
    (tmp_path / "stars.csv").write_text("text,stars\ngood,5\nbad,1\n")
    command, arguments = command_in(shlex.split(line)[1:])
    assert command in COMMANDS
    if command == "train":
        overrides = [argument for argument in arguments if "=" in argument and not argument.startswith("-")]
        register_schema()
        GlobalHydra.instance().clear()
        with initialize_config_dir(CONFIGURATION, version_base="1.3"):
            # Of a sweep over several values, or a range of them, the first of each.
            single = [re.sub(r"^([\w./]+=)(?:range\()?([^,\[({]+),.*", r"\1\2", override) for override in overrides]
            if "hydra/sweeper=search" in single:  # and of a search, the first ends of its space
                single = space_of(OverridesParser.create().parse_overrides(single)).examples()[0]
            checked(compose("config", single))
    else:
        given = {argument for argument in arguments if argument.startswith("--")}
        assert all(option in help_of(command) for option in given)
        assert not [word for word in arguments if re.match(r"[\w.]+=", word)], "of train alone"


@cache
def help_of(command: str) -> str:
    """What a command prints for `--help`."""
    asked = [sys.executable, "-m", "sentiment_rnn", command, "--help"]
    return subprocess.run(asked, capture_output=True, text=True, timeout=60, check=True).stdout


def test_no_documented_line_is_left_unread() -> None:
    assert [line for line in commands() if line not in OURS and not line.startswith(OTHERS)] == []


@pytest.mark.parametrize("named", TARGETS)
def test_a_documented_target_exists(named: str) -> None:
    assert set(named.split()) <= targets()


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if path.parent.name != "protocols"], ids=name)
def test_every_link_leads_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    elsewhere = ("http", "#", "data:", "site:")  # the last: on the site alone, whose links have a test of their own
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not link.startswith(elsewhere)]
    assert [link for link in links if not (path.parent / link.partition("#")[0]).exists()] == []


def test_the_first_command_of_the_readme_comes_before_its_findings() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert re.search(r"^make ", readme.partition("\n## Findings\n")[0], re.MULTILINE)


STUDIES = sorted(
    page for folder in REPOSITORY.glob("experiments/*/study.yaml") for page in folder.parent.glob("*.md")
)  # fmt: skip


@pytest.mark.parametrize("page", STUDIES, ids=name)
def test_a_line_parts_a_page_of_a_study_from_its_appendix(page: Path) -> None:
    assert "\n---\n" in page.read_text(encoding="utf-8")


def test_the_image_is_built_by_commands_that_are_run_elsewhere() -> None:
    steps = re.findall(r"^(?:RUN|CMD) (.*)", (REPOSITORY / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert {target for step in steps for target in re.findall(r"make[ \",]+([a-z]+)", step)} == {
        "setup",
        "demo",
        "serve",
    }
