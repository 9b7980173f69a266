"""Turn a sweep into a table with error bars, differences between encoders and a figure."""

from pathlib import Path

import hydra
from omegaconf import DictConfig

from sentiment_rnn.cli.errors import one_line_errors
from sentiment_rnn.cli.run_model import make_missing_model
from sentiment_rnn.config.commands import CompareConfig
from sentiment_rnn.config.folders import CONFIGURATION
from sentiment_rnn.config.loading import checked
from sentiment_rnn.config.run import ReviewConfig
from sentiment_rnn.errors import UserError
from sentiment_rnn.report.comparison import Arm, arms_of, distance_table, read_results, results_csv, tables_of
from sentiment_rnn.report.comparison_figure import check_panels, comparison_figure
from sentiment_rnn.report.figures import write_folder
from sentiment_rnn.report.tables import markdown, new_console, show
from sentiment_rnn.tracking.models import check_name, register
from sentiment_rnn.tracking.names import BEST_ACCURACY, CHAMPION
from sentiment_rnn.tracking.results import RunResult, find_sweep, results_of
from sentiment_rnn.tracking.store import Store, open_store, where_to_look
from sentiment_rnn.tracking.sweep_reports import log_comparison


@hydra.main(version_base="1.3", config_path=CONFIGURATION, config_name="compare")
def main(config: DictConfig) -> None:
    """Read a sweep back and compare its encoders."""
    with one_line_errors():
        compare(checked(config))


def compare(config: CompareConfig) -> None:
    """Write the tables and the figure to `output` if it is given; log them to the parent run; print the tables."""
    if config.register:
        check_name(config.tracking.model)
    check_panels(config.panels)
    store = open_store(config.tracking, create=False)
    parent = find_sweep(store, config.sweep)
    study = str(parent.info.run_name)
    runs = results_of(store, parent)
    check_task(study, runs)
    arms = arms_of(runs)
    results = results_csv(arms)
    tables = tables_of(read_results(results), distance_table(arms))
    text = markdown(tables)
    figure = comparison_figure(arms, study, config.panels)
    files = {"table.md": text, "results.csv": results}
    lines = []
    if config.output:
        write_folder(Path(config.output), files, {"comparison": figure})
        lines.append(f"written to {Path(config.output)}")
    refused = None
    try:
        log_comparison(store, parent, files, figure)
        lines.append(f"tables and figure logged to run {parent.info.run_id} of {store.uri}, under comparison/")
        lines += register_best(store, config.tracking.model, arms) if config.register else [
            "not registered; register=true makes the best runs versions of the model " + config.tracking.model
        ]  # fmt: skip
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
    """Raise `UserError` for a sweep of another task than reviews: it has no predictions to compare."""
    others = sorted({run.config.task.name for run in runs if not isinstance(run.config, ReviewConfig)})
    if others:
        raise UserError(
            f"sweep={study}: its runs are of {', '.join(others)}, and compare reads runs on reviews; "
            "sentiment-rnn study name=textbook compares such runs, those of its own sweeps"
        )


def register_best(store: Store, name: str, arms: list[Arm]) -> list[str]:
    """Register the run that is the best on validation as the champion, and that of each encoder under its name; a line
    on each."""
    scored = [(arm, run) for arm in arms for run in arm.runs if run.metrics[BEST_ACCURACY] >= 0]
    if not scored:
        return [f"not registered: no run has {BEST_ACCURACY}"]
    ranked = sorted(scored, key=lambda pair: -pair[1].metrics[BEST_ACCURACY])
    best = {CHAMPION: ranked[0]}
    best |= {run.encoder: (arm, run) for arm, run in reversed(ranked)}
    faults = {alias: fault for alias, (_, run) in best.items() if (fault := fault_of_model(store, run.run_id))}
    versions = register(store, name, {alias: run.run_id for alias, (_, run) in best.items() if alias not in faults})
    lines = []
    for alias, (arm, run) in best.items():
        what = f"{arm.name}, seed {run.seed}, {100 * run.metrics[BEST_ACCURACY]:.1f} % on validation"
        if alias in versions:
            lines.append(f"registered as {name}@{alias}, version {versions[alias]}: {what}")
        else:
            why = faults.get(alias, "it was trained before models were packaged")
            lines.append(f"not registered: {what}, run {run.run_id}: {why}")
    return lines


def fault_of_model(store: Store, run_id: str) -> str:
    """Have a run's packaged model made where it recorded none; why that cannot be done, or empty."""
    try:
        make_missing_model(store, run_id)
    except UserError as error:
        return str(error)
    return ""
