"""The table on the page of each illustration, from the results that `compare` wrote."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from sentiment_rnn.report.tables import Table, markdown


def illustration_blocks(root: Path) -> Iterator[tuple[Path, str, str]]:
    """Document, name and text of each block: of each folder of `experiments/illustrations` that has results."""
    for results in sorted(root.glob("experiments/illustrations/*/results.csv")):
        text = markdown([accuracy_table(pd.read_csv(results))])
        yield results.with_name("README.md"), results.parent.name, text


def accuracy_table(runs: pd.DataFrame) -> Table:
    """A row for each encoder, the best on validation first: its test accuracy by seed, or, of arms that differ in
    their learning rate, its validation accuracy by rate.

    Args:
        runs: a row per run, as `results.csv` has them.
    """
    runs = runs.assign(
        encoder=runs.get("label", runs["arm"]).str.replace(", learning_rate=.*", "", regex=True),
        best=-runs.groupby("arm")["val/best_accuracy"].transform("mean"),
    ).sort_values("best", kind="stable")
    by_rate = runs["arm"].str.contains("learning_rate=").any()
    columns, score = ("learning_rate", "val/best_accuracy") if by_rate else ("seed", "test/accuracy")
    accuracies = runs.pivot_table(score, "encoder", columns).reindex(runs["encoder"].unique())
    rows = [
        (encoder, *("" if pd.isna(accuracy) else f"{100 * accuracy:.1f}" for accuracy in row))
        for encoder, *row in accuracies.itertuples()
    ]
    title = "Validation accuracy [%] by learning rate" if by_rate else "Test accuracy [%] by seed"
    return Table(title, ("arm", *(f"{column:g}" for column in accuracies)), rows)
