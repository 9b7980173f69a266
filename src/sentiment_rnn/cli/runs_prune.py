"""Remove checkpoints of runs that finished, or that the store no longer has; shows them first, --yes deletes.

sentiment-rnn runs prune
sentiment-rnn runs prune --yes

A model that a run packaged stays: it lies in the store.
"""

from rich.filesize import decimal

from sentiment_rnn.cli.options import StoreOptions
from sentiment_rnn.report.tables import Table, new_console, show

COLUMNS = ("folder", "why", "size")


def main(*, yes: bool = False, options: StoreOptions = StoreOptions()) -> None:
    """Show what goes, and remove it where that is asked for.

    Args:
        yes: delete; without it nothing changes
    """
    from sentiment_rnn.tracking.checkpoints import remove, superfluous

    folders = list(superfluous(options.open()))
    if not folders:
        print("nothing to delete")
        return
    rows = [(folder.name, why, decimal(size)) for folder, size, why in folders]
    show(new_console(), Table("Checkpoints that no run resumes from", COLUMNS, rows))
    if not yes:
        print(f"nothing is deleted yet; --yes deletes {decimal(sum(size for _, size, _ in folders))}")
        return
    removed = [size for folder, size, _ in folders if remove(folder)]
    print(f"deleted {decimal(sum(removed))} of {len(removed)} runs")
