"""Findings of a study: tables, figures and a verdict on each claim, made from the files that it measured."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from rich.console import Console

from sentiment_rnn.report.figures import write_folder
from sentiment_rnn.report.statistics import spread, with_deviation
from sentiment_rnn.report.tables import Table, markdown, show
from sentiment_rnn.studies.kit.verdicts import Verdict

VERDICTS, DOCUMENT = "verdicts.json", "table.md"


@dataclass(frozen=True)
class Findings:
    """What the results of a study say."""

    tables: Sequence[Table]
    verdicts: Sequence[Verdict]
    figures: dict[str, Figure] = field(default_factory=dict)
    """By file name, without its suffix."""

    def texts(self) -> dict[str, str]:
        """Content of every text file, by name."""
        verdicts = json.dumps([asdict(verdict) for verdict in self.verdicts], indent=1, ensure_ascii=False) + "\n"
        return {VERDICTS: verdicts, DOCUMENT: self.document()}

    def document(self) -> str:
        """The verdicts, where there are any, and the tables, in Markdown."""
        rows = [(verdict.claim, f"**{verdict.verdict}**", verdict.evidence) for verdict in self.verdicts]
        claims = [Table("Claims", ("claim", "verdict", "evidence"), rows)] if rows else []
        return markdown([*claims, *self.tables])

    def show(self, console: Console) -> None:
        """Print the tables, then the verdicts."""
        for table in self.tables:
            show(console, table)
        for verdict in self.verdicts:
            console.print(f"[bold]{verdict.verdict}[/]: {verdict.claim} {verdict.evidence}", soft_wrap=True)

    def write(self, folder: Path) -> list[Path]:
        """Write the files and the figures; their paths."""
        return write_folder(folder, self.texts(), self.figures)


def mean_of(values: Sequence[float], places: int = 1) -> str:
    """`88.1 ± 0.2`, mean and standard deviation over seeds; `88.1` for a single seed."""
    return with_deviation(spread(list(values)), places)


def least_to_most(values: Sequence[float] | np.ndarray, places: int = 0) -> str:
    """`9 to 19`, the range over seeds."""
    return f"{min(values):.{places}f} to {max(values):.{places}f}" if len(values) else "nothing measured"
