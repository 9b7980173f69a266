"""The run of an identity: found, resumed or made, by one process at a time; what it logs while it is trained, and how
it ends.

What is logged gathers in memory. A checkpoint carries the points of its run; when it has been written, they are sent.
So a store that is away costs no number: training goes on, a later checkpoint sends what is missing, and a killed run
resumes with its points.
"""

import io
import json
import logging
import shutil
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from lightning.pytorch.loggers import Logger
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import Dataset, DatasetInput, InputTag, Run
from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor
from mlflow.utils.time import get_current_time_millis
from mlflow.utils.validation import _validate_metric_name

from sentiment_rnn.config.messages import line_of
from sentiment_rnn.errors import UserError
from sentiment_rnn.inference.predictions import Predictions
from sentiment_rnn.tracking.checkpoints import POINTS, CheckpointFolder
from sentiment_rnn.tracking.delivery import Delivery, Point
from sentiment_rnn.tracking.description import Description
from sentiment_rnn.tracking.names import (
    DIVERGED_TAG,
    ERROR_TAG,
    FOLDER_TAG,
    GRADIENTS,
    MISTAKES,
    NOTE_TAG,
    PARENT_TAG,
    PREDICTIONS,
    PRUNED_TAG,
    STUDY_TAG,
    TRACEBACK,
)
from sentiment_rnn.tracking.results import FAILED, FINISHED, KILLED, RUNNING, RecordedRun, runs_of
from sentiment_rnn.tracking.store import Store
from sentiment_rnn.tracking.store_errors import (
    STORE_ERRORS,
    line_of_store,
    quick_answers,
    short_reason,
    store_errors,
    until_answered,
)
from sentiment_rnn.tracking.sweeps import join_sweep

if TYPE_CHECKING:
    from matplotlib.figure import Figure

log = logging.getLogger("sentiment_rnn")

INTERVAL, PAUSE = 5.0, 60.0
"""Seconds between two sendings while a run trains, and between two tries to reach a store that is away."""
PATIENCE = 600.0
"""Seconds for which the end of a run waits for its store."""
MONITOR_SECONDS = 5
"""Between two samples of the use of processor and memory."""
TABLES_TAG = "mlflow.loggedArtifacts"
"""By which MLflow's pages know an artifact as a table."""


class PrunedError(Exception):
    """A search has ended this run early; the message says when."""


class DivergedError(UserError):
    """The loss is infinite or no number; the message says in which batch, and at which learning rate."""


@contextmanager
def tracked_run(store: Store, description: Description, in_sweep: bool = False) -> Iterator["TrackedRun"]:
    """The run of an identity, for as long as this process trains it; no other process does meanwhile.

    A run that has finished is not to be trained. Another one ends FINISHED when the block ends, KILLED where a signal
    or a search ends it, else FAILED with its traceback.

    Args:
        in_sweep: whether the run is a job of the sweep that is called `description.study`.

    Raises:
        UserError: the store refuses the run, or does not answer; or there is no such sweep.
        PrunedError: a search ended the run early, now or before.
        DivergedError: its loss became no number, now or before.
    """
    with CheckpointFolder(store, description.identity) as folder:
        try:
            with store_errors(store.uri, store.experiment, "EDIT"):
                # The server may start again between two jobs of a sweep.
                run = until_answered(lambda: start(store, folder, description, in_sweep), PATIENCE if in_sweep else 0)
        except (KeyboardInterrupt, SystemExit):
            _end_started(store, description.identity, folder.token)
            raise
        if run.finished:
            yield run
        else:
            with run.ending(), _monitored(run) if description.system_metrics else nullcontext():
                yield run
        folder.last.unlink(missing_ok=True)  # only now: until here the run would resume


def start(store: Store, folder: CheckpointFolder, description: Description, in_sweep: bool = False) -> "TrackedRun":
    """The run that has finished, the one that this folder's checkpoint belongs to, or a new one.

    To call it again is harmless: a run that an earlier call made has the token of the folder.

    Raises:
        as `tracked_run`.
    """
    parent, varied = join_sweep(store, description) if in_sweep else (None, [])
    runs = runs_of(store, [description.identity])
    finished = next((run.run for run in runs if run.finished), None)
    if not finished:
        _refuse_settled(runs, description)
    started = next((run.run for run in runs if run.tags.get(FOLDER_TAG) == folder.token), None)
    if started and folder.points is None and any(not name.startswith("system/") for name in started.data.metrics):
        folder.renew_token()  # the checkpoint is gone, and its points would be measured twice
        started = None
    if started and not finished:
        _resume(store, started, description.study)
    run = finished or started or _new_run(store, folder.token, parent, description.tags, description.name(varied))
    return TrackedRun(store, run, folder, description, parent)


