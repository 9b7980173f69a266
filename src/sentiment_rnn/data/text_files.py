"""Reads texts, and labels if there are any, from files of common formats, in parts, so that size does not matter.

`.csv`, `.tsv`, `.jsonl` and `.parquet` have columns by name; `.txt` has one text per line. All but Parquet may be
compressed (`.csv.gz`). Text is UTF-8, with or without a byte order mark.

CSV and JSON are read by Python's own modules. pandas gives no line numbers, fills rows that are too short, shifts the
columns of rows that are too long, renames a second column of the same name, and drops lone surrogates.
"""

import csv
import gzip
import json
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import TextIOWrapper
from itertools import chain, islice
from pathlib import Path
from typing import Any, TextIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from sentiment_rnn.errors import UserError

LABELS = {"0": 0, "1": 1, "false": 0, "true": 1, "neg": 0, "pos": 1, "negative": 0, "positive": 1}
"""Classes (1 positive, 0 negative) by label, as `label_name` writes it."""
EXPECTED = "0 or 1, neg or pos, negative or positive, false or true"
SHOWN = 8
"""How many values of a column are shown if they are not labels."""
SEPARATORS = (",", "\t", ";")
LONGEST_TEXT = 2**24
"""Most characters of a line; the longest review of IMDb has 14 thousand."""
FORMATS = (".csv", ".tsv", ".jsonl", ".parquet", ".txt")
PART = 4096
"""Rows in a part."""


@dataclass(frozen=True)
class Columns:
    """Names of the columns that are read."""

    text: str = "text"
    label: str | None = None
    identifier: str | None = None
    """Column with the same value in rows that belong together, such as an original and its revision."""
    set_by: tuple[str, str, str] = ("--text", "--label", "--id")
    """Options that name the columns on the command line, for messages."""
    classes: Mapping[str, int | None] | None = None
    """Class of each label, as `label_name` writes it; other labels have no class. None: only `LABELS` are allowed."""
    classes_set_by: str = ""
    """Option that gives `classes`, for messages; empty where there is none."""

    @property
    def setters(self) -> dict[str, str]:
        """Columns that a file must have, and the option that names each."""
        options = zip((self.text, self.label, self.identifier), self.set_by, strict=True)
        return {name: option for name, option in options if name is not None}


@dataclass(frozen=True)
class Rows:
    """A part of a file."""

    texts: list[str | None]
    labels: Sequence[int | None]
    """1 positive, 0 negative, None for a label without a class; empty if no column of labels is read."""
    identifiers: list[str | None]
    """None for a row without an identifier; empty if no column of identifiers is read."""
    places: list[str] = field(default_factory=list)
    """`line 7`, or `row 7` of a Parquet file; empty for texts that come from no file."""


Record = tuple[str, dict[str, Any]]
"""A row of a file: where it begins, such as `line 7`, and its values by column."""


def read_rows(path: Path, columns: Columns) -> Iterator[Rows]:
    """The rows of a file, `PART` at a time.

    Raises:
        UserError: the file cannot be read, has no row, lacks a column or has it twice; or a value is not a text or not
            a label.
    """
    records = _records(path, columns)
    empty = True
    while part := list(islice(records, PART)):
        empty = False
        yield Rows(
            [_text(values[columns.text], path, place) for place, values in part],
            _labels(part, path, columns) if columns.label else [],
            [_identifier(values[columns.identifier]) for _, values in part] if columns.identifier else [],
            [place for place, _ in part],
        )
    if empty:
        raise UserError(f"{path}: no rows; expected a text in each")


def read_lines(lines: Iterable[str], size: int = PART) -> Iterator[Rows]:
    """One text per line, `size` at a time."""
    lines = iter(lines)
    while part := [line.rstrip("\r\n") for line in islice(lines, size)]:
        yield Rows(list(part), [], [])


def _records(path: Path, columns: Columns) -> Iterator[Record]:
    suffix = Path(path.stem if path.suffix == ".gz" else path.name).suffix.lower()
    if suffix not in FORMATS:
        raise UserError(f"{path}: expected a file named {', '.join(FORMATS)} (or one of them with .gz)")
    if suffix == ".txt" and len(columns.setters) > 1:
        raise UserError(f"{path}: a .txt file has no columns, and {', '.join([*columns.setters][1:])} is asked for")
    try:
        if suffix == ".parquet":
            yield from _parquet(path, columns)
            return
        opener = gzip.open if path.suffix == ".gz" else open
        with cast(TextIO, opener(path, "rt", encoding="utf-8-sig", newline="")) as handle:
            lines = _lines(path, handle)
            if suffix == ".txt":
                for number, line in enumerate(lines, 1):
                    yield f"line {number}", {columns.text: line.rstrip("\r\n")}
            elif suffix == ".jsonl":
                yield from _json_lines(path, lines, columns)
            else:
                yield from _separated(path, lines, columns, "\t" if suffix == ".tsv" else ",")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text ({error.reason}); save it as UTF-8") from error
    except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise UserError(f"{path}: cannot be read ({reason})") from error


def _lines(path: Path, handle: TextIO) -> Iterator[str]:
    """The lines of a file; refuses a line so long that it might not fit into memory."""
    for number, line in enumerate(iter(lambda: handle.readline(LONGEST_TEXT), ""), 1):
        if len(line) == LONGEST_TEXT:
            raise UserError(f"{path}, line {number}: longer than {LONGEST_TEXT:,} characters; expected a text a row")
        yield line


