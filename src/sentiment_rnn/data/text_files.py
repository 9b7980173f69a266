"""Texts, and labels where there are any, from the files that people have: read in parts, so that size does not matter.

`.csv`, `.tsv`, `.jsonl` and `.parquet` have columns by name; `.txt` has one text per line. All but Parquet may be
compressed (`.csv.gz`). Text is UTF-8, with or without a byte order mark.
"""

import csv
import gzip
import json
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from itertools import chain, islice
from pathlib import Path
from typing import Any, TextIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from sentiment_rnn.errors import UserError

LABELS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "neg": 0, "pos": 1, "negative": 0, "positive": 1}
FORMATS = (".csv", ".tsv", ".jsonl", ".parquet", ".txt")
PART = 4096
"""Rows in a part."""


@dataclass(frozen=True)
class Columns:
    """Names of the columns that are read."""

    text: str = "text"
    label: str | None = None
    identifier: str | None = None
    """What joins rows that belong together, such as an original and its revision."""

    @property
    def wanted(self) -> list[str]:
        """Those that a file must have."""
        return [name for name in (self.text, self.label, self.identifier) if name is not None]


@dataclass(frozen=True)
class Rows:
    """A part of a file."""

    texts: list[str | None]
    labels: list[int]
    """1 positive, 0 negative; empty where no column was asked for."""
    identifiers: list[str | None]
    """None for a row that has none; empty where no column was asked for."""


def read_rows(path: Path, columns: Columns) -> Iterator[Rows]:
    """The rows of a file, `PART` at a time.

    Raises:
        UserError: the file cannot be read, has no row, lacks a column or has it twice. Or a value is no text or no
            label.
    """
    records = enumerate(_records(path, columns), 1)
    empty = True
    while part := list(islice(records, PART)):
        empty = False
        yield Rows(
            [_text(record[columns.text], path, row) for row, record in part],
            [_label(record[columns.label], path, row) for row, record in part] if columns.label else [],
            [_identifier(record[columns.identifier]) for _, record in part] if columns.identifier else [],
        )
    if empty:
        raise UserError(f"{path}: no rows; expected a text in each")


def read_lines(lines: Iterable[str], size: int = PART) -> Iterator[Rows]:
    """One text per line, `size` at a time."""
    given = iter(lines)
    while part := [line.rstrip("\r\n") for line in islice(given, size)]:
        yield Rows(list(part), [], [])


Record = dict[str, Any]
"""A row as it stands in a file, by column."""


def _records(path: Path, columns: Columns) -> Iterator[Record]:
    suffix = Path(path.stem if path.suffix == ".gz" else path.name).suffix.lower()
    if suffix not in FORMATS:
        raise UserError(f"{path}: expected a file named {', '.join(FORMATS)} (or one of them with .gz)")
    if suffix == ".txt" and len(columns.wanted) > 1:
        raise UserError(f"{path}: a .txt file has no columns, and {', '.join(columns.wanted[1:])} is asked for")
    try:
        if suffix == ".parquet":
            yield from _parquet(path, columns)
            return
        with _opened(path) as handle:
            if suffix == ".txt":
                yield from ({columns.text: line.rstrip("\r\n")} for line in handle)
            elif suffix == ".jsonl":
                yield from _json_lines(path, handle, columns)
            else:
                yield from _separated(path, handle, columns, "\t" if suffix == ".tsv" else ",")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text ({error.reason})") from error
    except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise UserError(f"{path}: cannot be read ({reason})") from error


def _opened(path: Path) -> TextIO:
    with path.open("rb") as handle:
        compressed = handle.read(2) == b"\x1f\x8b"
    if compressed and path.suffix != ".gz":
        raise UserError(f"{path}: gzip data under a name that does not say so; name it {path.name}.gz")
    opener = gzip.open if path.suffix == ".gz" else open
    return cast(TextIO, opener(path, "rt", encoding="utf-8-sig", newline=""))


def _separated(path: Path, handle: TextIO, columns: Columns, separator: str) -> Iterator[Record]:
    csv.field_size_limit(2**31 - 1)  # else 131,072 characters
    reader = csv.reader(handle, delimiter=separator, strict=True)
    try:
        header = next(reader, [])
        _check_names(path, header, columns)
        for fields in reader:
            if fields and len(fields) != len(header):
                where = f"{path}, line {reader.line_num}"
                raise UserError(
                    f"{where}: {len(fields)} fields, and the header has {len(header)}; quote texts with separators"
                )
            if fields:  # an empty line is no row
                yield dict(zip(header, fields, strict=True))
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num}: cannot be read ({error})") from error


def _parquet(path: Path, columns: Columns) -> Iterator[Record]:
    # Without a buffer, which would hold the whole file.
    with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 16) as file:
        _check_names(path, file.schema_arrow.names, columns)
        for batch in file.iter_batches(PART, columns=columns.wanted):
            yield from batch.to_pylist()


def _json_lines(path: Path, handle: TextIO, columns: Columns) -> Iterator[Record]:
    for number, line in enumerate(handle, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, object_pairs_hook=list)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path}, line {number}: not JSON ({error})") from error
        # An object is a list of pairs, so that a name that it has twice is seen.
        if not line.lstrip().startswith("{"):
            raise UserError(f"{path}, line {number}: expected an object with {', '.join(columns.wanted)}")
        _check_names(path, [name for name, _ in row], columns)
        yield dict(row)


def _check_names(path: Path, names: list[str], columns: Columns) -> None:
    for name in columns.wanted:
        if name not in names:
            shown = ", ".join(names[:20]) or "nothing"
            raise UserError(f"{path}: no column {name}; it has {shown[:200]}")
        if names.count(name) > 1:
            raise UserError(f"{path}: {names.count(name)} columns {name}; expected one")


def _text(value: Any, path: Path, row: int) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise UserError(f"{path}, row {row}: its text is {value!r}; expected text")


def _identifier(value: Any) -> str | None:
    if value is None or value == "":
        return None
    # A column of whole numbers with gaps is one of floats in Parquet.
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _label(value: Any, path: Path, row: int) -> int:
    found = LABELS.get(str(int(value) if isinstance(value, bool) else value).strip().lower())
    if found is None:
        raise UserError(f"{path}, row {row}: its label is {value!r}; expected 0 or 1, neg or pos, negative or positive")
    return found


@contextmanager
def utf8_input() -> Iterator[TextIO]:
    """Standard input as UTF-8 text; raises `UserError` where it is none."""
    cast(TextIOWrapper, sys.stdin).reconfigure(encoding="utf-8-sig", errors="strict")
    try:
        yield sys.stdin
    except UnicodeDecodeError as error:
        raise UserError(f"standard input: not UTF-8 text ({error.reason})") from error


def rows_of(paths: list[Path], columns: Columns) -> Iterator[Rows]:
    """The rows of several files, one file after another."""
    return chain.from_iterable(read_rows(path, columns) for path in paths)
