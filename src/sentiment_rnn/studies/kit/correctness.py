"""Whether each run read each review rightly, one bit per review, in a file from which accuracies are recomputed.

`correct.npz` has these arrays. Its bytes depend on them alone: nothing is compressed, and no time is written.

| array | type | what |
| --- | --- | --- |
| `columns` | bytes [K] | the columns of `results.csv` that tell runs apart: setting, encoder, distance, seed |
| `keys` | bytes [runs, K] | their values for each run |
| `reviews` | int32 [runs] | how many reviews each run read |
| `bits` | uint8 [sum of ⌈reviews / 8⌉] | the runs one after another, each padded to a byte, as `np.packbits` has them |
| `digests` | bytes [D] | SHA-256 digests of the sets of reviews |
| `digest` | int32 [runs] | which of them each run read |
"""

import hashlib
import io
import itertools
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sentiment_rnn.errors import UserError
from sentiment_rnn.inference.predictions import Predictions
from sentiment_rnn.studies.kit.encoder_groups import by_encoder, distance_of
from sentiment_rnn.studies.kit.measurements import RESULTS, read_rows, reading
from sentiment_rnn.studies.kit.study import Study
from sentiment_rnn.tracking.results import RunResult

CORRECT = "correct.npz"
COLUMNS = ("setting", "encoder", "distance", "seed")
ACCURACY = "test/accuracy"
"""Column of `results.csv`."""


class Correct(NamedTuple):
    """What one run classified correctly."""

    key: tuple[str, ...]
    """One entry per column."""
    correct: np.ndarray
    """bool [N]."""
    digest: str
    """Of the reviews."""


def correct_at_one_distance(setting: str, results: Iterable[RunResult]) -> Iterator[Correct]:
    """Of runs at one distance each, in `COLUMNS`."""
    for result in results:
        yield correct_of(result, (setting, result.encoder, str(distance_of(result)), str(result.seed)))


def correct_of(result: RunResult, key: tuple[str, ...]) -> Correct:
    """Of a run on all its test reviews together."""
    found = result.predictions
    return Correct(key, found.correct, reviews_digest(found, np.full(len(found.labels), True)))


def correct_by_distance(setting: str, results: Iterable[RunResult]) -> Iterator[Correct]:
    """Of runs on mixed distances, divided by the distance of each review, in `COLUMNS`; ordered by encoder, distance
    and seed."""
    for encoder, group in by_encoder(results).items():
        for distance in np.unique(group[0].predictions.distances):
            for result in group:
                found = result.predictions
                there = found.distances == distance
                key = (setting, encoder, str(distance), str(result.seed))
                yield Correct(key, found.correct[there], reviews_digest(found, there))


def reviews_digest(predictions: Predictions, chosen: np.ndarray) -> str:
    """SHA-256 digest of the chosen reviews, bool [N]: of their labels, lengths and distances, which runs record."""
    digest = hashlib.sha256()
    for values, kind in ((predictions.labels, "<i1"), (predictions.lengths, "<i8"), (predictions.distances, "<i4")):
        digest.update(values[chosen].astype(kind).tobytes())
    return digest.hexdigest()


def correct_file(runs: Sequence[Correct], columns: Sequence[str] = COLUMNS) -> bytes:
    """The content of `correct.npz`."""
    digests = sorted({run.digest for run in runs})
    arrays = {
        "columns": np.array(columns, "S"),
        "keys": np.array([run.key for run in runs], "S"),
        "reviews": np.array([len(run.correct) for run in runs], "<i4"),
        "bits": np.concatenate([np.zeros(0, np.uint8), *(np.packbits(run.correct) for run in runs)]),
        "digests": np.array(digests, "S"),
        "digest": np.array([digests.index(run.digest) for run in runs], "<i4"),
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.save(content, array)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), content.getvalue())  # dated 1980
    return file.getvalue()


def read_correct(folder: Path) -> tuple[tuple[str, ...], list[Correct]]:
    """Columns and runs of a study's `correct.npz`; raises `UserError` where it is not there, or damaged."""
    path = folder / CORRECT
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        ends = np.cumsum(-(-arrays["reviews"] // 8))
        runs = [
            Correct(
                tuple(part.decode() for part in key),
                np.unpackbits(arrays["bits"][start:end], count=int(reviews)).astype(bool),
                arrays["digests"][digest].decode(),
            )
            for key, reviews, digest, (start, end) in zip(
                arrays["keys"], arrays["reviews"], arrays["digest"], itertools.pairwise([0, *ends]), strict=True
            )
        ]
        return tuple(column.decode() for column in arrays["columns"]), runs
    except FileNotFoundError as error:
        raise UserError(f"{path}: not there; run the study, sentiment-rnn study name={folder.name}") from error
    except (ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: damaged ({error}); run the study, sentiment-rnn study name={folder.name}") from error


@reading
def stated_accuracies(folder: Path, columns: Sequence[str]) -> dict[tuple[str, ...], str]:
    """The accuracies of `results.csv`, by the columns that tell its rows apart."""
    return {tuple(row[name] for name in columns): row[ACCURACY] for row in read_rows(folder)}


def check_accuracies(study: Study, folder: Path) -> None:
    """Raise `UserError` where a study keeps `correct.npz`, and `results.csv` has other runs or other accuracies."""
    if not study.keeps_correct:
        return
    columns, runs = read_correct(folder)
    stated = stated_accuracies(folder, columns)
    recomputed = {run.key: f"{run.correct.mean():.6g}" for run in runs}  # as `csv_text` writes it
    for key in (*stated, *recomputed):
        if stated.get(key) != recomputed.get(key):
            raise UserError(
                f"{folder}: of {', '.join(key)}, {RESULTS} says {stated.get(key, 'nothing')} and {CORRECT} "
                f"{recomputed.get(key, 'nothing')}; run the study, sentiment-rnn study name={study.name}"
            )
