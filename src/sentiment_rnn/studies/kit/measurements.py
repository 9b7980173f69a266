"""What a study measures on its runs: files that are kept with the study, and from which its findings are made anew.

`results.csv` has the numbers, one row per run and measure. `encoders.csv` has labels and colours, and
`learning_rates.csv` how rates were chosen, where a study has them.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from matplotlib.figure import Figure

from sentiment_rnn.errors import UserError
from sentiment_rnn.report.figures import save_figure
from sentiment_rnn.studies.kit.encoder_groups import EncoderStyle, Styles

RESULTS, ENCODERS = "results.csv", "encoders.csv"


@dataclass(frozen=True)
class Measurements:
    """What was measured on the runs of a study."""

    files: dict[str, str]
    """By name; `results.csv` is one of them."""
    figures: dict[str, Figure] = field(default_factory=dict)
    """By file name, without its suffix: those that need more than the files have, a model or its predictions."""

    def write(self, folder: Path) -> None:
        """Write the files and the figures."""
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in self.files.items():
            (folder / file).write_text(content)
        for file, figure in self.figures.items():
            save_figure(figure, folder / f"{file}.png")


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A CSV file, its numbers with six digits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([f"{value:.6g}" if isinstance(value, float) else value for value in row])
    return text.getvalue()


def read_rows(folder: Path, file: str = RESULTS) -> list[dict[str, str]]:
    """The rows of a CSV file, by column; raises `UserError` where a study has not measured it."""
    path = folder / file
    if not path.is_file():
        raise UserError(f"{path}: not there; run the study, sentiment-rnn study name={folder.name}")
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))


def styles_csv(styles: Styles) -> str:
    """Label and colour of each encoder."""
    return csv_text(("encoder", "label", "color"), [(encoder, *style) for encoder, style in styles.items()])


def read_styles(folder: Path) -> dict[str, EncoderStyle]:
    """Label and colour of each encoder, in the order of the file."""
    return {row["encoder"]: EncoderStyle(row["label"], row["color"]) for row in read_rows(folder, ENCODERS)}
