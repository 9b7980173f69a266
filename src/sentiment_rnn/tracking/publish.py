"""One run's record copied to MLflow, as far as MLflow lacks it: while the run goes on, at its end, and afterwards.

It sends what differs between the record and the store, so to publish twice leaves what publishing once does. The end
of a run comes last. A file that the store refuses keeps nothing else back.
"""

import json
import logging
import math
import shlex
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias

from filelock import Timeout
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from sentiment_rnn.config.tracking import TrackingConfig
from sentiment_rnn.errors import UserError
from sentiment_rnn.locks import FileLock
from sentiment_rnn.tracking.models import PACKAGE, files_in, log_model, model_of, send_files
from sentiment_rnn.tracking.names import (
    DIVERGED_TAG,
    ERROR_TAG,
    PRUNED_TAG,
    RECORD,
    TAKEN_OVER_TAG,
    TRACEBACK,
    WRITER_TAG,
)
from sentiment_rnn.tracking.ownership import owner_in, writer_of
from sentiment_rnn.tracking.record import RunRecord
from sentiment_rnn.tracking.results import FINISHED, RUNNING, is_finished
from sentiment_rnn.tracking.store import Store, open_store, storage_fault
from sentiment_rnn.tracking.store_errors import is_refusal, no_answer, short_reason, store_errors

log = logging.getLogger("sentiment_rnn")

TOGETHER = 0.2
"""Seconds for which what is recorded waits for more, to be sent with it."""
INTERVAL = 5.0
"""Seconds between two looks at what a run has recorded meanwhile."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds between attempts to reach a store that is away: doubled after each."""
LAST_WAIT = 10.0
"""Seconds for which the end of a run waits for its store."""
MOST_METRICS, MOST_SETTINGS = 900, 100
"""Limits of MLflow for one request: 1000 values, of them 100 parameters and 100 tags."""

Value: TypeAlias = Metric | Param | RunTag


class TakenOverError(Exception):
    """Another process has taken this run over."""


at_end: dict[str, "Publisher"] = {}
"""Of runs that have ended, by their ids, whose sweep goes on in this process: it waits for them at its end."""
sweeps_here: dict[str, RunRecord] = {}
"""The records of the sweeps that this process runs, by their ids."""


