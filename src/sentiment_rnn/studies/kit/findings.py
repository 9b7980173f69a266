"""Findings of a study: tables, figures, one row of numbers per run, and a verdict on each claim."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from sentiment_rnn.report.figures import save_figure
from sentiment_rnn.report.statistics import Interval, spread, with_deviation
from sentiment_rnn.report.tables import Table, markdown, replace_block

HOLDS, IN_PART, FAILS = "holds", "holds in part", "does not hold"


def judged(holds: bool, in_part: bool) -> str:
    """The verdict on a claim."""
    return HOLDS if holds else IN_PART if in_part else FAILS


@dataclass(frozen=True)
class Verdict:
    """A claim, and whether the numbers support it."""

    claim: str
    verdict: str
    """`holds`, `holds in part` or `does not hold`."""
    evidence: str
    """The number behind it, with its interval."""


@dataclass(frozen=True)
class Findings:
    """The results of a study."""

    tables: Sequence[Table]
    figures: dict[str, Figure]
    """By file name, without its suffix."""
    results: str
    """Content of `results.csv`, one row per run."""
    verdicts: Sequence[Verdict]
    files: dict[str, str] = field(default_factory=dict)
    """Further files, by name."""

    def texts(self) -> dict[str, str]:
        """Content of every text file, by name."""
        verdicts = json.dumps([asdict(verdict) for verdict in self.verdicts], indent=1, ensure_ascii=False) + "\n"
        return {"results.csv": self.results, "verdicts.json": verdicts, "table.md": self.document(), **self.files}

    def document(self) -> str:
        """The verdicts and tables, in Markdown."""
        rows = [(verdict.claim, f"**{verdict.verdict}**", verdict.evidence) for verdict in self.verdicts]
        return markdown([Table("Claims", ("claim", "verdict", "evidence"), rows), *self.tables])

    def write(self, folder: Path, name: str) -> None:
        """Write the files, the figures and the block `name` of the folder's README."""
        for file, content in self.texts().items():
            (folder / file).write_text(content)
        for file, figure in self.figures.items():
            save_figure(figure, folder / f"{file}.png")
        replace_block(folder / "README.md", name, self.document())


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A CSV file, its numbers with six digits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([f"{value:.6g}" if isinstance(value, float) else value for value in row])
    return text.getvalue()


def mean_of(values: Sequence[float], places: int = 1) -> str:
    """`88.1 ± 0.2`, mean and standard deviation over seeds; `88.1` for a single seed."""
    return with_deviation(spread(list(values)), places)


def listed(values: Iterable[float]) -> str:
    """`50, 100, 50`, one number per seed."""
    return ", ".join(map(str, values))


def least_to_most(values: Sequence[float] | np.ndarray, places: int = 0) -> str:
    """`9 to 19`, the range over seeds."""
    return f"{min(values):.{places}f} to {max(values):.{places}f}" if len(values) else "nothing measured"


def points(interval: Interval) -> str:
    """`+7.2 (+3.5 to +9.8)`, a difference in percentage points."""
    return f"{100 * interval.estimate:+.1f} ({100 * interval.low:+.1f} to {100 * interval.high:+.1f})"
