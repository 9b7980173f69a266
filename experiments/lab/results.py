"""The results of a study: `results.csv` and `correct.npz`.

`results.csv` has a row for each run, and further rows for a part of it or a condition at which it was tested:

| column | what |
| --- | --- |
| `study`, `sweep`, `protocol`, `arm` | names in `study.yaml` |
| `condition` | such as the lag or the task; empty if a study has none |
| `seed` | seed of the run |
| `draw` | number of the draw, in a search; else empty |
| `SPLIT/METRIC` | a measure of `train`, `validation` or `test`; empty if there is none, `nan` if the draw diverged |

In memory the table has one number per row: the columns are `COLUMNS`.

`correct.npz` has one bit for each test review and run: was it classified correctly? Every accuracy can be recomputed
from it.
"""

import io
import itertools
import zipfile
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from sentiment_rnn.errors import UserError

RESULTS, CORRECT = "results.csv", "correct.npz"
COLUMNS = ["study", "sweep", "protocol", "arm", "condition", "seed", "draw", "split", "metric", "value"]
KEY = COLUMNS[:-1]
ROW = COLUMNS[:7]
"""Columns that tell the rows of the file apart."""

Key = tuple[str, str, str, int]
"""Sweep, arm, condition and seed of a run."""
BySeed = dict[int, float]
"""One number per seed."""


def read_results(folder: Path) -> pd.DataFrame:
    """The rows of a study; raises `UserError` if it has none, or the file is damaged."""
    path = folder / RESULTS
    try:
        return _rows(path, path.stat().st_mtime_ns).copy()
    except FileNotFoundError as error:
        raise UserError(f"{path}: not there; run make study NAME={folder.name}") from error
    except (ValueError, KeyError) as error:
        raise UserError(f"{path}: damaged ({str(error).splitlines()[0]}); put the committed file back") from error


@lru_cache(maxsize=4)  # read again for each sweep that needs the draws of its searches
def _rows(path: Path, changed: int) -> pd.DataFrame:
    # The engine `python` tells a line that was cut short from one that ends with empty fields.
    wide = pd.read_csv(path, dtype=str, keep_default_na=False, engine="python")
    if wide.isna().any(axis=None):
        raise ValueError("a line is cut short")
    if odd := [name for name in wide.columns.drop(ROW) if "/" not in name]:
        raise ValueError(f"the column {odd[0]} is no SPLIT/METRIC")
    table = wide.melt(ROW, var_name="metric", ignore_index=False).sort_index(kind="stable")  # by row of the file
    table = table[table.value != ""].reset_index(drop=True).assign(
        split=lambda rows: [name.partition("/")[0] for name in rows.metric],
        metric=lambda rows: [name.partition("/")[2] for name in rows.metric],
        draw=lambda rows: pd.array([int(draw) if draw else None for draw in rows.draw], "Int64"),
    )[COLUMNS].astype({"seed": int, "value": float})  # fmt: skip
    for row in table[table.value.isna() & table.draw.isna()].itertuples():
        raise ValueError(f"{row.metric} of {row.arm}, seed {row.seed}, is no number")
    return table


def results_csv(table: pd.DataFrame) -> str:
    """The content of `results.csv`: runs in the order of the table, and metrics in that of the alphabet."""
    shown = table.assign(
        draw=table.draw.astype("string").fillna(""),
        metric=[f"{split}/{metric}" for split, metric in zip(table.split, table.metric, strict=True)],
        value=[f"{value:.6g}" for value in table.value],
    )
    wide = shown.pivot(index=ROW, columns="metric", values="value")
    in_order = wide.reindex(pd.MultiIndex.from_frame(shown[ROW].drop_duplicates()))
    return in_order.reset_index().to_csv(index=False, lineterminator="\n")


def joined(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Both tables joined. If both have a number, the new one counts."""
    return pd.concat([old, new]).drop_duplicates(KEY, keep="last").reset_index(drop=True)


def values_of(table: pd.DataFrame, metric: str, split: str = "test") -> dict[tuple[str, str], BySeed]:
    """A metric by arm and condition, then by seed."""
    rows = table[(table.metric == metric) & (table.split == split) & table.draw.isna()]
    return {
        (arm, condition): dict(zip(group.seed, group.value, strict=True))
        for (arm, condition), group in rows.groupby(["arm", "condition"], sort=False)
    }


class Correct(NamedTuple):
    """Reviews that a run classified correctly."""

    right: np.ndarray
    """bool [N]."""
    reviews: str
    """SHA-256 digest of the reviews."""


def read_correct(folder: Path) -> dict[Key, Correct]:
    """The runs in `correct.npz`; empty if the study has no such file. Raises `UserError` if it is damaged."""
    path = folder / CORRECT
    if not path.is_file():
        return {}
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        ends = itertools.pairwise([0, *np.cumsum(-(-arrays["reviews"] // 8))])
        runs = zip(arrays["keys"].astype(str), arrays["reviews"], arrays["digest"], ends, strict=True)
        return {
            (sweep, arm, condition, int(seed)): Correct(
                np.unpackbits(arrays["bits"][start:end], count=int(reviews)).astype(bool),
                str(arrays["digests"].astype(str)[digest]),
            )
            for (sweep, arm, condition, seed), reviews, digest, (start, end) in runs
        }
    except (ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: damaged ({error}); put the committed file back") from error


def correct_file(runs: Mapping[Key, Correct]) -> bytes:
    """The content of `correct.npz`. Its bytes depend only on the runs: there is no compression and no time stamp."""
    digests = sorted({run.reviews for run in runs.values()})
    arrays = {
        "keys": np.array(list(runs), "S"),
        "reviews": np.array([len(run.right) for run in runs.values()], "<i4"),
        "bits": np.concatenate([np.packbits(run.right) for run in runs.values()]),
        "digests": np.array(digests, "S"),
        "digest": np.array([digests.index(run.reviews) for run in runs.values()], "<i4"),
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.save(content, array)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), content.getvalue())  # dated 1980
    return file.getvalue()


def check_correct(table: pd.DataFrame, runs: Mapping[Key, Correct], folder: Path) -> None:
    """Raise `UserError` if the accuracies in the table differ from those in `correct.npz`, or if runs of one protocol
    at one condition read different reviews."""
    trained = {key[0] for key in runs} | set(table.sweep[table.metric == "best_accuracy"])
    rows = table[(table.metric == "accuracy") & (table.split == "test") & table.sweep.isin(trained)]
    stated = {tuple(key): f"{value:.6g}" for *key, value in rows[["sweep", "arm", "condition", "seed", "value"]].values}
    found = {key: f"{run.right.mean():.6g}" for key, run in runs.items()}
    for key in (*stated, *found):
        if stated.get(key) != found.get(key):
            raise UserError(
                f"{folder}: of {key}, {RESULTS} says {stated.get(key, 'nothing')} and {CORRECT} says "
                f"{found.get(key, 'nothing')}; put the committed files back"
            )
    protocol_of = dict(zip(rows.sweep, rows.protocol, strict=True))
    reviews: dict[tuple[str, str], str] = {}
    for (sweep, arm, condition, seed), run in runs.items():
        if reviews.setdefault((protocol_of[sweep], condition), run.reviews) != run.reviews:
            raise UserError(f"{folder}: {sweep}, {arm}, seed {seed} read other test reviews than runs beside it")


def rows_of(study: str, rows: Iterable[tuple[object, ...]]) -> pd.DataFrame:
    """A table from rows that lack the column `study`."""
    return pd.DataFrame([(study, *row) for row in rows], columns=COLUMNS).astype({"draw": "Int64", "value": float})
