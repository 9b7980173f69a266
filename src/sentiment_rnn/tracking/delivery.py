"""Sends the records of a run to its store.

Sending is idempotent: a point that arrives again is the same row in MLflow, since key, step, time and value are its
primary key.
"""

import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mlflow.entities import DatasetInput, Metric, Param, Run, RunTag

from sentiment_rnn.tracking.models import PACKAGE, log_model, model_of, send_files
from sentiment_rnn.tracking.names import LONGEST_TAG, REFUSED_TAG
from sentiment_rnn.tracking.results import FINISHED
from sentiment_rnn.tracking.store import Store
from sentiment_rnn.tracking.store_errors import NO_SERVER, STORE_ERRORS, NotRecordedError, is_refusal, short_reason

log = logging.getLogger("sentiment_rnn")

Point = tuple[str, float, int, int]
"""Name, value, time [ms since 1970] and step of a metric."""


class Delivery:
    """All records of one run, and their way to the store. If the store refuses a file, for example because it is too
    large, everything else is still sent.

    Each method may raise the errors of a store.

    Args:
        params: parameters. MLflow does not allow changes, so those that the run already has are left out.
        folder: temporary folder for files that are not sent yet.
    """

    def __init__(self, store: Store, run: Run, folder: Path, params: Mapping[str, str]) -> None:
        self.store, self.run, self.run_id = store, run, str(run.info.run_id)
        self.params = {key: value for key, value in params.items() if key not in run.data.params}
        self.tags: dict[str, str] = {}
        self.points: list[Point] = []
        """All points of the run, in the order in which they were logged."""
        self.dataset: DatasetInput | None = None
        self.files, self.package = folder / "files", folder / PACKAGE
        """Folders of the artifacts, which are deleted once they are sent, and of the packaged model, if there is
        one."""
        self.model_tags: dict[str, str] = {}
        self.refused: dict[str, str] = {}
        """Why the store refuses a file for good, by the file's name."""
        self._sent = 0
        """How many points have been sent to the store."""

    def send(self, count: int) -> None:
        """Send the values and files so far.

        Args:
            count: number of points to send, from the first on.
        """
        self._send_values(count)
        self._send_files()

    def finish(self) -> None:
        """Send all that the store lacks, and set the run to FINISHED. A server gets every point once more, since a
        proxy may have answered in its place before."""
        self._sent = 0 if self.store.remote else self._sent
        parts = [lambda: self._send_values(len(self.points)), self._send_files, self._send_dataset, self._send_model]
        with ThreadPoolExecutor(len(parts) if self.store.remote else 1) as pool:  # a local store needs one at a time
            for sending in [pool.submit(part) for part in parts]:
                sending.result()
        if self.refused:
            why = ", ".join(f"{name} ({reason})" for name, reason in self.refused.items())
            log.warning("run %s: not on %s: %s", self.run_id, self.store.uri, why)
            self.store.client.set_tag(self.run_id, REFUSED_TAG, why[:LONGEST_TAG])
        self.store.client.set_terminated(self.run_id, FINISHED)
        if self._read().info.status != FINISHED:
            raise NotRecordedError("it answers, and does not say FINISHED")

    def _send_values(self, count: int) -> None:
        """Send parameters, tags and the first points."""
        new = self.points[self._sent : count]
        self.store.client.log_batch(
            self.run_id,
            [Metric(*point) for point in new],
            [Param(*item) for item in self.params.items()],
            [RunTag(*item) for item in self.tags.items()],
        )
        self.params, self.tags = {}, {}
        self._sent = max(self._sent, count)

    def _send_files(self) -> None:
        faults = send_files(self.run.info.artifact_uri, self.store.uri, self.files)
        for path, fault in faults.items():
            if fault:
                self._refuse(path.relative_to(self.files).as_posix(), fault)
            path.unlink()

    def _send_dataset(self) -> None:
        if self.dataset:
            self.store.client.log_inputs(self.run_id, [self.dataset])

    def _send_model(self) -> None:
        if self.package.exists() and not model_of(self._read()):
            try:
                log_model(self.store, self.run, self.package, self.model_tags)
            except (*STORE_ERRORS, OSError) as error:
                self._refuse("its packaged model", error)

    def _refuse(self, name: str, error: Exception) -> None:
        """Note a file that the store refuses for good; raises any other error."""
        if not is_refusal(error):
            raise error
        self.refused[name] = short_reason(error)

    def _read(self) -> Run:
        """The run in its current state in the store."""
        run = self.store.client.get_run(self.run_id)
        if run.info.run_id != self.run_id:
            raise NotRecordedError(NO_SERVER)
        return run
