"""The page: verdicts and figures of the studies, and texts to explore, in one HTML file that needs no network."""

import base64
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from sentiment_rnn.errors import UserError
from sentiment_rnn.report.pages.render import embedded_json, render
from sentiment_rnn.report.tables import Table
from sentiment_rnn.studies import all_studies, long_range, mid_range, real_text, steady_rate, variants
from sentiment_rnn.studies.answer import LEADING_FIGURE, answer, verdicts_of
from sentiment_rnn.studies.kit.findings import VERDICTS
from sentiment_rnn.studies.kit.verdicts import FAILS, HOLDS, IN_PART, UNDECIDED

MORE_STEPS = ("budget", "With ten times the steps, initializations that fail over 50 tokens learn them.")
"""Asks again what was said of runs of 1,800 steps."""
LATER = {
    ("learnability", "An LSTM with the usual initialization remembers further than a vanilla RNN."): (
        "own_rate", "Over 50 tokens a vanilla RNN learns as often as an LSTM with the usual initialization.",
    ),
    ("learnability", "A vanilla RNN has a bad long-term memory."): ("long_range", long_range.RNNS_FAIL),
    ("learnability", "With the best initialization of each, an LSTM remembers further than a vanilla RNN."): (
        "long_range", long_range.BEST_AGAINST_BEST,
    ),
    ("learnability", "The initialization decides how far an LSTM remembers."): ("long_range", long_range.CHRONO_HELPS),
    ("learnability", "A GRU does what an LSTM does."): ("own_rate", "A GRU does what an LSTM does."),
    ("learnability", "It is enough that the gradient does not vanish at first."): (
        "own_rate", "It is enough that the gradient does not vanish at first.",
    ),
    ("learnability", "Open forget gates alone do not make an LSTM learn."): MORE_STEPS,
    ("own_rate", "Open forget gates alone do not make an LSTM learn."): MORE_STEPS,
    ("own_rate", "The initialization decides whether a vanilla RNN learns."): MORE_STEPS,
    ("causes", "The gradient goes along the cell."): ("mid_range", mid_range.WITHOUT_CELL_GRADIENT.text),
    ("causes", "The input gate is needed."): ("mid_range", mid_range.WITHOUT_INPUT_GATE.text),
    ("real_text", real_text.AGAINST_RNN.text): ("steady_rate", steady_rate.LSTM_AHEAD),
    ("variants", variants.WIDE_RNN): ("steady_rate", steady_rate.LSTM_AHEAD_OF_WIDE),
    ("variants", variants.DEEP_RNN): ("steady_rate", steady_rate.LSTM_AHEAD_OF_DEEP),
    ("variants", variants.RNN_LENGTH): ("steady_rate", steady_rate.LENGTH),
    ("variants", variants.RNN_PLACE): ("steady_rate", steady_rate.PLACE),
}  # fmt: skip
"""Claims that a later study asked again and better, by study and claim: where its answer stands. A reader of the first
verdict needs the second."""
RELATED = {
    ("own_rate", "Over 50 tokens a vanilla RNN learns as often as an LSTM with the usual initialization."): (
        "mid_range", mid_range.USUAL_AGAINST_RNN,
    ),
    ("own_rate", "It is enough that the gradient does not vanish at first."): (
        "gradient_flow",
        "Where a tenth of the gradient gets back 50 steps before training, an encoder learns 50 tokens.",
    ),
}  # fmt: skip
"""Claims beside which a reader wants another, of other distances or encoders, which does not answer the first."""
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


@dataclass(frozen=True)
class Reference:
    """How a later study judged what an earlier one had asked, or a claim that is related."""

    how: str
    """What leads to the study's name."""
    study: str
    claim: str
    verdict: str


@dataclass(frozen=True)
class Judgment:
    """A claim as a study judged it."""

    claim: str
    verdict: str
    evidence: str
    reference: Reference | None

    @property
    def full_evidence(self) -> str:
        """The evidence, and what the claim that is referred to came to."""
        if self.reference is None:
            return self.evidence
        to = self.reference
        return f"{self.evidence} {to.how.capitalize()} {to.study}: {to.claim} {to.verdict.capitalize()}."


@dataclass(frozen=True)
class Section:
    """What the page shows of a study."""

    folder: Path
    title: str
    verdicts: list[Judgment]
    pictures: list[Picture]

    @property
    def name(self) -> str:
        """The study's."""
        return self.folder.name


def build_page(experiments: Path) -> str:
    """The HTML of the studies in `experiments`, one folder per study; those that have not run are only named.

    Raises:
        UserError: no study has run.
    """
    sections = sections_of(experiments)
    explorer = experiments / "gates" / "explorer.json"
    return render(
        "report.html.jinja",
        answer=answer(experiments),
        leading=leading_picture(sections),
        sections=sections,
        marks=MARKS,
        missing=[study.name for study in all_studies() if study.name not in {section.name for section in sections}],
        explorer=embedded_json(json.loads(explorer.read_text())) if explorer.exists() else None,
    )


def leading_picture(sections: list[Section]) -> Picture | None:
    """The figure that leads; None where its study has not run."""
    return next((one for section in sections for one in section.pictures if one.path.name == LEADING_FIGURE), None)


def sections_of(experiments: Path) -> list[Section]:
    """The studies that have run, in their order; raises `UserError` where none has."""
    names = [study.name for study in all_studies()]
    sections = [section_of(experiments / name) for name in names if (experiments / name / VERDICTS).exists()]
    if not sections:
        raise UserError(
            f"experiments={experiments}: no study has run there; run sentiment-rnn study name={names[0]} first"
        )
    return sections


def verdict_table(sections: list[Section], folder: Path) -> Table:
    """Every claim with its verdict, for a document in `folder`."""
    rows = []
    for section in sections:
        link = f"[{section.name}]({Path(os.path.relpath(section.folder, folder)).as_posix()})"
        rows += [(judged.claim, f"**{judged.verdict}**", judged.full_evidence, link) for judged in section.verdicts]
    return Table("The lesson's claims, put to the test", ("claim", "verdict", "evidence", "study"), rows)


def section_of(folder: Path) -> Section:
    """Verdicts and figures of a study; its title and the descriptions of its figures come from its README.

    A folder without one, made with `output`, has the study's name as title, and no figures.
    """
    path = folder / "README.md"
    readme = path.read_text(encoding="utf-8") if path.is_file() else f"# {folder.name}"
    title = readme.partition("\n")[0].removeprefix("# ") or folder.name
    pictures = [
        Picture(description, folder / file)
        for description, file in re.findall(r"^!\[([^\]]+)\]\(([\w.]+\.png)\)$", readme, re.MULTILINE)
        if (folder / file).exists()
    ]
    judgments = [
        Judgment(**verdict, reference=reference_of(folder, claim)) for claim, verdict in verdicts_of(folder).items()
    ]
    return Section(folder, title, judgments, pictures)


def reference_of(folder: Path, claim: str) -> Reference | None:
    """The verdict of a later study that asked a claim again, or a related one; None where none has."""
    for how, places in (("asked again in", LATER), ("a related claim, in", RELATED)):
        study, other = places.get((folder.name, claim), ("", ""))
        if study and (found := verdicts_of(folder.parent / study).get(other)):
            return Reference(how, study, other, found["verdict"])
    return None
