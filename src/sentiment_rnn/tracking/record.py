"""Record of one run: complete in its own folder, whatever becomes of the store. `publish` copies it to MLflow.

<checkpoints>/<run id>/
    *.ckpt                  checkpoints
    record/run.json         tags, parameters, datasets, and how the run ended
    record/metrics.jsonl    a point a line: name, value, time [ms since 1970], step
    record/owner            the process that may write here
    record/artifacts/       files, as MLflow is to have them
    record/package/         the packaged model
    record/published        a process all of whose record MLflow has

The folder `record` goes when MLflow has all of a run that finished. Of another run it stays, since that may resume.
"""

import copy
import io
import json
import os
import shutil
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from lightning.pytorch.loggers import Logger
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import Run
from mlflow.utils.time import get_current_time_millis

from sentiment_rnn.errors import UserError
from sentiment_rnn.inference.predictions import Predictions
from sentiment_rnn.tracking.names import (
    DIVERGED_TAG,
    ERROR_TAG,
    GRADIENTS,
    MISTAKES,
    PREDICTIONS,
    PRUNED_TAG,
    RECORD,
    TRACEBACK,
    WRITER_TAG,
)
from sentiment_rnn.tracking.ownership import Owner, owner_in, this_process
from sentiment_rnn.tracking.results import FINISHED, Curve
from sentiment_rnn.tracking.store import Store
from sentiment_rnn.whole_files import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TABLES_TAG = "mlflow.loggedArtifacts"
"""By which MLflow's pages know an artifact as a table."""

Point = tuple[str, float, int, int]
"""Name, value, time [ms since 1970] and step of a metric."""