def _refuse_settled(runs: list[RecordedRun], description: Description) -> None:
    """Raise what ended a run of this study without a score before."""
    for run in runs:
        if run.tags.get(STUDY_TAG) == description.study:
            if run.diverged:
                raise DivergedError(run.tags[DIVERGED_TAG])
            if PRUNED_TAG in run.tags and description.search_trial is not None:
                raise PrunedError(run.tags[PRUNED_TAG])


def _resume(store: Store, run: Run, study: str) -> None:
    """Have the store say that a run goes on."""
    run_id, tags = run.info.run_id, run.data.tags
    log.info("run %s: resumed", run_id)
    store.client.update_run(run_id, status=RUNNING)
    store.client.set_tag(run_id, STUDY_TAG, study)
    for tag in {ERROR_TAG, DIVERGED_TAG, PRUNED_TAG} & tags.keys():
        store.client.delete_tag(run_id, tag)


def _new_run(store: Store, token: str, parent: Run | None, tags: dict[str, str], name: str) -> Run:
    tags = tags | {FOLDER_TAG: token, NOTE_TAG: name} | ({PARENT_TAG: parent.info.run_id} if parent else {})
    with quick_answers():  # which asks once: MLflow's client would make a second run where an answer is lost
        return store.client.create_run(store.experiment_id, run_name=name, tags=tags)


def _end_started(store: Store, identity: str, token: str) -> None:
    """Say of a run that was interrupted while it was started that it is KILLED."""
    with suppress(*STORE_ERRORS), quick_answers():
        for run in runs_of(store, [identity]):
            if run.status == RUNNING and run.tags.get(FOLDER_TAG) == token:
                store.client.set_terminated(run.run_id, KILLED)


@contextmanager
def _monitored(run: "TrackedRun") -> Iterator[None]:
    """Record the use of processor and memory within the block, by a thread of MLflow's; it ends where the store does
    not answer."""
    monitor = SystemMetricsMonitor(run.run_id, MONITOR_SECONDS, resume_logging=True, tracking_uri=run.store.uri)
    monitor.start()
    try:
        yield
    finally:
        monitor.finish()


