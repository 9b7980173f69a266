"""Turn sweeps into a table with error bars, differences between encoders and a figure."""

from pathlib import Path

import hydra
from omegaconf import DictConfig

from sentiment_rnn.cli.errors import one_line_errors
from sentiment_rnn.cli.run_model import make_missing_model
from sentiment_rnn.config.commands import CompareConfig
from sentiment_rnn.config.folders import CONFIGURATION
from sentiment_rnn.config.loading import checked
from sentiment_rnn.errors import UserError
from sentiment_rnn.report.comparison import arms_of, distance_table, joined, read_results, results_csv, tables_of
from sentiment_rnn.report.comparison_figure import check_panels, comparison_figure
from sentiment_rnn.report.figures import write_folder
from sentiment_rnn.report.tables import markdown, new_console, show
from sentiment_rnn.tracking.champions import entrants_of, name_for, register_best
from sentiment_rnn.tracking.models import check_name
from sentiment_rnn.tracking.results import RunResult, named_sweeps, results_of
from sentiment_rnn.tracking.store import Store, open_store, where_to_look
from sentiment_rnn.tracking.sweep_reports import log_comparison


@hydra.main(version_base="1.3", config_path=CONFIGURATION, config_name="compare")
def main(config: DictConfig) -> None:
    """Read sweeps back and compare their encoders."""
    with one_line_errors():
        compare(checked(config))


def compare(config: CompareConfig) -> None:
    """Write the tables and the figure to `output` if it is given; log them to the parent run of the first sweep; print
    the tables."""
    if config.register and config.tracking.model is not None:
        check_name(config.tracking.model)
    check_panels(config.panels)
    store = open_store(config.tracking, create=False)
    parents = named_sweeps(store, config.sweeps)
    sweeps = {name: results_of(store, parent) for name, parent in parents.items()}
    for sweep, found in sweeps.items():
        check_task(sweep, found)
    arms, lines = joined(sweeps) if len(sweeps) > 1 else (arms_of(next(iter(sweeps.values()))), [])
    runs = [run for arm in arms for run in arm.runs]
    model = name_for(config.tracking.model, runs)
    entrants = entrants_of(store, model, runs) if config.register else []
    first, parent = next(iter(parents.items()))
    results = results_csv(arms)
    tables = tables_of(read_results(results), distance_table(arms))
    text = markdown(tables)
    figure = comparison_figure(arms, " and ".join(sweeps), config.panels)
    files = {"table.md": text, "results.csv": results}
    if config.output:
        write_folder(Path(config.output), files, {"comparison": figure})
        lines.append(f"written to {Path(config.output)}")
    refused = None
    try:
        log_comparison(store, parent, files, figure)
        lines.append(
            f"tables and figure logged to run {parent.info.run_id} of {store.uri}, sweep {first}, under comparison/"
        )
        if config.register:
            labels = {run.run_id: arm.label for arm in arms for run in arm.runs}
            lines += register_best(store, str(model), entrants, labels, fault_of_model, config.register == "replace")
        else:
            how = "register=true" if model else "register=true tracking.model=NAME"
            lines.append(f"not registered; {how} makes the best runs versions of the model {model or 'NAME'}")
    except UserError as error:  # a store that can only be read: the tables are shown all the same
        refused = error
    # Last, so that whoever reads only the beginning (`| head`) has the files all the same.
    console = new_console()
    for shown in tables:
        show(console, shown)
    for line in [*lines, where_to_look(store)]:
        console.print(line, soft_wrap=True, highlight=False)
    if refused:
        raise refused


def check_task(study: str, runs: list[RunResult]) -> None:
    """Raise `UserError` for a sweep of a task that classifies no reviews: it has no predictions to compare."""
    others = sorted({run.config.task.name for run in runs if "test/accuracy" not in run.metrics})
    if others:
        raise UserError(
            f"sweep={study}: its runs are of {', '.join(others)}, and compare reads runs that classify reviews; "
            "sentiment-rnn runs shows the others, and make ui their curves"
        )


def fault_of_model(store: Store, run_id: str) -> str:
    """Have a run's packaged model made where it recorded none; why that cannot be done, or empty."""
    try:
        make_missing_model(store, run_id)
    except UserError as error:
        return str(error)
    return ""
