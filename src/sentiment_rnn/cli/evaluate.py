"""Score a trained model on labelled texts of your own.

sentiment-rnn evaluate reviews.csv
sentiment-rnn evaluate originals.tsv revisions.tsv --text Text --label Sentiment --id batch_id
"""

from collections.abc import Sequence
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING

from sentiment_rnn.cli.options import FilePath
from sentiment_rnn.cli.trained_model import ModelOptions, TrainedModel, open_model

if TYPE_CHECKING:
    from rich.console import Console

    from sentiment_rnn.report.evaluation import Evaluation
    from sentiment_rnn.report.tables import Table


def main(
    file: FilePath,
    /,
    *more: FilePath,
    text: str = "text",
    label: str = "label",
    id: str | None = None,
    json: bool = False,
    no_log: bool = False,
    options: ModelOptions = ModelOptions(),
) -> None:
    """Read the files, show how good the model is on them, and record it under its run.

    Args:
        file: labelled texts: .csv, .tsv, .jsonl (also .gz), .parquet
        more: further files of the same columns
        text: the column of the texts
        label: that of their labels, 0 or 1, neg or pos, negative or positive, false or true
        id: column of what joins an original and its revision: how often is the model right on all?
        json: the scores alone, in JSON
        no_log: record nothing in MLflow
    """
    from tqdm import tqdm

    from sentiment_rnn.data.text_files import Columns, rows_of
    from sentiment_rnn.inference.predictor import notes_of
    from sentiment_rnn.report.evaluation import judge, scores, tables

    files, columns = [file, *more], Columns(text, label, id)
    with open_model(options) as model:
        rows = tqdm(rows_of(files, columns), "Reading", unit=" parts", disable=None, leave=False)
        evaluation = judge(model.predictor, rows)
        values = scores(evaluation)
        shown = tables(evaluation, values)
        if json:
            print(dumps(values))
        else:
            show_all(evaluation, shown, notes_of(model.predictor.package.reading))
        # Last, so that a server that does not answer costs no score.
        recorded = None if no_log else record(model, evaluation, files, values, shown)
    if not json:
        print(recorded or "recorded nowhere")


def show_all(evaluation: "Evaluation", shown: "list[Table]", notes: list[str]) -> None:
    """Tables, mistakes and warnings, for a person."""
    from sentiment_rnn.report.tables import new_console, show

    console = new_console()
    for table in shown:
        show(console, table)
    show_mistakes(console, evaluation)
    for line in [*notes, *warnings(evaluation)]:
        console.print(line, soft_wrap=True)


def warnings(evaluation: "Evaluation") -> list[str]:
    """Lines on texts that no score counts, and on texts that the model was trained or chosen on."""
    from sentiment_rnn.report.statistics import percent

    lines = []
    if evaluation.without_tokens:
        lines.append(f"note: {evaluation.without_tokens:,} texts have no word and no mark; they are in no score")
    if seen := int(evaluation.seen.sum()):
        rest = (
            f"without them, accuracy is {percent(evaluation.accuracy_unseen)}"
            if evaluation.accuracy_unseen
            else "no other is left"
        )
        lines.append(
            f"warning: the model was trained or chosen on {seen:,} of these texts, or on ones it reads alike; {rest}"
        )
    return lines


def show_mistakes(console: "Console", evaluation: "Evaluation") -> None:
    """The surest mistakes, a line each."""
    from sentiment_rnn.cli.trained_model import shortened

    if evaluation.mistakes:
        console.print("The surest mistakes", style="bold")
    for mistake in evaluation.mistakes[:5]:
        label = "positive" if mistake.label else "negative"
        text = shortened(mistake.text, max(20, console.width - 34))
        console.print(f"is {label}, said {100 * mistake.probability:5.1f} %  {text}", soft_wrap=True)


def record(
    model: TrainedModel, evaluation: "Evaluation", files: Sequence[Path], values: dict[str, float], shown: "list[Table]"
) -> str | None:
    """Log the evaluation as a run under the model's own."""
    from sentiment_rnn.report.plotting import prediction_figures
    from sentiment_rnn.report.tables import markdown
    from sentiment_rnn.tracking.evaluations import log_evaluation

    if model.store is None or not model.run:
        return None
    mistakes = [mistake._asdict() for mistake in evaluation.mistakes]
    figures = prediction_figures(evaluation.predictions)
    run_id = log_evaluation(model.store, model.run, files, values, markdown(shown), figures, mistakes)
    return f"recorded as run {run_id} of {model.store.uri}; the model is of run {model.run}"