class RunRecord(Logger):
    """The record of a run, to which Lightning logs as well. Whoever only reads it opens it; who writes it begins it,
    and nobody else does until the end.

    Methods that write raise `OSError` for a full disk, and `UserError` where another process has taken the run over.
    """

    def __init__(
        self,
        store: Store,
        run_id: str,
        overrides: Sequence[str] = (),
        sweep: Run | None = None,
        finished: bool = False,
    ) -> None:
        self.store = store
        self.run_id = run_id
        self.overrides = overrides
        """Overrides of the command line."""
        self.sweep = sweep
        """The parent run, if this is a job of a sweep."""
        self.checkpoints = store.checkpoints / run_id
        self.folder = self.checkpoints / RECORD
        self.artifacts = self.folder / "artifacts"
        self.published = self.folder / "published"
        """Says that MLflow has all that a process, which it names, left of a run; the record stays, since the run may
        resume."""
        self.publishing = self.folder / "publishing.lock"
        """Locked by the process that copies the record to MLflow."""
        self.owner: Owner | None = None
        """This process, where it writes the record."""
        self.taken_over = False
        """Whether another process trains this run."""
        self._owned = self.folder / "owner"
        self.changed, self.urgent = threading.Event(), threading.Event()
        """Set when something was recorded; the second where it is long to send, or the last."""
        self.is_closed = False
        """Whether this process records no more."""
        self._lock = threading.RLock()
        self._points: dict[str, dict[int, float]] = {}
        self._told: dict[str, Any] = {"params": {}, "tags": {}, "dataset": None, "model": None, "end": None}
        path = self.folder / "run.json"
        if path.exists():
            self._told |= json.loads(path.read_text(encoding="utf-8"))
        end = self._told["end"]
        self.finished = finished or (end is not None and end[0] == FINISHED)
        """Whether the run is not to be trained, since it has finished before, as its store or its record says."""

    @property
    def name(self) -> str:
        """The experiment's id, for Lightning."""
        return self.store.experiment_id

    @property
    def version(self) -> str:
        """The run's id, for Lightning."""
        return self.run_id

    @property
    def is_at_work(self) -> bool:
        """Whether a process may be at work on it: one that lives, or one of another machine that has not ended it."""
        writer = owner_in(self._told["tags"].get(WRITER_TAG, ""))
        return self._told["end"] is None and not writer.is_gone

    def told(self) -> dict[str, Any]:
        """Present content of `run.json`."""
        with self._lock:
            return copy.deepcopy(self._told)

    def points(self, place: int = 0) -> tuple[list[Point], int]:
        """The points from a byte of the file on, and where they end; what a process was killed at is passed over."""
        path = self.folder / "metrics.jsonl"
        if not path.exists():
            return [], 0
        with path.open("rb") as file:
            file.seek(place)
            whole = file.read().rpartition(b"\n")[0]
        return [tuple(json.loads(line)) for line in whole.splitlines()], place + len(whole) + bool(whole)

    def begin(
        self,
        tags: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        takeover: bool = False,
    ) -> None:
        """Open the record for writing, as the owner of the run: a new one, or that of a run that broke off.

        Args:
            takeover: take it from a process that may be stopped in the middle of publishing it.
        """
        self.owner = this_process()
        self.artifacts.mkdir(parents=True, exist_ok=True)
        write_whole(self._owned, self.owner.token.encode())
        if takeover:  # the stopped one keeps the lock of a file that is gone
            self.publishing.unlink(missing_ok=True)
        points, _ = self.points()
        for name, value, _, step in points:
            self._points.setdefault(name, {})[step] = value
        write_whole(self.folder / "metrics.jsonl", "".join(map(_line, points)).encode())
        self._metrics = (self.folder / "metrics.jsonl").open("a", encoding="utf-8")
        (self.artifacts / TRACEBACK).unlink(missing_ok=True)  # of the failure from which it resumes
        kept = {
            name: value
            for name, value in self._told["tags"].items()
            if name not in (ERROR_TAG, DIVERGED_TAG, PRUNED_TAG)
        }
        self._tell(
            uri=self.store.uri,
            experiment=self.store.experiment,
            params=self._told["params"] | dict(params or {}),
            tags=kept | dict(tags or {}) | {WRITER_TAG: self.owner.text()},
            end=None,
        )

    def check(self) -> None:
        """Raise `UserError` where another process has taken the run over."""
        token = self._owned.read_text() if self._owned.exists() else ""
        if self.owner is None or token != self.owner.token:
            self.taken_over = True
        if self.taken_over:
            raise UserError(f"run {self.run_id}: another process has taken this run over; this one writes no more")

    def metrics(self, points: Iterable[Point]) -> None:
        """Metrics with their time and step."""
        with self._lock:
            self.check()
            for name, value, at, step in points:
                self._metrics.write(_line((name, value, at, step)))
                self._points.setdefault(name, {})[step] = value
            self._metrics.flush()
        self.changed.set()

    def flush(self) -> None:
        """Have the system put the metrics on the disk: before a checkpoint, since a resumed run does not measure them
        again."""
        with self._lock:
            os.fsync(self._metrics.fileno())
            self.check()

    def tags(self, tags: Mapping[str, str]) -> None:
        """Tags, which replace those of the same names."""
        with self._lock:
            self._tell(tags=self._told["tags"] | dict(tags))

    def log_text(self, text: str, name: str) -> None:
        """A text as the artifact `name`, `figures/table.md` say."""
        self._keep(name, text.encode())

    def log_figure(self, figure: "Figure", name: str) -> None:
        """A picture as the artifact `name`."""
        content = io.BytesIO()
        figure.savefig(content)
        self._keep(name, content.getvalue())

    def end(self, status: str) -> None:
        """End the run, as `FINISHED`, `FAILED` or `KILLED`."""
        self._tell(end=[status, get_current_time_millis()])

    def close(self) -> None:
        """Write no more, whether the end is recorded or not: what is there is published."""
        self._metrics.close()
        self.is_closed = True
        self.changed.set()
        self.urgent.set()

    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        """Nothing of what Lightning knows: `tracked_run` records the whole configuration."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Numbers, at one step. A run that was resumed repeats some steps: what it logged at one stays."""
        now = get_current_time_millis()
        step = step or 0
        points = [(name, float(value), now, step) for name, value in metrics.items()]
        new = [point for point in points if step not in self._points.get(point[0], {})]
        if new:
            self.metrics(new)

    def log_data(self, name: str, digest: str, reviews: dict[str, int]) -> None:
        """The corpus, by its digest, so that runs on the same data can be found."""
        source = CodeDatasetSource({"name": name, "sha256": digest, **{k: str(v) for k, v in reviews.items()}})
        dataset = MetaDataset(source, name=name, digest=digest[:36]).to_dict()
        self._tell(dataset={field: dataset[field] for field in ("name", "digest", "source_type", "source")})

    def log_gradients(self, before: np.ndarray, after: np.ndarray) -> None:
        """‖∂L/∂x‖ by steps back from the end, at the start and after training."""
        rows = (f"{d},{b:.6g},{a:.6g}" for d, (b, a) in enumerate(zip(before, after, strict=True)))
        self.log_text("\n".join(["step_back,before,after", *rows]) + "\n", GRADIENTS)

    def log_predictions(self, predictions: Predictions) -> None:
        """Predictions of the model for every test review."""
        content = io.BytesIO()
        predictions.save(content)
        self._keep(PREDICTIONS, content.getvalue())

    def log_pictures(self, figures: Mapping[str, "Figure"], mistakes: list[dict[str, Any]]) -> None:
        """Figures by their name, and a table of the most confident mistakes."""
        for name, figure in figures.items():
            self.log_figure(figure, f"figures/{name}.png")
        if mistakes:
            import pandas as pd

            self.log_text(pd.DataFrame(mistakes).to_json(orient="split", index=False), MISTAKES)
            self.tags({TABLES_TAG: json.dumps([{"path": MISTAKES, "type": "table"}])})

    def log_model(self, package: Path, tags: Mapping[str, str]) -> None:
        """The packaged model in a folder called `tracking.models.PACKAGE`."""
        self.check()
        shutil.copytree(package, self.folder / package.name, dirs_exist_ok=True)
        self._tell(model=dict(tags))
        self.urgent.set()

    @property
    def next_sample(self) -> int:
        """How many samples of processor and memory it has."""
        return 1 + max((max(steps) for name, steps in self._points.items() if name.startswith("system/")), default=-1)

    def curve(self, name: str) -> Curve:
        """Steps and values of a metric so far, also of the time before the run was resumed."""
        points = self._points.get(name, {})
        return sorted(points), [points[step] for step in sorted(points)]

    def _keep(self, name: str, content: bytes) -> None:
        self.check()
        path = self.artifacts / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
        self.changed.set()

    def _tell(self, **told: Any) -> None:
        with self._lock:
            self.check()
            self._told |= told
            write_whole(self.folder / "run.json", json.dumps(self._told).encode())
        self.changed.set()


def _line(point: Sequence[Any]) -> str:
    return json.dumps(point) + "\n"