class TrackedRun(Logger):
    """The run that this process trains, or one of its identity that has finished.

    Args:
        store: where it is recorded.
        run: as MLflow has it.
        folder: of its identity, with the checkpoints.
        description: what is recorded of it from the start.
        sweep: the parent run, if this is a job of a sweep.
    """

    def __init__(
        self, store: Store, run: Run, folder: CheckpointFolder, description: Description, sweep: Run | None = None
    ) -> None:
        self.store, self.run, self.folder, self.sweep = store, run, folder.path, sweep
        self.overrides = description.overrides
        """Those of the command line."""
        self.run_id = str(run.info.run_id)
        self.finished = run.info.status == FINISHED
        """Whether there is nothing to train."""
        self.resumes_from = None if folder.points is None else folder.last
        """The checkpoint from which it resumes."""
        self._temporary = tempfile.TemporaryDirectory()
        self._delivery = Delivery(store, run, Path(self._temporary.name), description.params)
        self.points = self._delivery.points
        """All that was logged, in that order."""
        self._logged: set[tuple[str, int]] = set()
        """Name and step of each."""
        for name, value, at, step in folder.points or ():
            self._add((str(name), float(value), int(at), int(step)))
        self._kept = len(self.points)
        """How many points the last checkpoint holds."""
        # Those of an end that broke off: measured again, they would be second rows.
        self._logged |= {(metric.key, metric.step) for metric in run.data.to_proto().metrics}
        for name, text in description.files.items():  # sent with the first points
            self.log_text(text, name)
        self._away = ""
        """Why the store takes nothing now."""
        self._next_sending = time.monotonic() + INTERVAL

    @property
    def name(self) -> str:
        """The experiment's id, for Lightning."""
        return self.store.experiment_id

    @property
    def version(self) -> str:
        """The run's id, for Lightning."""
        return self.run_id

    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        """Nothing of what Lightning knows: the whole configuration is recorded when the run starts."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Numbers, at one step; what was logged at it before stays. Raises what MLflow does for an impossible name."""
        now, step = get_current_time_millis(), step or 0
        for name, value in metrics.items():
            _validate_metric_name(name)
            if (name, step) not in self._logged:
                self._add((name, float(value), now, step))

    def log_tags(self, tags: Mapping[str, str]) -> None:
        """Tags, which replace those of the same names at the end of the run."""
        self._delivery.tags |= tags

    def log_text(self, text: str, name: str) -> None:
        """A text as the artifact `name`, `figures/table.md` say."""
        self._keep(name, text.encode())

    def log_figure(self, figure: "Figure", name: str) -> None:
        """A picture as the artifact `name`."""
        content = io.BytesIO()
        figure.savefig(content)
        self._keep(name, content.getvalue())

    def log_data(self, name: str, digest: str, reviews: dict[str, int]) -> None:
        """The corpus, by its digest, so that runs on the same data can be found."""
        source = CodeDatasetSource({"name": name, "sha256": digest, **{k: str(v) for k, v in reviews.items()}})
        described = MetaDataset(source, name=name, digest=digest[:36]).to_dict()
        dataset = Dataset(**{field: described[field] for field in ("name", "digest", "source_type", "source")})
        self._delivery.dataset = DatasetInput(dataset, [InputTag("mlflow.data.context", "train and test")])

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
            self.log_tags({TABLES_TAG: json.dumps([{"path": MISTAKES, "type": "table"}])})

    def log_model(self, package: Path, tags: Mapping[str, str]) -> None:
        """The files of a packaged model."""
        shutil.copytree(package, self._delivery.package)
        self._delivery.model_tags = dict(tags)

    def state(self) -> dict[str, Any]:
        """What a checkpoint carries of the run, in plain values."""
        return {POINTS: [list(point) for point in self.points]}

    def send(self, count: int, wait: bool = True) -> None:
        """Send the first points, which a checkpoint holds, if it is time; a store that is away gets them later.

        Args:
            count: of the points.
            wait: for the next sending, if the last one was just now.
        """
        self._kept = count
        if wait and time.monotonic() < self._next_sending:
            return
        try:
            with quick_answers():
                self._delivery.send(count)
        except STORE_ERRORS as error:
            self._note(short_reason(error))
            self._next_sending = time.monotonic() + PAUSE
        else:
            self._note("")
            self._next_sending = time.monotonic() + INTERVAL

    @contextmanager
    def ending(self) -> Iterator[None]:
        """Record how the run ends: FINISHED where the block does, KILLED where a signal or a search ends it, else
        FAILED with its traceback."""
        try:
            yield
            self._finish()
        except (KeyboardInterrupt, SystemExit) as error:
            self._break_off(KILLED)
            log.info("run %s was interrupted; the same command resumes it", self.run_id)
            if isinstance(error.__context__, KeyboardInterrupt):  # Lightning turns Ctrl-C into SystemExit
                raise error.__context__ from None
            raise  # a scheduler's, which stops the process to start it again
        except PrunedError as error:
            self._break_off(KILLED, {PRUNED_TAG: str(error)})
            log.info("run %s: pruned %s", self.run_id, error)
            raise
        except Exception as error:
            self._fail(error)
            raise
        finally:
            self._temporary.cleanup()

    def _finish(self) -> None:
        """Raises `UserError` where the store stayed away, or the run was deleted in it; nothing is lost then."""
        try:
            until_answered(self._delivery.finish, PATIENCE)
        except (OSError, *STORE_ERRORS) as error:
            raise UserError(
                f"{self.store.uri}: the end of run {self.run_id} is not recorded ({short_reason(error)}); nothing is "
                "lost: the same command, when the store answers, tests once more and records"
            ) from error

    def _fail(self, error: Exception) -> None:
        """Record a failure, with its traceback where it is no error that a user can mend."""
        if line := line_of(error) or line_of_store(error):
            log.error("run %s failed: %s", self.run_id, line)
        else:
            log.exception("run %s failed", self.run_id)
        with suppress(OSError):  # a full disk, which is the error
            self.log_text(traceback.format_exc(), TRACEBACK)
        why = {ERROR_TAG: f"{type(error).__name__}: {error}"[:500]}
        self._break_off(FAILED, why | ({DIVERGED_TAG: str(error)} if isinstance(error, DivergedError) else {}))

    def _break_off(self, status: str, tags: dict[str, str] | None = None) -> None:
        """Record that the run broke off. What its last checkpoint does not hold is measured again; a store that is away
        shows it as running."""
        try:
            with quick_answers():
                self._delivery.tags |= tags or {}
                self._delivery.send(self._kept)
                self.store.client.set_terminated(self.run_id, status)
        except (OSError, *STORE_ERRORS) as error:
            reason = short_reason(error)
            log.warning("run %s: %s, but %s does not say so (%s)", self.run_id, status, self.store.uri, reason)

    def _note(self, away: str) -> None:
        if away and not self._away:
            log.warning("%s: cannot be reached (%s); training goes on, and sends later", self.store.uri, away)
        elif self._away and not away:
            log.info("%s: answers again", self.store.uri)
        self._away = away

    def _add(self, point: Point) -> None:
        self.points.append(point)
        self._logged.add((point[0], point[3]))

    def _keep(self, name: str, content: bytes) -> None:
        path = self._delivery.files / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
