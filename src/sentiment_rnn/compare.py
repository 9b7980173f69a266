"""Turn a sweep into a table with error bars, paired tests and a figure.

python -m sentiment_rnn.compare sweep=latest
python -m sentiment_rnn.compare sweep=rnn_vs_lstm output=experiments/rnn_vs_lstm documents=[README.md]
"""

import csv
import io
from pathlib import Path

import hydra
from omegaconf import DictConfig
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sentiment_rnn.analysis.comparison import (
    DIFFERENCE_COLUMNS,
    TABLE_COLUMNS,
    Arm,
    RunResult,
    arms_of,
    difference_table,
    differences,
    distance_table,
    markdown,
    table,
)
from sentiment_rnn.analysis.comparison_figure import comparison_figure
from sentiment_rnn.command import CONFIGURATION, run
from sentiment_rnn.config import CompareConfig, UserError, checked
from sentiment_rnn.tracking.results import find_sweep, log_comparison, read_results
from sentiment_rnn.tracking.store import open_store


@hydra.main(version_base="1.3", config_path=CONFIGURATION, config_name="compare")
def main(config: DictConfig) -> None:
    """Read a sweep back and compare its encoders."""
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
    console = Console(width=None if Console().is_terminal else 160)
    for title, columns, rows in tables:
        show(console, title, columns, rows)
    text = "\n".join(f"{title}\n\n{markdown(columns, rows)}" for title, columns, rows in tables)
    figure = comparison_figure(arms, study)
    files = {"table.md": text, "results.csv": results_csv(runs)}
    log_comparison(store, parent, files, figure)
    console.print(f"logged to run {parent.info.run_id} of {store.uri}, under comparison/", soft_wrap=True)
    if config.output:
        folder = Path(config.output)
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_text(content)
        figure.savefig(folder / "comparison.png")
        console.print(f"written to {folder}")
    for document in config.documents:
        replace_block(Path(document), study, text)


def build_tables(arms: list[Arm], resamples: int) -> list[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
    """Title, columns and rows of every table that has rows."""
    seeds = ", ".join(sorted({str(run.seed) for arm in arms for run in arm.runs}, key=int))
    distance_columns, distance_rows = distance_table(arms)
    tables = [
        (f"Mean ± standard deviation, seeds: {seeds}", TABLE_COLUMNS, table(arms)),
        (
            "Test accuracy by distance from the deciding clause to the end [tokens]",
            distance_columns,
            distance_rows,
        ),
        (
            "Paired on the same test reviews",
            DIFFERENCE_COLUMNS,
            difference_table(differences(arms, resamples)),
        ),
    ]
    return [(title, columns, rows) for title, columns, rows in tables if rows]


def show(console: Console, title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print one table."""
    shown = Table(title=escape(title), title_justify="left", title_style="bold")
    for column in columns:
        shown.add_column(
            escape(column), justify="left" if column in ("encoder", "first", "second", "pooling") else "right"
        )
    for row in rows:
        shown.add_row(*row)
    console.print(shown)


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


def replace_block(path: Path, name: str, text: str) -> None:
    """Put `text` between `<!-- name:start -->` and `<!-- name:end -->`, so that no table is pasted by hand."""
    before, after = find_block(path, name)
    path.write_text(f"{before}\n{text}{after}")


def find_block(path: Path, name: str) -> tuple[str, str]:
    """What stands before and behind a block, its two marks included; raises `UserError` where there is none."""
    start, end = f"<!-- {name}:start -->", f"<!-- {name}:end -->"
    text = path.read_text() if path.is_file() else ""
    if start not in text or end not in text:
        raise UserError(f"documents: {path} has no block {start} … {end}; put the two lines where the tables belong")
    return text[: text.index(start) + len(start)], text[text.index(end) :]


if __name__ == "__main__":
    run(main)
