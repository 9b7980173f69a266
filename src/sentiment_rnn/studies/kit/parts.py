"""What was measured of a part of a study, added to what its folder has of the rest.

A part is some of the sweeps, or some seeds of one. The store with the other runs need not be at hand, so that a long
study can be run over days, or on several machines.
"""

import tempfile
from pathlib import Path

from sentiment_rnn.report.tables import csv_text
from sentiment_rnn.studies.kit.correctness import CORRECT, correct_file, read_correct
from sentiment_rnn.studies.kit.measurements import ENCODERS, Measurements, read_rows

KEYS = ("setting", "encoder", "distance", "seed", "learning_rate", "clip")
"""Columns of CSV files that tell rows apart; the others are measured."""


def added_to(folder: Path, part: Measurements) -> Measurements:
    """The measurements of a folder and of a part together; of what both have measured, those of the part.

    Rows are in the order of their encoder, then of their distance, then of their seed.

    Raises:
        UserError: a file of the folder is damaged.
    """
    with tempfile.TemporaryDirectory() as temporary:
        new = Path(temporary)
        part.write(new)
        files: dict[str, str | bytes] = dict(part.files)
        rows = {name: joined_rows(folder, new, name) for name in files if name.endswith(".csv")}
        order = [row["encoder"] for row in rows[ENCODERS]]
        for name, found in rows.items():
            found.sort(
                key=lambda row: (order.index(row["encoder"]), int(row.get("distance", 0)), int(row.get("seed", 0)))
            )
            if found:
                files[name] = csv_text(tuple(found[0]), [tuple(row.values()) for row in found])
        if CORRECT in files and (folder / CORRECT).is_file():
            (columns, old), (_, added) = read_correct(folder), read_correct(new)
            files[CORRECT] = correct_file(list({run.key: run for run in (*old, *added)}.values()), columns)
    return Measurements(files, part.figures)


def joined_rows(folder: Path, new: Path, name: str) -> list[dict[str, str]]:
    """The rows of a CSV file in two folders; of those with the same keys, the later."""
    rows = [row for place in (folder, new) if (place / name).is_file() for row in read_rows(place, name)]
    return list({tuple(row.get(key) for key in KEYS): row for row in rows}.values())
