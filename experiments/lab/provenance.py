"""Provenance of a study's results: how the runs of each sweep were trained, and whether the code is committed."""

import json
import re
import subprocess
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.names import (
    COMMIT_TAG,
    ENCODER_TAG,
    LIGHTNING_TAG,
    PROCESSOR_TAG,
    PROTOCOL_TAG,
    TORCH_TAG,
    VERSION_TAG,
)
from sentiment_rnn.tracking.store import Store
from sentiment_rnn.tracking.sweeps import find_sweep, results_of

PROVENANCE, OWN = "provenance.json", "own"
"""The file, and its key for a protocol whose own measurements are up to date."""
WRITTEN = re.compile(
    r"README\.md|docs/(findings|cells)\.md|experiments/[^/]+/([^/]+\.(md|csv|json|npz|npy)|(figures|tables)/.+)"
)
"""Paths of the results and pages that a study writes."""


def read_provenance(folder: Path) -> dict[str, dict[str, Any]]:
    """The digest of each protocol that has started, and how each of its sweeps was trained."""
    path = folder / PROVENANCE
    try:
        return dict(json.loads(path.read_text())) if path.is_file() else {}
    except ValueError as error:
        raise UserError(f"{path}: damaged ({error}); put the committed file back") from error


def provenance_of(store: Store, sweep: str) -> dict[str, Any]:
    """Provenance of the latest finished sweep of a name, from its runs that finished, or that diverged as draws.

    `began` and `ended` are the days (UTC) of the first and the last run. A list holds each value once; runs that did
    not record a value are left out. `protocols` has digests, and None for runs that were started without a protocol.

    Raises:
        UserError: there is no such sweep.
    """
    runs = results_of(store, find_sweep(store, sweep, finished=True), diverged=True)
    tags, params = [run.tags for run in runs], [run.run.data.params for run in runs]
    return {
        "sweep": sweep,
        "began": _day(min(run.run.info.start_time for run in runs)),
        "ended": _day(max(run.updated for run in runs)),
        "runs": len(runs),
        "encoders": _distinct(of.get(ENCODER_TAG) for of in tags),
        "seeds": sorted({int(of["seed"]) for of in params}),
        "accelerators": _distinct(of.get("trainer.accelerator") for of in params),
        "processors": _distinct(of.get(PROCESSOR_TAG) for of in tags),
        "precisions": _distinct(of.get("precision") for of in params),
        "torch": _distinct(of.get(TORCH_TAG) for of in tags),
        "lightning": _distinct(of.get(LIGHTNING_TAG) for of in tags),
        "sentiment_rnn": _distinct(of.get(VERSION_TAG) for of in tags),
        "commits": _distinct(of.get(COMMIT_TAG) for of in tags),
        "protocols": sorted({of.get(PROTOCOL_TAG) for of in tags}, key=str),
    }


def _distinct(values: Iterable[str | None]) -> list[str]:
    return sorted({value for value in values if value is not None})


def _day(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc).strftime("%Y-%m-%d")


def uncommitted(root: Path) -> list[str]:
    """Files of a repository that are changed or new since its last commit, except files that studies write. Empty for a
    folder without git."""
    status = ["git", "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all"]
    try:
        said = subprocess.run(status, cwd=root, capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    paths = [line[3:] for line in said.split("\0") if line]  # the path follows two letters and a space
    return [path for path in paths if not WRITTEN.fullmatch(path)]
