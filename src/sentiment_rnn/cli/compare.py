"""Turn sweeps into a table with error bars, differences between arms and a figure.

sentiment-rnn compare
sentiment-rnn compare mine more --output results --register
sentiment-rnn compare rnn_vs_lstm --tracking-uri http://127.0.0.1:5000
"""

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from sentiment_rnn.cli.options import FilePath, StoreOptions
from sentiment_rnn.errors import UserError

if TYPE_CHECKING:
    from sentiment_rnn.tracking.results import RecordedRun


def main(
    *sweeps: str,
    output: FilePath | None = None,
    panels: Annotated[tuple[str, ...], Parameter(name="--panel")] = (),
    register: bool = False,
    replace: bool = False,
    model: str | None = None,
    settings: bool = False,
    options: StoreOptions = StoreOptions(),
) -> None:
    """Print the tables, and log tables and figure to the parent run of the first sweep. With --output, also write them
    to a folder.

    Args:
        sweeps: a study's name (its latest sweep), or a parent run's id or its beginning (default: the latest sweep)
        output: write results, table and figure to this folder
        panels: a panel of the figure, or several: accuracy, lag, validation, gradients, or a metric such as test/f1
        register: register the best run of all and of each encoder; aliases move only to better runs on the same texts
        replace: register, and move every alias in any case
        model: the registered model (default: sentiment for runs on data=imdb, demo for those on data=generated)
        settings: list also the settings that are the same in all arms
    """
    from sentiment_rnn.report.comparison import arms_of_sweeps, in_words, results_csv, settings_tables, tables_of
    from sentiment_rnn.report.comparison_figure import check_panels, comparison_figure
    from sentiment_rnn.report.plotting import write_folder
    from sentiment_rnn.report.tables import markdown, new_console, show
    from sentiment_rnn.tracking.champions import check_entrants, name_for, register_best
    from sentiment_rnn.tracking.models import check_name
    from sentiment_rnn.tracking.store import where_to_look
    from sentiment_rnn.tracking.sweeps import log_comparison, named_sweeps, results_of

    registers = register or replace
    if registers and model is not None:
        check_name(model)
    store = options.open()
    parents = named_sweeps(store, sweeps or ["latest"])
    results_by_sweep = {name: results_of(store, parent) for name, parent in parents.items()}
    for sweep, results in results_by_sweep.items():
        check_task(sweep, results)
    arms, lines = arms_of_sweeps(results_by_sweep)
    runs = [run for arm in arms for run in arm.runs]
    check_panels(panels, chain(*(run.metrics for run in runs)))
    model = name_for(model, runs)
    if registers:
        check_entrants(model, runs)
    first, parent = next(iter(parents.items()))
    differing, same = settings_tables(arms)
    tables = [*tables_of(arms), *([differing] if differing.rows else [])]
    figure = comparison_figure(arms, " and ".join(parents), panels)
    files = {"table.md": markdown(tables), "results.csv": results_csv(arms)}
    sentences = in_words(arms)
    if not settings:
        lines.append(f"{len(same.rows)} settings are the same in all arms; --settings lists them")
    closing = [where_to_look(store), "", *sentences]
    if output:
        write_folder(output, files, {"comparison": figure})
        closing.append(f"Figure: {output / 'comparison.png'}; table and results are beside it.")
    try:
        log_comparison(store, parent, "\n\n".join([*sentences, files["table.md"]]), files, figure)
        lines.append(
            f"tables and figure logged to run {parent.info.run_id} of {store.uri}, sweep {first}, under comparison/"
        )
        if registers:
            labels = {run.run_id: arm.label for arm in arms for run in arm.runs}
            lines += register_best(store, str(model), runs, labels, replace)
        else:
            how = "--register" if model else "--register --model NAME"
            lines.append(f"not registered; {how} makes the best runs versions of the model {model or 'NAME'}")
    finally:  # also if the store refuses; last, so that the files are there even if the output is closed (`| head`)
        console = new_console()
        for table in [*tables, *([same] if settings else [])]:
            show(console, table)
        for line in [*lines, *closing]:
            console.print(line, soft_wrap=True)


def check_task(study: str, runs: "Sequence[RecordedRun]") -> None:
    """Raise `UserError` for a sweep of a task that classifies no reviews: it has no predictions to compare."""
    others = sorted({run.config.task.name for run in runs if "test/accuracy" not in run.metrics})
    if others:
        raise UserError(
            f"{study}: its runs are of {', '.join(others)}, and compare reads runs that classify reviews; "
            "sentiment-rnn runs shows the others, and make ui their curves"
        )
