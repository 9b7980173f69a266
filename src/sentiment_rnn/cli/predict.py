"""Say whether texts are positive.

sentiment-rnn predict "a wonderful film" "dull, and far too long"
sentiment-rnn predict --file reviews.csv --json > answers.jsonl
cat reviews.txt | sentiment-rnn predict --model sentiment@rnn
"""

import sys
from collections.abc import Iterator
from json import dumps
from typing import TYPE_CHECKING

from sentiment_rnn.cli.options import FilePath
from sentiment_rnn.cli.trained_model import ModelOptions, open_model, shortened
from sentiment_rnn.errors import UserError

if TYPE_CHECKING:
    from sentiment_rnn.data.text_files import Rows
    from sentiment_rnn.inference.predictor import Sentiments


def main(
    *texts: str,
    file: FilePath | None = None,
    text: str = "text",
    json: bool = False,
    options: ModelOptions = ModelOptions(),
) -> None:
    """Print an answer for each text, in order, on standard output; warnings go to standard error.

    Args:
        texts: texts; without any and without --file, or as -, one text per line is read
        file: a file of texts: .csv, .tsv, .jsonl, .parquet (a column), .txt (lines)
        text: the file's column of texts
        json: one answer per line, in JSON
    """
    if texts and file:
        raise UserError(f"--file={file}: texts were given as well; give one or the other")
    from tqdm import tqdm

    from sentiment_rnn.data.text_files import Columns, Rows, read_rows
    from sentiment_rnn.inference.predictor import Doubts

    if file:
        parts = read_rows(file, Columns(text))
    else:
        parts = standard_input() if texts in ((), ("-",)) else iter([Rows(list(texts), [], [])])
    with open_model(options) as model:
        doubts = Doubts(model.predictor.package.reading)
        # On a terminal, a progress bar would be printed into the lines of the answers.
        silent = None if file and not sys.stdout.isatty() else True
        with tqdm(unit=" texts", disable=silent, leave=False) as progress:
            for part, rows in enumerate(parts):
                answers = model.predictor.predict(rows.texts)
                if json:
                    print("\n".join(map(dumps, answers.records())), flush=True)
                else:
                    write_lines(rows, answers, headed=part == 0)
                doubts.add(answers)
                progress.update(len(rows.texts))
        for line in doubts.lines():
            print(line, file=sys.stderr)


def standard_input() -> Iterator["Rows"]:
    """Lines of standard input. On a terminal, each line is answered as soon as it is typed."""
    from sentiment_rnn.data.text_files import read_lines, utf8_input

    with utf8_input() as lines:
        if lines.isatty():
            print("One text a line; Ctrl-D ends.", file=sys.stderr)
        yield from read_lines(lines, *([1] if lines.isatty() else []))


def write_lines(rows: "Rows", sentiments: "Sentiments", headed: bool) -> None:
    """Print one aligned line per answer, for a person to read; `headed` puts a heading above them."""
    from sentiment_rnn.report.tables import new_console

    console = new_console()
    if headed:
        console.print("label     positive  known  unknown  text", style="bold")
    for text, label, probability, known, unknown in zip(rows.texts, sentiments.labels, *sentiments, strict=True):
        percent = "–" if label is None else f"{100 * probability:.1f} %"
        shown = shortened(text or "", max(20, console.width - 36))
        line = f"{label or 'no text':<8}  {percent:>8}  {known:>5}  {unknown:>7}  {shown}"
        console.print(line, soft_wrap=True)
