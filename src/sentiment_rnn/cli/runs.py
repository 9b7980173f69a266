"""List the sweeps and single runs: state, best score, age and size of checkpoints.

sentiment-rnn runs
sentiment-rnn runs mine --store runs
sentiment-rnn runs --json
"""

import time
from datetime import datetime, timezone
from json import dumps
from typing import TYPE_CHECKING, Any

from rich.filesize import decimal

from sentiment_rnn.cli.options import StoreOptions
from sentiment_rnn.report.tables import Table, new_console, show
from sentiment_rnn.tracking.names import BEST_ACCURACY, ENCODER_TAG, SHORTEST_ID

if TYPE_CHECKING:
    from sentiment_rnn.tracking.inventory import Best, Entry

COLUMNS = ("name", "id", "state", "done", "best on validation", "encoder", "age", "checkpoints")


def main(sweep: str | None = None, /, *, json: bool = False, options: StoreOptions = StoreOptions()) -> None:
    """Print the requested sweeps and runs, as a table or as JSON.

    Args:
        sweep: latest, a study's name, or the beginning of a run's id, 8 characters or more (default: all)
        json: JSON for a program instead of a table
    """
    from sentiment_rnn.tracking.inventory import chosen, entries_of
    from sentiment_rnn.tracking.store import where_to_look

    store = options.open()
    entries = chosen(entries_of(store), sweep)
    if json:
        print(dumps([described(entry) for entry in entries], indent=1))
        return
    console = new_console()
    show(console, Table(f"Sweeps and runs of {store.uri}", COLUMNS, [row(entry) for entry in entries]))
    if any(entry.state == "stale" for entry in entries):
        console.print("stale: MLflow says running, but no process works on it; the same command resumes")
    console.print(where_to_look(store), soft_wrap=True)


def row(entry: "Entry") -> tuple[str, ...]:
    """The table cells of one entry, in the order of `COLUMNS`."""
    best = entry.best
    return (
        entry.name if entry.is_sweep else entry.run.name,
        entry.run.run_id[:SHORTEST_ID],
        entry.state,
        f"{entry.done} of {entry.jobs}",
        score(best) if best else "",
        best.run.tags.get(ENCODER_TAG, "") if best else "",
        age(time.time() - entry.updated),
        decimal(entry.checkpoints),
    )


def score(best: "Best") -> str:
    """`88.1 %`, or `loss 0.0123`."""
    return f"{100 * best.value:.1f} %" if best.metric == BEST_ACCURACY else f"loss {best.value:.3g}"


def age(seconds: float) -> str:
    """`5 min`, `3 h` or `12 days`."""
    if seconds < 3600:
        return f"{max(0, seconds) / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 48 * 3600 else f"{seconds / 86_400:.0f} days"


def described(entry: "Entry") -> dict[str, Any]:
    """One entry in plain types; sizes in bytes, times in UTC."""
    best = entry.best
    return {
        "id": entry.run.run_id,
        "name": entry.name,
        "kind": "sweep" if entry.is_sweep else "run",
        "state": entry.state,
        "done": entry.done,
        "jobs": entry.jobs,
        "best": best and {
            "run": best.run.run_id, "encoder": best.run.tags.get(ENCODER_TAG), "metric": best.metric,
            "value": best.value,
        },
        "started": _moment(entry.run.run.info.start_time / 1000),
        "updated": _moment(entry.updated),
        "checkpoint_bytes": entry.checkpoints,
    }  # fmt: skip


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="seconds")