class Publisher:
    """Publishes one record, from a thread of its own, until its end.

    Args:
        record: which this process writes.
    """

    def __init__(self, record: RunRecord) -> None:
        self.record = record
        self.copy = Copy(record)
        self.away = ""
        """Why the store takes nothing now."""
        self.deadline = math.inf
        """Until when the end of the run is waited for."""
        self.thread = threading.Thread(target=self._work, name=f"publisher {record.run_id}", daemon=True)
        self.thread.start()

    def finish(self, sweep: str | None = None) -> None:
        """Wait until the end of the run is published; say what could not be sent. No store is waited for longer than
        `LAST_WAIT`.

        Args:
            sweep: of the run. Where this process runs that, it goes on, and waits at its end.
        """
        self.record.close()
        if sweep in sweeps_here:
            at_end[self.record.run_id] = self
        else:
            self.wait(time.monotonic() + LAST_WAIT)

    def wait(self, deadline: float) -> None:
        """As `finish`, until then, by the clock of `time.monotonic`."""
        self.deadline = deadline
        self.thread.join(max(0.0, deadline - time.monotonic()))
        if self.thread.is_alive() or (self.away and not self.record.taken_over):
            log.warning(
                "run %s: not all of it is on %s yet; it is kept in %s, and sent by: sentiment-rnn sync --store %s",
                self.record.run_id, self.record.store.uri, self.record.folder,
                shlex.quote(str(self.record.store.checkpoints)),
            )  # fmt: skip

    def _work(self) -> None:
        pause = FIRST_PAUSE
        while not self.record.taken_over:
            self.record.changed.wait()
            self.record.urgent.wait(TOGETHER)
            self.record.changed.clear()  # in this order, or the end could be missed
            self.record.urgent.clear()  # each is heeded once, also while the store is away
            last = self.record.is_closed
            try:
                last = self.copy.publish(live=True) or last
            except Exception as error:  # of whatever keeps the runs: the next attempt may go well
                full = storage_fault(self.record.store, error)  # which the run itself meets, and says
                if self.record.taken_over:
                    return
                if full and last:
                    self.away = short_reason(error)
                    return
                if not full:
                    self._note(short_reason(error))
                if last and time.monotonic() + FIRST_PAUSE > self.deadline:
                    return
                self.record.changed.set()
                self.record.urgent.wait(FIRST_PAUSE if last else pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            self._note("")
            pause = FIRST_PAUSE
            if last:
                return
            self.record.urgent.wait(INTERVAL)

    def _note(self, away: str) -> None:
        uri = self.record.store.uri
        if away and not self.away:
            log.warning(
                "%s: cannot be reached (%s); training goes on, and what it records is kept in %s",
                uri, away, self.record.folder,
            )  # fmt: skip
        elif self.away and not away:
            log.info("%s: answers again; sending what waited", uri)
        self.away = away


def finish_all() -> None:
    """Wait for the runs that have ended in this process, together for `LAST_WAIT` seconds at most."""
    deadline = time.monotonic() + LAST_WAIT
    while at_end:
        at_end.popitem()[1].wait(deadline)


class Copy:
    """The sending of a record: what this process has sent is not sent again."""

    def __init__(self, record: RunRecord) -> None:
        self.record = record
        self.place = 0
        """Bytes of the metrics that were sent."""
        self.files: dict[Path, float] = {}
        """When the files that were sent had changed."""
        self.refused: dict[str, str] = {}
        """Why the store will never take a value, by its name."""
        self.lacking: dict[str, str] = {}
        """Why it lacks a value or a file."""
        self.is_ours = False
        """Whether the store knows that this process writes the run."""

    def publish(self, live: bool = False) -> bool:
        """Send what the store lacks, and remove the record of a run that has finished and is there as a whole; whether
        the end of the run was sent.

        A metric that arrives again has the key, the step, the time and the value of the one that is there. That is the
        primary key of MLflow's SQL stores, so they keep one.

        Args:
            live: whether the run goes on in this process.

        Raises:
            TakenOverError: another process has taken the run over.
            Timeout: another process publishes it.
            Exception: the store is away, is another, or its run is deleted.
        """
        record, client = self.record, self.record.store.client
        if live:
            record.check()
        with FileLock(record.publishing).acquire(timeout=0):
            run = self._run()
            told = record.told()
            self.lacking = dict(self.refused)
            # A local store takes one after the other as fast.
            with ThreadPoolExecutor(4 if record.store.remote else 1) as pool:
                parts = (self._send_values, self._send_dataset, self._send_files, self._send_model)
                sent = [pool.submit(part, run, told) for part in parts]
            for part in sent:
                part.result()
            self.is_ours = live
            if told["end"] and not is_finished(run):  # which it stays
                client.set_terminated(record.run_id, *told["end"])
            elif live and not told["end"] and run.info.status != RUNNING:
                client.update_run(record.run_id, status=RUNNING)
            if not self.lacking and told["end"] and told["end"][0] == FINISHED:
                shutil.rmtree(record.folder, ignore_errors=True)  # NFS keeps a folder whose files are open
            elif not self.lacking and (told["end"] or not live):
                record.published.write_text(told["tags"][WRITER_TAG], encoding="utf-8")
        if told["end"] and self.lacking:
            lacking = ", ".join(f"{name} ({why})" for name, why in self.lacking.items())
            log.warning("run %s: not on %s: %s; kept in %s", record.run_id, record.store.uri, lacking, record.folder)
        return told["end"] is not None

    def _run(self) -> Run:
        run = self.record.store.client.get_run(self.record.run_id)
        if run.info.lifecycle_stage == "deleted":
            raise UserError(f"run {run.info.run_id} is deleted there; restore it")
        writer = writer_of(run)
        if TAKEN_OVER_TAG in run.data.tags:
            writer = owner_in(run.data.tags[TAKEN_OVER_TAG])
        elif not (self.is_ours and writer and not writer.is_this_process):
            return run
        self.record.taken_over = True
        raise TakenOverError(f"{writer} has taken run {run.info.run_id} over")

    def _send_values(self, run: Run, told: dict[str, Any]) -> None:
        data = run.data
        if ERROR_TAG in data.tags and ERROR_TAG not in told["tags"]:
            self._drop_error(run)
        for tag in {DIVERGED_TAG, PRUNED_TAG} & data.tags.keys() - told["tags"].keys():  # of what it was resumed from
            self.record.store.client.delete_tag(run.info.run_id, tag)
        settings: list[Value] = [Param(key, value) for key, value in told["params"].items() if key not in data.params]
        settings += [RunTag(key, value) for key, value in told["tags"].items() if data.tags.get(key) != value]
        points, place = self.record.points(self.place)
        metrics = [Metric(*point) for point in points]
        while settings or metrics:
            self._send_batch(settings[:MOST_SETTINGS] + metrics[:MOST_METRICS])
            settings, metrics = settings[MOST_SETTINGS:], metrics[MOST_METRICS:]
        self.place = place

    def _send_dataset(self, run: Run, told: dict[str, Any]) -> None:
        if told["dataset"] and not (run.inputs and run.inputs.dataset_inputs):
            given = InputTag("mlflow.data.context", "train and test")
            dataset = DatasetInput(Dataset(**told["dataset"]), [given])
            self.record.store.client.log_inputs(run.info.run_id, [dataset])

    def _drop_error(self, run: Run) -> None:
        """Take away what the store says of a failure from which the run has resumed."""
        store = self.record.store
        try:
            get_artifact_repository(run.info.artifact_uri, tracking_uri=store.uri).delete_artifacts(TRACEBACK)
        except Exception as error:  # of whatever keeps the files: some cannot delete, and some had none
            log.debug("run %s: %s stays (%s)", run.info.run_id, TRACEBACK, short_reason(error))
        store.client.delete_tag(run.info.run_id, ERROR_TAG)

    def _send_batch(self, values: list[Value]) -> None:
        """Send values together; where the store refuses some, a metric with an impossible name say, find out which."""
        if self.record.owner:  # else nobody trains it
            self.record.check()  # a process may have been stopped since it looked
        kinds = ([value for value in values if isinstance(value, kind)] for kind in (Metric, Param, RunTag))
        try:
            self.record.store.client.log_batch(self.record.run_id, *kinds)
        except MlflowException as error:
            if not is_refusal(error):
                raise
            self._run()  # raises where it was deleted meanwhile
            if len(values) == 1:
                self.refused[values[0].key] = self.lacking[values[0].key] = short_reason(error)
                return
            middle = len(values) // 2
            self._send_batch(values[:middle])
            self._send_batch(values[middle:])

    def _send_files(self, run: Run, told: dict[str, Any]) -> None:
        record = self.record
        changed = {path: path.stat().st_mtime for path in files_in(record.artifacts)}
        waiting = [path for path, time in changed.items() if self.files.get(path) != time]
        faults = send_files(run.info.artifact_uri, record.store.uri, record.artifacts, waiting)
        self.files |= {path: changed[path] for path in waiting if path not in faults}
        for path, error in faults.items():
            self.lacking[path.relative_to(record.artifacts).as_posix()] = short_reason(error)

    def _send_model(self, run: Run, told: dict[str, Any]) -> None:
        if told["model"] is not None and not model_of(run):
            try:
                log_model(self.record.store, run, self.record.folder / PACKAGE, told["model"])
            except Exception as error:  # as of a file
                self.lacking["its packaged model"] = short_reason(error)


def publish_left(store: Store) -> None:
    """Publish what earlier processes have left for this store, as far as it can be done now."""
    for address, _, folder in _records(store.checkpoints):
        if address == store.uri and folder.name not in at_end:
            try:
                log.debug("%s", _sync_one(RunRecord(store, folder.name)))
            except Exception as error:  # its run is deleted, or on another server
                if no_answer(error):
                    return
                log.debug("run %s: not published (%s)", folder.name, short_reason(error))


def sync(directory: Path, uri: str | None) -> Iterator[str]:
    """Publish what the runs of a `tracking.directory`, or of a folder of checkpoints, have left; a line on each.

    Args:
        uri: of the server; None is the one that a run began on.

    Raises:
        UserError: after all that can be sent: a server does not answer, refuses or does not know a run.
    """
    faults: list[str] = []
    away: set[str] = set()
    for address, experiment, folder in _records(directory, uri):
        if address in away:  # which took seconds to find
            continue
        config = TrackingConfig(address, str(directory), experiment, checkpoints=str(folder.parent))
        try:
            store = open_store(config, create=False, names=("--store", "--tracking-uri"), of_experiment=False)
            with store_errors(address, experiment, "EDIT", "--tracking-uri"):
                yield _sync_one(RunRecord(store, folder.name))
        except (UserError, OSError) as fault:
            faults.append(str(fault))
            if isinstance(fault.__cause__, MlflowException) and no_answer(fault.__cause__):
                away.add(address)
    if faults:
        raise UserError("; ".join(dict.fromkeys(faults)))


def _sync_one(record: RunRecord) -> str:
    if record.is_at_work:
        return f"run {record.run_id}: left alone, since a process may be at work on it (else: tracking.takeover=true)"
    found = Copy(record)
    try:
        found.publish()
    except (TakenOverError, Timeout) as error:
        return f"run {record.run_id}: not sent ({error or 'another process sends it'}); kept in {record.folder}"
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        raise UserError(
            f"--tracking-uri={record.store.uri}: it has no run {record.run_id}, which began on {record.told()['uri']}; "
            f"give that address; if it is this one, and the run was deleted, delete {record.folder}"
        ) from error
    return f"run {record.run_id}: sent to {record.store.uri}" + (", not all of it" if found.lacking else "")


def _records(directory: Path, uri: str | None = None) -> Iterator[tuple[str, str, Path]]:
    """The records under a folder that are not published: the address of the store, or the one that is given, its
    experiment, and the run's folder."""
    for path in sorted([*directory.glob(f"*/{RECORD}/run.json"), *directory.glob(f"checkpoints/*/{RECORD}/run.json")]):
        published = path.with_name("published")
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            found = uri or told["uri"], told["experiment"], path.parent.parent
            if published.exists() and published.read_text(encoding="utf-8") == told["tags"][WRITER_TAG]:
                continue
        except (OSError, ValueError, LookupError):  # published meanwhile
            continue
        yield found
