"""What was measured of a part of a study, added to what its folder has of the rest.

A part is some of the sweeps, or some seeds of one. The store with the other runs need not be at hand. So a long study
can be run over days, or on one machine after another.
"""

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from sentiment_rnn.errors import UserError
from sentiment_rnn.report.tables import csv_text
from sentiment_rnn.studies.kit.correctness import CORRECT, Correct, correct_file, read_correct
from sentiment_rnn.studies.kit.measurements import ENCODERS, Measurements, read_rows

OF_RUN, OF_DRAW = ("setting", "task", "encoder", "distance", "seed"), ("encoder", "learning_rate", "clip", "seed")
"""Columns of CSV files that tell rows apart: of runs, and of the draws of a search, whose files have a `clip`. The
others are measured."""


def added_to(folder: Path, part: Measurements) -> Measurements:
    """The measurements of a folder and of a part together. Where a run was measured twice, the part's count.

    Rows are in the order of their encoder, then of their task, their distance and their seed.

    Raises:
        UserError: a file of the folder is damaged, or the runs of the part have read other reviews.
    """
    with tempfile.TemporaryDirectory() as temporary:
        new = Path(temporary)
        part.write(new)
        files: dict[str, str | bytes] = dict(part.files)
        rows = {name: joined_rows(folder, new, name) for name in files if name.endswith(".csv")}
        rank = {row["encoder"]: place for place, row in enumerate(rows[ENCODERS])}

        def order(row: dict[str, str]) -> tuple[int, str, int, int]:
            place = rank.get(row["encoder"], len(rank))
            return place, row.get("task", ""), int(row.get("distance", 0)), int(row.get("seed", 0))

        for name, found in rows.items():
            found.sort(key=order)
            if found:
                files[name] = csv_text(tuple(found[0]), [tuple(row.values()) for row in found])
        if (folder / CORRECT).is_file():
            (columns, old), (_, added) = read_correct(folder), read_correct(new)
            check_reviews(folder, columns, old, added)
            runs = {run.key: run for run in (*old, *added)}
            files[CORRECT] = correct_file(
                sorted(runs.values(), key=lambda run: order(dict(zip(columns, run.key, strict=True)))), columns
            )
    return Measurements(files, part.figures)


def check_reviews(folder: Path, columns: Sequence[str], old: Iterable[Correct], added: Iterable[Correct]) -> None:
    """Raise `UserError` where runs at a distance have read other reviews than the folder's: they do not compare. All
    compare where there are no distances."""

    def distance_of(run: Correct) -> str:
        return dict(zip(columns, run.key, strict=True)).get("distance", "")

    known = {distance_of(run): run.digest for run in old}
    for run in added:
        distance = distance_of(run)
        if known.get(distance, run.digest) != run.digest:
            there = f" at {distance} tokens" if distance else ""
            raise UserError(
                f"{folder}: its runs{there} have read other test reviews than {', '.join(run.key)}; "
                "leave out overrides of data, or write into another output"
            )


def joined_rows(folder: Path, new: Path, name: str) -> list[dict[str, str]]:
    """The rows of a CSV file in two folders; of those with the same keys, the later."""
    rows = [row for place in (folder, new) if (place / name).is_file() for row in read_rows(place, name)]
    return list({tuple(row.get(key) for key in (OF_DRAW if "clip" in row else OF_RUN)): row for row in rows}.values())
