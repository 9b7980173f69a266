"""Turn a sweep into a table with error bars, paired tests and a figure.

python -m sentiment_rnn.compare sweep=latest
python -m sentiment_rnn.compare sweep=rnn_vs_lstm output=experiments/rnn_vs_lstm documents=[README.md]
"""

import csv
import io
from pathlib import Path

import hydra
from omegaconf import DictConfig

from sentiment_rnn.analysis.comparison import (
    DIFFERENCE_COLUMNS,
    TABLE_COLUMNS,
    Arm,
    RunResult,
    arms_of,
    difference_table,
    differences,
    distance_table,
    table,
)
from sentiment_rnn.analysis.comparison_figure import comparison_figure
from sentiment_rnn.analysis.figures import save_figure
from sentiment_rnn.analysis.tables import Table, find_block, markdown, new_console, replace_block, show
from sentiment_rnn.command import CONFIGURATION, one_line_errors, run
from sentiment_rnn.config import CompareConfig, checked
from sentiment_rnn.tracking.models import CHAMPION, NAME, register
from sentiment_rnn.tracking.results import find_sweep, log_comparison, read_results
from sentiment_rnn.tracking.store import Store, open_store


@hydra.main(version_base="1.3", config_path=CONFIGURATION, config_name="compare")
def main(config: DictConfig) -> None:
    """Read a sweep back and compare its encoders."""
    with one_line_errors():
        compare(checked(config))


def compare(config: CompareConfig) -> None:
    """Print the tables; log them and the figure to the parent run; write them to `output` if it is given."""
    store = open_store(config.tracking, create=False)
    parent = find_sweep(store, config.sweep)
    study = str(parent.info.run_name)
    for document in config.documents:
        find_block(Path(document), study)
    runs = read_results(store, parent)
    arms = arms_of(runs)
    tables = build_tables(arms, config.resamples)
    console = new_console()
    for shown in tables:
        show(console, shown)
    text = markdown(tables)
    figure = comparison_figure(arms, study)
    files = {"table.md": text, "results.csv": results_csv(runs)}
    log_comparison(store, parent, files, figure)
    console.print(f"logged to run {parent.info.run_id} of {store.uri}, under comparison/", soft_wrap=True)
    for line in register_best(store, runs):
        console.print(line, soft_wrap=True, highlight=False)
    if config.output:
        folder = Path(config.output)
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_text(content)
        save_figure(figure, folder / "comparison.png")
        console.print(f"written to {folder}")
    for document in config.documents:
        replace_block(Path(document), study, text)


def register_best(store: Store, runs: list[RunResult]) -> list[str]:
    """Register the run that is the best on validation as `sentiment@champion`, and that of each encoder under its name;
    a line on each."""
    ranked = sorted(runs, key=lambda result: -result.metrics["val/best_accuracy"])
    best = {CHAMPION: ranked[0]}
    best |= {result.encoder: result for result in reversed(ranked)}
    versions = register(store, {alias: store.client.get_run(result.run_id) for alias, result in best.items()})
    lines = []
    for alias, result in best.items():
        what = f"{result.arm}, seed {result.seed}, {100 * result.metrics['val/best_accuracy']:.1f} % on validation"
        if alias in versions:
            lines.append(f"registered as {NAME}@{alias}, version {versions[alias]}: {what}")
        else:
            lines.append(f"not registered: {what}, run {result.run_id}, was trained before models were packaged")
    return lines


def build_tables(arms: list[Arm], resamples: int) -> list[Table]:
    """Every table that has rows."""
    seeds = ", ".join(sorted({str(run.seed) for arm in arms for run in arm.runs}, key=int))
    tables = [
        Table(f"Mean ± standard deviation, seeds: {seeds}", TABLE_COLUMNS, table(arms)),
        Table("Test accuracy by distance from the deciding clause to the end [tokens]", *distance_table(arms)),
        Table("Paired on the same test reviews", DIFFERENCE_COLUMNS, difference_table(differences(arms, resamples))),
    ]
    return [shown for shown in tables if shown.rows]


def results_csv(runs: list[RunResult]) -> str:
    """A row a run: what it was and what it scored."""
    metrics = [
        "parameters", "val/best_accuracy", "test/accuracy", "test/f1", "test/auroc", "test/calibration_error",
        "test/loss", "train/epoch_seconds", "train/tokens_per_second", "memory/peak_bytes",
    ]  # fmt: skip
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["encoder", "pooling", "learning_rate", "seed", *metrics])
    for result in sorted(runs, key=lambda r: (r.arm, r.seed)):
        values = [f"{v:.0f}" if v.is_integer() else f"{v:.6g}" for v in (result.metrics[name] for name in metrics)]
        writer.writerow([result.arm, result.pooling, f"{result.learning_rate:g}", result.seed, *values])
    return text.getvalue()


if __name__ == "__main__":
    run(main)
