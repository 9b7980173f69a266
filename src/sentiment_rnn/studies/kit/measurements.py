"""What a study measures on its runs: files that are kept with the study, and from which its findings are made anew.

`results.csv` has the numbers, one row per run and measure, and `encoders.csv` labels and colours. `correct.npz` says of
each review whether a run read it rightly (`correctness.py`).
"""

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from matplotlib.figure import Figure

from sentiment_rnn.errors import UserError
from sentiment_rnn.report.figures import write_folder
from sentiment_rnn.report.tables import csv_text
from sentiment_rnn.studies.kit.encoder_groups import EncoderStyle, Styles

RESULTS, ENCODERS = "results.csv", "encoders.csv"
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Measurements:
    """What was measured on the runs of a study."""

    files: dict[str, str | bytes]
    """By name, texts and others; `results.csv` is one of them."""
    figures: dict[str, Figure] = field(default_factory=dict)
    """By file name, without its suffix: those that need more than the files have, a model or its predictions."""

    @classmethod
    def of_rows(
        cls,
        columns: Sequence[str],
        rows: Iterable[Sequence[object]],
        styles: Styles,
        more: Mapping[str, str | bytes] | None = None,
        figures: Mapping[str, Figure] | None = None,
    ) -> "Measurements":
        """Rows of `results.csv`, the encoders' styles, and what more there is: files and figures."""
        files: dict[str, str | bytes] = {RESULTS: csv_text(columns, rows), ENCODERS: styles_csv(styles)}
        return cls(files | dict(more or {}), dict(figures or {}))

    def write(self, folder: Path) -> None:
        """Write the files and the figures."""
        write_folder(folder, self.files, self.figures)


def read_rows(folder: Path, file: str = RESULTS) -> list[dict[str, str]]:
    """The rows of a CSV file, by column; raises `UserError` where a study has not measured it, or it is damaged."""
    path = folder / file
    if not path.is_file():
        raise UserError(f"{path}: not there; run the study, sentiment-rnn study name={folder.name}")
    with path.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    for number, row in enumerate(rows, 2):
        if None in row or None in row.values():
            raise UserError(
                f"{path}: damaged in line {number}; put it back, or run sentiment-rnn study name={folder.name}"
            )
    return rows


def reading(read: Callable[Concatenate[Path, P], T]) -> Callable[Concatenate[Path, P], T]:
    """A function that reads files of a study's folder. What a changed file brings about, a cell that is no number or a
    column that is gone, is one line: it raises `UserError`."""

    @wraps(read)
    def checked(folder: Path, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return read(folder, *args, **kwargs)
        except (KeyError, ValueError) as error:
            what = f"no {error}" if isinstance(error, KeyError) else str(error).partition("\n")[0]
            raise UserError(
                f"{folder}: a file is damaged ({what}); put it back, or run sentiment-rnn study name={folder.name}"
            ) from error

    return checked


def styles_csv(styles: Styles) -> str:
    """Label and colour of each encoder."""
    return csv_text(("encoder", "label", "color"), [(encoder, *style) for encoder, style in styles.items()])


@reading
def read_styles(folder: Path) -> dict[str, EncoderStyle]:
    """Label and colour of each encoder, in the order of the file."""
    return {row["encoder"]: EncoderStyle(row["label"], row["color"]) for row in read_rows(folder, ENCODERS)}
