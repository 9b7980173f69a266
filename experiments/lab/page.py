"""Builds one HTML page with verdicts and figures of all studies, which needs no network."""

import base64
import re
from dataclasses import dataclass
from pathlib import Path

from experiments.lab.rules import FAILS, HOLDS, IN_PART, UNDECIDED
from experiments.lab.study import Study
from experiments.lab.summary import chosen_tables, judged_claims, learned_table, protocol_table
from experiments.lab.write import all_findings
from sentiment_rnn.report.pages import render

MARKS = {HOLDS: "holds", IN_PART: "part", FAILS: "fails", UNDECIDED: "undecided"}
"""CSS class of each verdict."""


@dataclass(frozen=True)
class Picture:
    """A figure, and a description of it."""

    description: str
    path: Path
    """The PNG."""

    @property
    def address(self) -> str:
        """The image as a `data:` address."""
        return "data:image/png;base64," + base64.b64encode(self.path.read_bytes()).decode()


def build_page(root: Path) -> str:
    """The HTML of all studies."""
    findings = all_findings(root)
    claims = judged_claims(findings)
    sections = [
        (
            study,
            {
                name: protocol_table(study, protocol, claims)
                for name, protocol in study.protocols.items()
                if protocol.claims
            },
            pictures_of(study),
        )
        for study, _ in findings
    ]
    return render(
        "report.html.jinja",
        Path(__file__).parent,
        answer=learned_table(findings),
        leading=next((one for *_, of in sections for one in of if one.path.stem == "reach_search"), None),
        chosen=chosen_tables(root / "experiments", claims, study=lambda one: one.study.name).values(),
        sections=sections,
        marks=MARKS,
        names=[study.name for study, _ in findings],
        missing=[name for _, tables, _ in sections for name, table in tables.items() if not table.rows],
    )


def pictures_of(study: Study) -> list[Picture]:
    """The figures that the pages of a study show, each once, with their descriptions; its README's come first."""
    pages = [study.folder / name for name in dict.fromkeys(["README.md", *map(study.page, study.protocols)])]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages if page.is_file())
    found = re.findall(r"^!\[([^\]]+)\]\((figures/[\w.]+\.png)\)$", text, re.MULTILINE)
    by_file = {file: Picture(description, study.folder / file) for description, file in reversed(found)}
    return [by_file[file] for file in dict.fromkeys(file for _, file in found) if by_file[file].path.exists()]
