"""Score a trained model on labelled texts of your own.

sentiment-rnn evaluate reviews.csv
sentiment-rnn evaluate originals.tsv revisions.tsv --text Text --label Sentiment --id batch_id
"""

from json import dumps

from sentiment_rnn.cli.options import FilePath
from sentiment_rnn.cli.trained_model import ModelOptions, open_model, shortened


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
        label: the column of their labels: 0 or 1, neg or pos, negative or positive, false or true
        id: column with the same value for an original and its revisions: how often is the model right on all?
        json: print only the scores, in JSON
        no_log: record nothing in MLflow
    """
    from tqdm import tqdm

    from sentiment_rnn.data.text_files import Columns, read_rows
    from sentiment_rnn.inference.predictor import notes_of
    from sentiment_rnn.report.evaluation import judge, scores, tables
    from sentiment_rnn.report.tables import Table, markdown, new_console, show

    files, columns = [file, *more], Columns(text, label, id)
    parts = (rows for path in files for rows in read_rows(path, columns))
    recorded = "recorded nowhere"
    with open_model(options) as model:
        evaluation = judge(model.predictor, tqdm(parts, "Reading", unit=" parts", disable=None, leave=False))
        values = scores(evaluation)
        shown = tables(evaluation, values)
        mistakes = [
            ("positive" if label else "negative", f"{100 * probability:.1f} %", shortened(text, 100))
            for text, label, probability in evaluation.mistakes[:5]
        ]
        if json:
            print(dumps(values))
        else:
            console = new_console()
            for table in [*shown, Table("The surest mistakes", ("is", "said", "text"), mistakes)]:
                if table.rows:
                    show(console, table)
            for note in notes_of(model.predictor.package.reading):
                console.print(note, soft_wrap=True)
        if model.store and model.run and not no_log:  # last, so that a server that does not answer costs no score
            from sentiment_rnn.report.plotting import prediction_figures
            from sentiment_rnn.tracking.evaluations import log_evaluation

            described = [mistake._asdict() for mistake in evaluation.mistakes]
            figures = prediction_figures(evaluation.predictions)
            run = log_evaluation(model.store, model.run, files, values, markdown(shown), figures, described)
            recorded = f"recorded as run {run} of {model.store.uri}; the model is of run {model.run}"
    if not json:
        print(recorded)
