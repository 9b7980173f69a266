"""Files of strangers are read entirely, in little memory, or refused in one line that names the row."""

import gzip
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentiment_rnn.data.text_files import PART, Columns, read_lines, read_rows
from sentiment_rnn.errors import UserError

LABELLED = Columns("text", "label")
Write = Callable[[str, str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A file of that name with that content."""

    def written(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return written


def texts(path: Path, columns: Columns = LABELLED) -> list[str | None]:
    return [text for rows in read_rows(path, columns) for text in rows.texts]


def labels(path: Path) -> list[int | None]:
    return [label for rows in read_rows(path, LABELLED) for label in rows.labels]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plain.csv", "text,label\ngood,1\nbad,0\n"),
        ("no_last_newline.csv", "text,label\ngood,1\nbad,0"),
        ("crlf.csv", "text,label\r\ngood,pos\r\nbad,neg\r\n"),
        ("bom.csv", "\ufefftext,label\ngood,Positive\nbad,NEGATIVE\n"),
        ("other_columns.csv", "label,stars,text\n1,9,good\n0,2,bad\n"),
        ("empty_lines.csv", "text,label\n\ngood,1\n\nbad,0\n\n"),
        ("tabs.tsv", "text\tlabel\ngood\t 1 \nbad\t0.0\n"),
        ("lines.jsonl", '{"text": "good", "label": 1}\n\n{"label": false, "text": "bad"}\n'),
        ("UPPER.CSV", "text,label\ngood,1\nbad,0\n"),
        ("semicolons.csv", "text;label\ngood;1\nbad;0\n"),
        ("quoted_semicolons.csv", '"text";"label"\n"good";"1"\n"bad";"0"\n'),
        ("tabs.csv", "text\tlabel\ngood\t1\nbad\t0\n"),
        ("commas.tsv", "text,label\ngood,1\nbad,0\n"),
    ],
)
def test_ways_to_write_the_same_two_rows(write: Write, name: str, content: str) -> None:
    path = write(name, content)
    assert texts(path) == ["good", "bad"]
    assert labels(path) == [1, 0]


def test_parquet_keeps_nulls_and_takes_numbers_and_words_as_labels(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"text": ["good", None], "label": ["pos", "neg"], "unused": [1, 2]}), path)
    assert texts(path) == ["good", None]
    for column in ([1.0, 0.0], [True, False]):
        pq.write_table(pa.table({"text": ["good", "bad"], "label": column}), path)
        assert labels(path) == [1, 0]
    pq.write_table(pa.table({"text": ["a", "b"], "label": [1, 2]}), path)
    with pytest.raises(UserError, match="row 2: its label is '2'"):
        labels(path)


LONG = "word " * 200_000


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("quotes.csv", 'text,label\n"a ""fine"", long\r\nfilm\n\nindeed",1\n', ['a "fine", long\r\nfilm\n\nindeed']),
        ("marks.csv", "text,label\n😀 שלום <b>&amp;</b>,0\n", ["😀 שלום <b>&amp;</b>"]),
        ("like_nothing.csv", 'text,label\nNA,1\nnull,1\n007,1\n"",1\n" ",1\n', ["NA", "null", "007", "", " "]),
        ("nul.csv", "text,label\na\0b,1\n", ["a\0b"]),
        ("megabyte.csv", f"text,label\n{LONG},0\n", [LONG]),
        ("half_a_character.jsonl", '{"text": "\\ud800 good", "label": 1}\n', ["\ud800 good"]),
        ("commas.csv", "id;text;label\n1;well, no, never, not again;0\n", ["well, no, never, not again"]),
        ("header.tsv", "text\tit, or not\tlabel\ngood\t;\t1\n", ["good"]),
        ("packed.csv.gz", gzip.compress(b"text,label\ngood,1\n"), ["good"]),
    ],
    ids=lambda value: value if isinstance(value, str) and value.count(".") else "",
)
def test_a_text_is_read_as_it_stands(write: Write, name: str, content: str | bytes, expected: list[str]) -> None:
    assert texts(write(name, content)) == expected


def test_a_text_file_has_a_text_a_line_empty_ones_included(write: Write) -> None:
    assert texts(write("lines.txt", "good\r\n\nbad"), Columns()) == ["good", "", "bad"]


def test_an_identifier_is_the_same_as_a_number_and_a_row_may_have_none(write: Write, tmp_path: Path) -> None:
    columns = Columns("text", None, "id")
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"text": ["a", "b", "c"], "id": [7.0, None, 8.5]}), path)
    found = [rows.identifiers for rows in read_rows(path, columns)]
    assert found == [["7", None, "8.5"]]
    found = [rows.identifiers for rows in read_rows(write("rows.csv", "text,id\na,7\nb,\nc,8.5\n"), columns)]
    assert found == [["7", None, "8.5"]]
    lines = write("rows.jsonl", '{"text": "a", "id": 7}\n{"text": "b", "id": NaN}\n')
    assert [rows.identifiers for rows in read_rows(lines, columns)] == [["7", None]]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("missing.csv", "review,label\na,1\n", "no column text; it has review, label; name another with --text=…"),
        ("twice.csv", "text,text,label\na,b,1\n", "2 columns text; expected one"),
        ("ten.csv", "text,label\n" + "".join(f"a,{n}\n" for n in range(10)), "label has 0, 1, 2, 3, 4, 5, 6, 7"),
        ("spans.csv", 'text,label\n"two\nlines",1\n\n"three\n\nlines",0\nb,5\n', "line 8: its label is '5'"),
        ("header.csv", "text,label\n", "no rows"),
        ("binary.csv", bytes(range(256)), "not UTF-8 text (invalid start byte)"),
        ("torn.csv.gz", gzip.compress(b"text,label\na,1\n" * 99)[:-9], "cannot be read"),
        ("commas.csv", "text,label\ngood, but long,1\n", "line 2: 3 fields, and the header has 2"),
        ("open.csv", 'text,label\n"never closed,1\nb,0\n', "line 2: cannot be read (unexpected end of data)"),
        ("number.jsonl", '{"text": 5, "label": 1}\n', "line 1: its text is 5; expected text"),
        ("list.jsonl", "[1]\n", "line 1: expected an object"),
        ("twice.jsonl", '{"text": "a", "text": "b", "label": 1}\n', "2 columns text; expected one"),
        ("torn.jsonl", '{"text": "a", "label": 1}\n{"text": ', "line 2: not JSON"),
        ("deep.jsonl", "[" * 100_000, "line 1: not JSON"),
        ("open.tsv", 'text\tlabel\n"Great\t1\nso dull\t0\nthey wrote "\t0\n', "line 2: a quoted text with tabs and"),
        ("null.jsonl", '{"text": "a", "label": null}\n', "line 1: no label; every row needs 0 or 1"),
        ("sheet.xlsx", "hello", "expected a file named .csv"),
        ("lines.txt", "good\n", "a .txt file has no columns, and label is asked for"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "bytes",  # gzip's hold the time: each worker's differ
)  # fmt: skip
def test_what_cannot_be_read_is_one_line(write: Write, name: str, content: str | bytes, said: str) -> None:
    with pytest.raises(UserError) as error:
        texts(write(name, content))
    assert said in str(error.value)
    assert name in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["long.csv", "long.txt"])
def test_a_text_of_gigabytes_is_refused_in_little_memory(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    with path.open("wb") as file:
        file.write(b"text\n")
        file.truncate(2**33)  # of zeros, which take no room on the disk
    tracemalloc.start()
    with pytest.raises(UserError) as refused:
        for _ in read_rows(path, Columns()):
            pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert str(refused.value).startswith(f"{path}, line 2: longer than 16,777,216 characters")
    assert peak < 2**27


def test_a_file_that_is_not_there_or_a_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    for name in ("none.csv", "none.parquet", "folder.csv"):
        with pytest.raises(UserError, match="cannot be read"):
            texts(tmp_path / name)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.text(st.characters(codec="utf-8")), st.sampled_from([0, 1])), min_size=1, max_size=5))
def test_rows_come_back_as_they_were_written(tmp_path_factory: pytest.TempPathFactory, rows: list) -> None:
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows))
    assert list(zip(texts(path), labels(path), strict=True)) == rows


@pytest.mark.parametrize("name", ["many.csv", "many.parquet"])
def test_a_file_four_times_as_large_takes_no_more_memory(name: str, tmp_path: Path) -> None:
    code = (
        "import sys, pyarrow, tracemalloc; from pathlib import Path; from sentiment_rnn.data.text_files import *\n"
        "tracemalloc.start()\n"
        "count = sum(len(rows.texts) for rows in read_rows(Path(sys.argv[1]), Columns('text', 'label')))\n"
        "print(count, pyarrow.default_memory_pool().max_memory() + tracemalloc.get_traced_memory()[1])"
    )

    def peak(rows: int) -> int:
        path, texts = tmp_path / name, [f"{row} a film of some {row % 97} words" * 5 for row in range(rows)]
        if name.endswith("csv"):
            path.write_text("text,label\n" + "".join(f"{text},1\n" for text in texts))
        else:
            pq.write_table(pa.table({"text": texts, "label": [1] * rows}), path, row_group_size=8 * PART)
        done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
        count, found = map(int, done.stdout.split())
        assert count == rows
        return found

    assert peak(40 * PART) < 1.5 * peak(10 * PART)


def test_lines_are_given_in_parts_of_the_size_that_is_asked_for() -> None:
    assert [rows.texts for rows in read_lines(iter(["a\n", "b\n", "c"]), 2)] == [["a", "b"], ["c"]]