def _separated(path: Path, lines: Iterable[str], columns: Columns, usual: str) -> Iterator[Record]:
    csv.field_size_limit(LONGEST_TEXT)
    first = next(lines := iter(lines), "")
    separator = _separator(first, columns, usual)
    reader = csv.reader(chain([first], lines), delimiter=separator, strict=True)
    line = 1
    try:
        header = next(reader, [])
        _check_names(str(path), header, columns)
        line = reader.line_num + 1
        for fields in reader:
            if fields and len(fields) != len(header):
                raise UserError(
                    f"{path}, line {line}: {len(fields)} fields, and the header has {len(header)}; quote texts with "
                    "separators"
                )
            if separator == "\t" and any("\t" in text and "\n" in text for text in fields):
                raise UserError(
                    f"{path}, line {line}: a quoted text with tabs and line breaks; double the quotes in texts if one "
                    "is left open here, or save the file as .csv"
                )
            if fields:  # an empty line is no row
                yield f"line {line}", dict(zip(header, fields, strict=True))
            line = reader.line_num + 1  # of the next row, where a quoted text may span lines
    except csv.Error as error:
        raise UserError(f"{path}, line {line}: cannot be read ({error}); double the quotes in quoted texts") from error


def _separator(header: str, columns: Columns, usual: str) -> str:
    """The separator of the columns: the first one that yields the columns to be read, tried from the usual one on.

    `csv.Sniffer` of the standard library, which pandas uses, guesses from the texts too. In a file of one column it
    takes a letter as the separator.
    """
    names = {sign: next(csv.reader([header], delimiter=sign), []) for sign in (usual, *SEPARATORS)}
    most = max(names, key=lambda sign: len(names[sign]))
    return next((sign for sign in names if columns.setters.keys() <= {*names[sign]}), most)


def _parquet(path: Path, columns: Columns) -> Iterator[Record]:
    # Without a buffer: it would hold the whole file.
    with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 16) as file:
        _check_names(str(path), file.schema_arrow.names, columns)
        rows = (row for batch in file.iter_batches(PART, columns=[*columns.setters]) for row in batch.to_pylist())
        for number, values in enumerate(rows, 1):
            yield f"row {number}", values


def _json_lines(path: Path, lines: Iterable[str], columns: Columns) -> Iterator[Record]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, object_pairs_hook=list)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path}, line {number}: not JSON ({error})") from error
        # An object is read as a list of pairs, so that a repeated name is noticed.
        if not line.lstrip().startswith("{"):
            raise UserError(f"{path}, line {number}: expected an object with {', '.join(columns.setters)}")
        _check_names(f"{path}, line {number}", [name for name, _ in row], columns)
        yield f"line {number}", dict(row)


def _check_names(place: str, names: list[str], columns: Columns) -> None:
    if missing := [name for name in columns.setters if name not in names]:
        shown = ", ".join(names[:20]) or "nothing"
        setters = " and ".join(f"{columns.setters[name]}=…" for name in missing)
        raise UserError(
            f"{place}: no column {' and no column '.join(missing)}; it has {shown[:200]}; name another with {setters}"
        )
    for name in columns.setters:
        if names.count(name) > 1:
            raise UserError(f"{place}: {names.count(name)} columns {name}; expected one")


def _text(value: Any, path: Path, place: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise UserError(f"{path}, {place}: its text is {repr(value)[:40]}; expected text")


def _identifier(value: Any) -> str | None:
    if value is None or value == "" or value != value:  # NaN
        return None
    # In Parquet, a column of whole numbers with gaps has floats.
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def label_name(value: Any) -> str:
    """A label as text: 5, 5.0 and "5" are one label, as are `Good` and `good`."""
    return str(value).strip().lower().removesuffix(".0")


def _labels(part: list[Record], path: Path, columns: Columns) -> list[int | None]:
    values = [row[cast(str, columns.label)] for _, row in part]
    classes = columns.classes or LABELS
    labels = [classes.get(label_name(value)) for value in values]
    if columns.classes or None not in labels:
        return labels
    row = labels.index(None)
    place, value = f"{path}, {part[row][0]}", str(values[row]).strip()
    if value in ("", "None"):
        raise UserError(f"{place}: no label; every row needs {EXPECTED}")
    names = sorted({str(value).strip() for value in values} - {"", "None"})
    advice = f"; or say which mean what: {columns.classes_set_by}" if columns.classes_set_by else ""
    raise UserError(
        f"{place}: its label is {value[:40]!r}; expected two classes, {EXPECTED}; the column {columns.label} has "
        f"{', '.join(names[:SHOWN])[:200]}{advice}"
    )


@contextmanager
def utf8_input() -> Iterator[TextIO]:
    """Standard input as UTF-8 text; raises `UserError` if it is not UTF-8, or is closed."""
    if sys.stdin is None:
        raise UserError("standard input is closed; give a text or a file")
    cast(TextIOWrapper, sys.stdin).reconfigure(encoding="utf-8-sig", errors="strict")
    try:
        yield sys.stdin
    except UnicodeDecodeError as error:
        raise UserError(f"standard input: not UTF-8 text ({error.reason}); give it as UTF-8") from error
