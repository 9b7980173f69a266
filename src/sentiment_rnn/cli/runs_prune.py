"""Remove checkpoints that nobody needs any more: shown first, deleted with `yes=true`."""

import json

import hydra
from omegaconf import DictConfig
from rich.filesize import decimal

from sentiment_rnn.cli.errors import one_line_errors
from sentiment_rnn.config.commands import PruneConfig
from sentiment_rnn.config.folders import CONFIGURATION
from sentiment_rnn.config.loading import checked
from sentiment_rnn.report.tables import Table, new_console, show
from sentiment_rnn.tracking.inventory import SHORTEST_ID, chosen, entries_of
from sentiment_rnn.tracking.pruning import Plan, Removal, plan, remove
from sentiment_rnn.tracking.store import open_store

COLUMNS = ("name", "run", "id", "files", "size")


@hydra.main(version_base="1.3", config_path=CONFIGURATION, config_name="prune")
def main(config: DictConfig) -> None:
    """Show what a rule removes, and remove it where that is asked for."""
    with one_line_errors():
        prune(checked(config))


def prune(config: PruneConfig) -> None:
    """Print what goes and what stays; delete with `yes`."""
    store = open_store(config.tracking, create=False)
    entries = entries_of(store)
    asked = chosen(entries, config.sweep)
    others = [entry for entry in entries if entry not in asked]
    planned = plan(store, asked, config.keep, config.older_than_days, config.unfinished, others)
    if config.json:
        print(json.dumps({"deleted": config.yes, **described(planned)}, indent=1))
    else:
        print_plan(planned, config.keep)
    count = sum(len(part.files) for part in planned.removals)
    what = f"{count} {'checkpoint' if count == 1 else 'checkpoints'}, {decimal(planned.size)}"
    if config.yes:
        remove(store, planned, f"keep={config.keep}")
    if not config.json:
        if not count:
            print("nothing to delete")
        else:
            print(f"deleted {what}" if config.yes else f"nothing is deleted yet; yes=true deletes {what}")


def print_plan(planned: Plan, keep: str) -> None:
    """Tables for a person."""
    console = new_console()
    if planned.removals:
        show(console, Table(f"Checkpoints to delete, keep={keep}", COLUMNS, [row(part) for part in planned.removals]))
    for reason, count in planned.spared.items():
        console.print(f"left alone: {count} {'run' if count == 1 else 'runs'}, {reason}", soft_wrap=True)


def row(removal: Removal) -> tuple[str, ...]:
    """The cells of one run, in the order of `COLUMNS`."""
    info = removal.run.info
    names = ", ".join(path.name for path in removal.files)
    return removal.entry.name, str(info.run_name), info.run_id[:SHORTEST_ID], names, decimal(removal.size)


def described(planned: Plan) -> dict[str, object]:
    """A plan in plain types."""
    return {
        "bytes": planned.size,
        "removals": [
            {"run": part.run.info.run_id, "sweep": part.entry.name, "files": [str(path) for path in part.files],
             "bytes": part.size}
            for part in planned.removals
        ],
        "left_alone": planned.spared,
    }  # fmt: skip
