"""Remove checkpoints that nobody needs; shows them first, --yes deletes.

sentiment-rnn runs prune
sentiment-rnn runs prune --keep none --older-than 30
sentiment-rnn runs prune mine --keep best --yes
"""

import argparse
import json
from typing import TYPE_CHECKING

from rich.filesize import decimal

from sentiment_rnn.cli.commands import new_parser, opened_store
from sentiment_rnn.cli.runs import add_shared
from sentiment_rnn.config.bounds import refuse
from sentiment_rnn.report.tables import Table, new_console, show
from sentiment_rnn.tracking.names import SHORTEST_ID

if TYPE_CHECKING:
    from sentiment_rnn.tracking.pruning import Plan, Removal

COLUMNS = ("name", "run", "id", "files", "size")


def main() -> None:
    """Read the command line, show what goes, and remove it where that is asked for."""
    parser = new_parser("runs prune", __doc__)
    parser.add_argument(
        "--keep", choices=("best", "last", "none"), default="best",
        help="the checkpoint that each run keeps: best, the one that was tested, last, or none (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--older-than", metavar="DAYS", type=float, default=0.0,
        help="leave runs alone that ended within so many days (default: 0)",
    )  # fmt: skip
    parser.add_argument(
        "--unfinished", action="store_true",
        help="also checkpoints of runs that did not finish; these can then only start anew",
    )  # fmt: skip
    parser.add_argument("--yes", action="store_true", help="delete; without it nothing changes")
    add_shared(parser)
    prune(parser.parse_intermixed_args())


def prune(arguments: argparse.Namespace) -> None:
    """Print what goes and what stays; delete with `--yes`."""
    from sentiment_rnn.tracking.inventory import chosen, entries_of
    from sentiment_rnn.tracking.pruning import plan, remove

    if not arguments.older_than >= 0:
        refuse("--older-than", arguments.older_than, "a number of days, 0 or more")
    store = opened_store(arguments)
    entries = entries_of(store)
    asked = chosen(entries, arguments.sweep)
    others = [entry for entry in entries if entry not in asked]
    planned = plan(store, asked, arguments.keep, arguments.older_than, arguments.unfinished, others)
    if not arguments.json:
        print_plan(planned, arguments.keep)
    count = sum(len(part.files) for part in planned.removals)
    what = f"{count} {'checkpoint' if count == 1 else 'checkpoints'}, {decimal(planned.size)}"
    shown = {"deleted": arguments.yes, **described(planned)}
    if arguments.yes:
        remove(store, planned, f"--keep {arguments.keep}")
    if arguments.json:
        print(json.dumps(shown, indent=1))
    elif not count:
        print("nothing to delete")
    else:
        print(f"deleted {what}" if arguments.yes else f"nothing is deleted yet; --yes deletes {what}")


def print_plan(planned: "Plan", keep: str) -> None:
    """Tables for a person."""
    console = new_console()
    if planned.removals:
        show(console, Table(f"Checkpoints to delete, --keep {keep}", COLUMNS, [row(part) for part in planned.removals]))
    for reason, count in planned.spared.items():
        console.print(f"left alone: {count} {'run' if count == 1 else 'runs'}, {reason}", soft_wrap=True)


def row(removal: "Removal") -> tuple[str, ...]:
    """The cells of one run, in the order of `COLUMNS`."""
    info = removal.run.info
    names = ", ".join(path.name for path in removal.files)
    return removal.entry.name, str(info.run_name), info.run_id[:SHORTEST_ID], names, decimal(removal.size)


def described(planned: "Plan") -> dict[str, object]:
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
