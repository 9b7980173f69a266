"""Under which conditions the runs of a sweep were trained."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone

from mlflow.entities import Run

from sentiment_rnn.tracking.names import (
    COMMIT_TAG,
    ENCODER_TAG,
    LIGHTNING_TAG,
    PROCESSOR_TAG,
    PROTOCOL_TAG,
    TORCH_TAG,
    VERSION_TAG,
)
from sentiment_rnn.tracking.results import find_sweep, finished_runs
from sentiment_rnn.tracking.store import Store


@dataclass(frozen=True)
class Provenance:
    """Of the runs of a sweep that finished, or diverged as a draw; lists hold each value once, and nothing of runs that
    did not record it."""

    sweep: str
    began: str
    """Day (UTC) on which the first run began."""
    ended: str
    """Day on which the last one ended."""
    runs: int
    encoders: list[str]
    seeds: list[int]
    accelerators: list[str]
    processors: list[str]
    precisions: list[str]
    torch: list[str]
    lightning: list[str]
    sentiment_rnn: list[str]
    commits: list[str]
    protocols: list[str | None]
    """SHA-256 digests; None for runs that no study with a protocol has started."""


def provenance_of(store: Store, sweep: str) -> Provenance:
    """Of the latest finished sweep of a name; raises `UserError` where there is none."""
    runs = finished_runs(store, find_sweep(store, sweep, finished=True), diverged=True)
    protocols = {run.data.tags.get(PROTOCOL_TAG) for run in runs}
    return Provenance(
        sweep=sweep,
        began=_day(min(run.info.start_time for run in runs)),
        ended=_day(max(run.info.end_time for run in runs)),
        runs=len(runs),
        encoders=_tags(runs, ENCODER_TAG),
        seeds=sorted({int(run.data.params["seed"]) for run in runs}),
        accelerators=_distinct(run.data.params.get("trainer.accelerator") for run in runs),
        processors=_tags(runs, PROCESSOR_TAG),
        precisions=_distinct(run.data.params.get("precision") for run in runs),
        torch=_tags(runs, TORCH_TAG),
        lightning=_tags(runs, LIGHTNING_TAG),
        sentiment_rnn=_tags(runs, VERSION_TAG),
        commits=_tags(runs, COMMIT_TAG),
        protocols=sorted(protocols, key=str),
    )


def _tags(runs: Iterable[Run], name: str) -> list[str]:
    return _distinct(run.data.tags.get(name) for run in runs)


def _distinct(values: Iterable[str | None]) -> list[str]:
    return sorted({value for value in values if value is not None})


def _day(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc).strftime("%Y-%m-%d")
