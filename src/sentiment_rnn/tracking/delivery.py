"""What a store has of a run, and the sending of what it lacks.

To send twice leaves what sending once does: a point that arrives again is the same row in MLflow, since key, step, time
and value are its primary key.
"""

import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mlflow.entities import DatasetInput, Metric, Param, Run, RunTag

from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.models import files_in, log_model, model_of, send_files
from sentiment_rnn.tracking.names import LONGEST_TAG, REFUSED_TAG
from sentiment_rnn.tracking.results import FINISHED
from sentiment_rnn.tracking.store import Store
from sentiment_rnn.tracking.store_errors import NO_SERVER, STORE_ERRORS, NotRecordedError, is_refusal, short_reason

log = logging.getLogger("sentiment_rnn")

MOST_METRICS, MOST_TAGS = 900, 100
"""Limits of MLflow for one request: 1000 values, of them 100 tags or parameters."""

Point = tuple[str, float, int, int]
"""Name, value, time [ms since 1970] and step of a metric."""


class Delivery:
    """The sending of one run. What a store refuses, a file too large say, keeps nothing else back.

    Each method may raise what a store raises.

    Args:
        new: this process has made the run.
    """

    def __init__(self, store: Store, run: Run, new: bool = False) -> None:
        self.store, self.run, self.run_id = store, run, str(run.info.run_id)
        self.refused: dict[str, str] = {}
        """Why the store will never take a value or a file, by its name."""
        self._again = not new
        """Whether an earlier attempt may have recorded a part of its end."""
        self._sent = 0
        """How many points the store has."""
        self._files: dict[Path, int] = {}
        """When the files that were sent had changed."""

    def params(self, params: Mapping[str, str]) -> None:
        """Send the parameters that the run does not have; MLflow lets none change."""
        items = [Param(key, value) for key, value in params.items() if key not in self.run.data.params]
        for first in range(0, len(items), MOST_TAGS):
            self.store.client.log_batch(self.run_id, params=items[first : first + MOST_TAGS])
        self.run.data.params.update(params)

    def points(self, points: Sequence[Point]) -> None:
        """Send the points that the store lacks; a server is asked whether it has them, since what stands before it may
        have answered in its place."""
        new = points[self._sent :]
        for first in range(0, len(new), MOST_METRICS):
            self._batch([Metric(*point) for point in new[first : first + MOST_METRICS]])
        if new and self.store.remote:
            self._check(new)
        self._sent = max(self._sent, len(points))

    def tags(self, tags: Mapping[str, str]) -> None:
        """Set tags."""
        items = [RunTag(key, value) for key, value in tags.items()]
        for first in range(0, len(items), MOST_TAGS):
            self.store.client.log_batch(self.run_id, tags=items[first : first + MOST_TAGS])

    def files(self, folder: Path) -> None:
        """Send the artifacts in a folder that are new, or have changed."""
        changed = {path: path.stat().st_mtime_ns for path in files_in(folder)}
        waiting = [path for path, time in changed.items() if self._files.get(path) != time]
        faults = send_files(self.run.info.artifact_uri, self.store.uri, folder, waiting)
        for path in waiting:
            if path in faults:
                self._refuse(path.relative_to(folder).as_posix(), faults[path])
            self._files[path] = changed[path]

    def finish(
        self,
        params: Mapping[str, str],
        points: Sequence[Point],
        tags: Mapping[str, str],
        dataset: DatasetInput | None,
        folder: Path,
        package: Path,
        model_tags: Mapping[str, str] | None,
    ) -> None:
        """Send all that the store lacks, read it back, and say that the run is FINISHED.

        Args:
            folder: of the artifacts.
            package: files of the packaged model.
            model_tags: its tags; None for a run without one.

        Raises:
            UserError: the run was deleted.
        """
        if self._again:
            self.run = self._read()
        parts: list[Callable[[], None]] = [lambda: self.params(params), lambda: self.points(points)]
        parts += [lambda: self.tags(tags)]
        parts += [lambda: self.files(folder), lambda: self._dataset(dataset)]
        parts += [lambda: self._model(package, model_tags)] if model_tags is not None else []
        with ThreadPoolExecutor(len(parts) if self.store.remote else 1) as pool:  # a local store takes one at a time
            sent = [pool.submit(part) for part in parts]
        self._again = True
        for part in sent:
            part.result()
        if self.refused:
            why = ", ".join(f"{name} ({reason})" for name, reason in self.refused.items())
            log.warning("run %s: not on %s: %s", self.run_id, self.store.uri, why)
            self.tags({REFUSED_TAG: why[:LONGEST_TAG]})
        self._check(points)
        self.store.client.set_terminated(self.run_id, FINISHED)
        if self._read().info.status != FINISHED:
            raise NotRecordedError("it answers, and does not say FINISHED")

    def refuse_deleted(self) -> None:
        """Raise `UserError` where the run was deleted."""
        try:
            self._read()
        except STORE_ERRORS:
            return

    def _read(self) -> Run:
        """The run as the store has it now."""
        run = self.store.client.get_run(self.run_id)
        if run.info.run_id != self.run_id:
            raise NotRecordedError(NO_SERVER)
        if run.info.lifecycle_stage == "deleted":
            raise UserError(
                f"run {self.run_id} was deleted in {self.store.uri} while it trained; the same command resumes it as "
                "a new run"
            )
        return run

    def _check(self, points: Iterable[Point]) -> None:
        """Read the run back; raises `NotRecordedError` where it lacks the last point of a metric."""
        last: dict[str, tuple[int, int, float]] = {}  # in MLflow's order: by step, then time, then value
        for name, value, at, step in points:
            if math.isfinite(value) and name not in self.refused:
                last[name] = max(last.get(name, (step, at, value)), (step, at, value))
        there = {metric.key: (metric.step, metric.value) for metric in self._read().data.to_proto().metrics}
        for name, (step, _, value) in last.items():
            step_there, value_there = there.get(name, (-1, math.nan))
            if step_there < step or (step_there == step and not math.isclose(value_there, value)):
                raise NotRecordedError(f"it answers, and does not have {name}")

    def _batch(self, metrics: list[Metric]) -> None:
        """Send points together; where the store refuses some, a metric with an impossible name say, find out which."""
        try:
            self.store.client.log_batch(self.run_id, metrics)
        except STORE_ERRORS as error:
            self.refuse_deleted()
            if len(metrics) == 1 or not is_refusal(error):
                self._refuse(metrics[0].key, error)
                return
            middle = len(metrics) // 2
            self._batch(metrics[:middle])
            self._batch(metrics[middle:])

    def _dataset(self, dataset: DatasetInput | None) -> None:
        if dataset and not (self.run.inputs and self.run.inputs.dataset_inputs):
            self.store.client.log_inputs(self.run_id, [dataset])

    def _model(self, package: Path, tags: Mapping[str, str] | None) -> None:
        if model_of(self.run):
            return
        try:
            log_model(self.store, self.run, package, tags or {}, self._again)
        except (*STORE_ERRORS, OSError) as error:
            self._refuse("its packaged model", error)

    def _refuse(self, name: str, error: Exception) -> None:
        """Note what the store will never take; raises any other error."""
        if not is_refusal(error):
            raise error
        self.refused[name] = short_reason(error)
