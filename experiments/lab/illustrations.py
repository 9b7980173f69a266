"""The table on the page of each illustration, from the results that `compare` wrote."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean

from sentiment_rnn.report.comparison import Scored, read_results
from sentiment_rnn.report.tables import Table, markdown


def illustration_blocks(root: Path) -> Iterator[tuple[Path, str, str]]:
    """Document, name and text of each block: of each folder of `experiments/illustrations` that has results."""
    for results in sorted(root.glob("experiments/illustrations/*/results.csv")):
        name, text = results.parent.name, markdown([accuracy_table(read_results(results.read_text()))])
        yield results.with_name("README.md"), name, text


def accuracy_table(arms: Sequence[Scored]) -> Table:
    """A row for each encoder, the best on validation first: its test accuracy by seed, or, of arms that differ in
    their learning rate, its validation accuracy by rate."""
    by_rate = any("learning_rate=" in arm.name for arm in arms)
    accuracies: dict[str, dict[str, float]] = {}
    for arm in arms:
        found = accuracies.setdefault(arm.label.partition(", learning_rate=")[0], {})
        if by_rate:
            found[arm.learning_rate] = fmean(arm.metrics["val/best_accuracy"])
        else:
            found |= dict(zip(map(str, arm.seeds), arm.metrics["test/accuracy"], strict=True))
    columns = sorted({column for found in accuracies.values() for column in found}, key=float)
    rows = [
        (encoder, *(f"{100 * found[column]:.1f}" if column in found else "" for column in columns))
        for encoder, found in accuracies.items()
    ]
    title = "Validation accuracy [%] by learning rate" if by_rate else "Test accuracy [%] by seed"
    return Table(title, ("arm", *columns), rows)
