"""The page: what the studies found, their figures, and texts to explore, in one HTML file that needs no network."""

import base64
import json
import re
from dataclasses import dataclass
from pathlib import Path

from sentiment_rnn.analysis.tables import Table
from sentiment_rnn.checks import UserError
from sentiment_rnn.pages.render import embedded_json, render
from sentiment_rnn.studies import STUDIES
from sentiment_rnn.studies.findings import FAILS, HOLDS, IN_PART

MARKS = {HOLDS: "holds", IN_PART: "part", FAILS: "fails"}
"""CSS class of each verdict."""


@dataclass(frozen=True)
class Picture:
    """A figure, and what it shows in words."""

    description: str
    path: Path
    """The PNG."""

    @property
    def address(self) -> str:
        """The PNG itself, as a `data:` address."""
        return "data:image/png;base64," + base64.b64encode(self.path.read_bytes()).decode()


@dataclass(frozen=True)
class Section:
    """A study as the page shows it."""

    name: str
    title: str
    verdicts: list[dict[str, str]]
    pictures: list[Picture]


def build_page(experiments: Path) -> str:
    """The HTML of what lies in `experiments`, a folder a study; studies that have not run are left out.

    Raises:
        UserError: no study has run.
    """
    sections = sections_of(experiments)
    explorer = experiments / "gates" / "explorer.json"
    return render(
        "report.html.jinja",
        sections=sections,
        marks=MARKS,
        missing=[name for name in STUDIES if name not in {section.name for section in sections}],
        explorer=embedded_json(json.loads(explorer.read_text())) if explorer.exists() else None,
    )


def sections_of(experiments: Path) -> list[Section]:
    """The studies that have run, in their order; raises `UserError` where none has."""
    found = [section_of(experiments / name) for name in STUDIES if (experiments / name / "verdicts.json").exists()]
    if not found:
        raise UserError(f"experiments={experiments}: no study has run there; run make study NAME={STUDIES[0]} first")
    return found


def verdict_table(sections: list[Section]) -> Table:
    """Every claim with its verdict, for a document beside `experiments/`."""
    rows = []
    for section in sections:
        link = f"[{section.name}](experiments/{section.name})"
        rows += [(found["claim"], f"**{found['verdict']}**", found["evidence"], link) for found in section.verdicts]
    return Table("The lesson's claims, put to the test", ("claim", "verdict", "evidence", "study"), rows)


def section_of(folder: Path) -> Section:
    """Verdicts and figures of a study; title and descriptions of the figures are its README's."""
    readme = (folder / "README.md").read_text()
    title = readme.splitlines()[0].removeprefix("# ")
    pictures = [
        Picture(description, folder / file)
        for description, file in re.findall(r"^!\[([^\]]+)\]\(([\w.]+\.png)\)$", readme, re.MULTILINE)
        if (folder / file).exists()
    ]
    return Section(folder.name, title, json.loads((folder / "verdicts.json").read_text()), pictures)
