"""The documents promise a reader that every link leads somewhere, and that the image is built by commands that are run
elsewhere."""

import re
from pathlib import Path

import pytest

from documented import DOCUMENTS, REPOSITORY


def name(path: Path) -> str:
    """A document's path in the repository."""
    return path.relative_to(REPOSITORY).as_posix()


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if path.parent.name != "protocols"], ids=name)
def test_every_link_leads_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    elsewhere = ("http", "#", "data:", "site:")  # the last: on the site alone, whose links have a test of their own
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not link.startswith(elsewhere)]
    assert [link for link in links if not (path.parent / link.partition("#")[0]).exists()] == []


def test_the_image_is_built_by_commands_that_are_run_elsewhere() -> None:
    steps = re.findall(r"^(?:RUN|CMD) (.*)", (REPOSITORY / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    targets = {target for step in steps for target in re.findall(r"make[ \",]+([a-z]+)", step)}
    assert targets == {"setup", "demo", "serve"}
