"""Turn sweeps into a table with error bars, differences between arms and a figure.

sentiment-rnn compare
sentiment-rnn compare mine more --output results --register
sentiment-rnn compare rnn_vs_lstm --tracking-uri http://127.0.0.1:5000
"""

import argparse
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING

from sentiment_rnn.cli.commands import add_experiment, new_parser, opened_store, path
from sentiment_rnn.errors import UserError

if TYPE_CHECKING:
    from sentiment_rnn.tracking.results import RunResult
    from sentiment_rnn.tracking.store import Store


def main() -> None:
    """Read the command line and compare."""
    parser = new_parser("compare", __doc__)
    parser.add_argument(
        "sweeps", metavar="SWEEP", nargs="*",
        help="a study's name (its latest sweep), or a parent run's id or its beginning (default: the latest sweep)",
    )  # fmt: skip
    parser.add_argument("--output", type=path, metavar="FOLDER", help="write results, table and figure there")
    parser.add_argument(
        "--panel", dest="panels", metavar="NAME", action="append", default=[],
        help="a panel of the figure: accuracy, lag, validation, gradients, or a metric such as test/f1; may be "
        "given several times (default: the first four)",
    )  # fmt: skip
    parser.add_argument(
        "--register", action="store_true",
        help="register the best run, and the best of each encoder, as versions of a model; an alias moves only to a "
        "run that is better on the same validation texts",
    )  # fmt: skip
    parser.add_argument(
        "--replace", action="store_true",
        help="register, and move every alias; those of encoders that these runs do not have are deleted",
    )  # fmt: skip
    parser.add_argument(
        "--model", metavar="NAME",
        help="the registered model (default: sentiment for runs on data=imdb, demo for those on data=generated)",
    )  # fmt: skip
    parser.add_argument("--settings", action="store_true", help="list also the settings that are the same in all arms")
    add_experiment(parser)
    compare(parser.parse_intermixed_args())


def compare(arguments: argparse.Namespace) -> None:
    """Write the tables and the figure to a folder if one is given; log them to the parent run of the first sweep; print
    the tables."""
    from sentiment_rnn.report.comparison import arms_of, in_words, joined, results_csv, tables_of
    from sentiment_rnn.report.comparison_figure import check_panels, comparison_figure
    from sentiment_rnn.report.figures import write_folder
    from sentiment_rnn.report.settings import settings_tables
    from sentiment_rnn.report.tables import markdown, new_console, show
    from sentiment_rnn.tracking.champions import entrants_of, name_for, register_best
    from sentiment_rnn.tracking.models import check_name
    from sentiment_rnn.tracking.results import named_sweeps, results_of
    from sentiment_rnn.tracking.store import where_to_look
    from sentiment_rnn.tracking.sweeps import log_comparison

    registers = arguments.register or arguments.replace
    if registers and arguments.model is not None:
        check_name(arguments.model)
    store = opened_store(arguments)
    parents = named_sweeps(store, arguments.sweeps or ["latest"])
    sweeps = {name: results_of(store, parent) for name, parent in parents.items()}
    for sweep, found in sweeps.items():
        check_task(sweep, found)
    arms, lines = joined(sweeps) if len(sweeps) > 1 else (arms_of(next(iter(sweeps.values()))), [])
    runs = [run for arm in arms for run in arm.runs]
    check_panels(arguments.panels, chain(*(run.metrics for run in runs)))
    model = name_for(arguments.model, runs)
    entrants = entrants_of(store, model, runs) if registers else []
    first, parent = next(iter(parents.items()))
    differing, same = settings_tables(arms)
    tables = tables_of(arms) + [table for table in (differing,) if table.rows]
    text = markdown(tables)
    figure = comparison_figure(arms, " and ".join(sweeps), arguments.panels)
    files = {"table.md": text, "results.csv": results_csv(arms)}
    if arguments.output:
        write_folder(arguments.output, files, {"comparison": figure})
    refused = None
    try:
        log_comparison(store, parent, "\n\n".join([*in_words(arms), text]), files, figure)
        lines.append(
            f"tables and figure logged to run {parent.info.run_id} of {store.uri}, sweep {first}, under comparison/"
        )
        if registers:
            labels = {run.run_id: arm.label for arm in arms for run in arm.runs}
            lines += register_best(store, str(model), entrants, labels, fault_of_model, arguments.replace)
        else:
            how = "--register" if model else "--register --model NAME"
            lines.append(f"not registered; {how} makes the best runs versions of the model {model or 'NAME'}")
    except UserError as error:  # a store that can only be read: the tables are shown all the same
        refused = error
    # Last, so that whoever reads only the beginning (`| head`) has the files all the same.
    console = new_console()
    for shown in [*tables, *([same] if arguments.settings else [])]:
        show(console, shown)
    if not arguments.settings:
        lines.insert(0, f"{len(same.rows)} settings are the same in all arms; --settings lists them")
    lines += [where_to_look(store), "", *in_words(arms)]
    if arguments.output:
        lines.append(f"Figure: {arguments.output / 'comparison.png'}; table and results are beside it.")
    for line in lines:
        console.print(line, soft_wrap=True)
    if refused:
        raise refused


def check_task(study: str, runs: "Sequence[RunResult]") -> None:
    """Raise `UserError` for a sweep of a task that classifies no reviews: it has no predictions to compare."""
    others = sorted({run.config.task.name for run in runs if "test/accuracy" not in run.metrics})
    if others:
        raise UserError(
            f"{study}: its runs are of {', '.join(others)}, and compare reads runs that classify reviews; "
            "sentiment-rnn runs shows the others, and make ui their curves"
        )


def fault_of_model(store: "Store", run_id: str) -> str:
    """Have a run's packaged model made where it recorded none; why that cannot be done, or empty."""
    from sentiment_rnn.cli.run_model import make_missing_model

    try:
        make_missing_model(store, run_id)
    except UserError as error:
        return str(error)
    return ""
