"""The run of an identity: finds, resumes or creates it, in one process at a time; logs while it is trained; and records
how it ends.

Logged points are kept in memory. A checkpoint contains the points of its run, and they are sent after it is written. So
no number is lost if the store is away: training goes on, a later checkpoint sends what is missing, and a killed run
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
"""Seconds between two deliveries while a run trains, and between two attempts to reach a store that is away."""
PATIENCE = 600.0
"""Seconds that a run waits for its store at its end."""
MONITOR_SECONDS = 5
"""Seconds between two samples of the use of processor and memory."""
TABLES_TAG = "mlflow.loggedArtifacts"
"""Tag by which MLflow's pages recognize an artifact as a table."""


class PrunedError(Exception):
    """A search has ended this run early; the message says when."""


class DivergedError(UserError):
    """The loss is infinite or not a number; the message says in which batch, and at which learning rate."""


@contextmanager
def tracked_run(store: Store, description: Description, in_sweep: bool = False) -> Iterator["TrackedRun"]:
    """The run of an identity, while this process trains it. No other process can train it at the same time.

    If the run has already finished, it is not trained again. Otherwise it is recorded as FINISHED when the block ends,
    as KILLED if a signal or a search ends it, and else as FAILED with its traceback.

    Args:
        in_sweep: whether the run is a job of the sweep called `description.study`.

    Raises:
        UserError: the store refuses the run, or does not answer; or there is no such sweep.
        PrunedError: a search ended the run early, now or before.
        DivergedError: its loss became NaN or infinite, now or before.
    """
    with CheckpointFolder(store, description.identity) as folder:
        try:
            with store_errors(store.uri, store.experiment, "EDIT"):
                # The server may be restarting between two jobs of a sweep.
                run = until_answered(lambda: start(store, folder, description, in_sweep), PATIENCE if in_sweep else 0)
        except (KeyboardInterrupt, SystemExit):
            _end_started(store, description.identity, folder.token)
            raise
        if run.finished:
            yield run
        else:
            with run.ending(), _monitored(run) if description.system_metrics else nullcontext():
                yield run
        folder.last.unlink(missing_ok=True)  # not earlier: until here the run could resume


def start(store: Store, folder: CheckpointFolder, description: Description, in_sweep: bool = False) -> "TrackedRun":
    """The finished run of an identity, else the run that this folder's checkpoint belongs to, else a new run.

    It can be called again: a run that an earlier call made has the token of the folder.

    Raises:
        the same errors as `tracked_run`.
    """
    parent, varied = join_sweep(store, description) if in_sweep else (None, [])
    runs = runs_of(store, [description.identity])
    finished = next((run.run for run in runs if run.finished), None)
    if not finished:
        _refuse_settled(runs, description)
    started = next((run.run for run in runs if run.tags.get(FOLDER_TAG) == folder.token), None)
    if started and folder.points is None and any(not name.startswith("system/") for name in started.data.metrics):
        folder.renew_token()  # the checkpoint is gone, so the points of that run would be recorded twice
        started = None
    if started and not finished:
        _resume(store, started, description.study)
    run = finished or started or _new_run(store, folder.token, parent, description.tags, description.name(varied))
    return TrackedRun(store, run, folder, description, parent)


def _refuse_settled(runs: list[RecordedRun], description: Description) -> None:
    """If an earlier run of this study was pruned or diverged, raise the same error."""
    for run in runs:
        if run.tags.get(STUDY_TAG) == description.study:
            if run.diverged:
                raise DivergedError(run.tags[DIVERGED_TAG])
            if PRUNED_TAG in run.tags and description.search_trial is not None:
                raise PrunedError(run.tags[PRUNED_TAG])


def _resume(store: Store, run: Run, study: str) -> None:
    """Set a run to RUNNING again."""
    run_id, tags = run.info.run_id, run.data.tags
    log.info("run %s: resumed", run_id)
    store.client.update_run(run_id, status=RUNNING)
    store.client.set_tag(run_id, STUDY_TAG, study)
    for tag in {ERROR_TAG, DIVERGED_TAG, PRUNED_TAG} & tags.keys():
        store.client.delete_tag(run_id, tag)


def _new_run(store: Store, token: str, parent: Run | None, tags: dict[str, str], name: str) -> Run:
    tags = tags | {FOLDER_TAG: token, NOTE_TAG: name} | ({PARENT_TAG: parent.info.run_id} if parent else {})
    with quick_answers():  # a single request: MLflow's client would create a second run if an answer is lost
        return store.client.create_run(store.experiment_id, run_name=name, tags=tags)


def _end_started(store: Store, identity: str, token: str) -> None:
    """Set a run to KILLED that was interrupted during its start."""
    with suppress(*STORE_ERRORS), quick_answers():
        for run in runs_of(store, [identity]):
            if run.status == RUNNING and run.tags.get(FOLDER_TAG) == token:
                store.client.set_terminated(run.run_id, KILLED)


@contextmanager
def _monitored(run: "TrackedRun") -> Iterator[None]:
    """Record the use of processor and memory within the block, in a thread of MLflow. It ends if the store does not
    answer."""
    monitor = SystemMetricsMonitor(run.run_id, MONITOR_SECONDS, resume_logging=True, tracking_uri=run.store.uri)
    monitor.start()
    try:
        yield
    finally:
        monitor.finish()


class TrackedRun(Logger):
    """The run that this process trains, or a finished run of the same identity.

    Args:
        store: store in which it is recorded.
        run: MLflow's own object.
        folder: folder of its identity, with the checkpoints.
        description: values that are recorded when it starts.
        sweep: the parent run, if this is a job of a sweep.
    """

    def __init__(
        self, store: Store, run: Run, folder: CheckpointFolder, description: Description, sweep: Run | None = None
    ) -> None:
        self.store, self.run, self.folder, self.sweep = store, run, folder.path, sweep
        self.overrides = description.overrides
        """Overrides of the command line."""
        self.run_id = str(run.info.run_id)
        self.finished = run.info.status == FINISHED
        """Whether there is nothing to train."""
        self.resumes_from = None if folder.points is None else folder.last
        """The checkpoint from which it resumes, if there is one."""
        self._temporary = tempfile.TemporaryDirectory()
        self._delivery = Delivery(store, run, Path(self._temporary.name), description.params)
        self.points = self._delivery.points
        """All logged points, in order."""
        self._logged: set[tuple[str, int]] = set()
        """Name and step of each point."""
        for name, value, at, step in folder.points or ():
            self._add((str(name), float(value), int(at), int(step)))
        self._kept = len(self.points)
        """How many points the last checkpoint holds."""
        # Points that the store already has from an interrupted end: logged again, they would be second rows.
        self._logged |= {(metric.key, metric.step) for metric in run.data.to_proto().metrics}
        for name, text in description.files.items():  # sent with the first points
            self.log_text(text, name)
        self._away = ""
        """Why the store cannot be reached at the moment; empty if it can."""
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
        """Does nothing: the whole configuration is recorded when the run starts."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log numbers at a step; a number that was already logged at it stays. Raises MLflow's error for a bad name."""
        now, step = get_current_time_millis(), step or 0
        for name, value in metrics.items():
            _validate_metric_name(name)
            if (name, step) not in self._logged:
                self._add((name, float(value), now, step))

    def log_tags(self, tags: Mapping[str, str]) -> None:
        """Log tags. At the end of the run they replace earlier tags with the same names."""
        self._delivery.tags |= tags

    def log_text(self, text: str, name: str) -> None:
        """Log a text as the artifact `name`, such as `figures/table.md`."""
        self._keep(name, text.encode())

    def log_figure(self, figure: "Figure", name: str) -> None:
        """Log a figure as the artifact `name`."""
        content = io.BytesIO()
        figure.savefig(content)
        self._keep(name, content.getvalue())

    def log_data(self, name: str, digest: str, reviews: dict[str, int]) -> None:
        """Log the digest of the corpus, so that runs on the same data can be found."""
        source = CodeDatasetSource({"name": name, "sha256": digest, **{k: str(v) for k, v in reviews.items()}})
        described = MetaDataset(source, name=name, digest=digest[:36]).to_dict()
        dataset = Dataset(**{field: described[field] for field in ("name", "digest", "source_type", "source")})
        self._delivery.dataset = DatasetInput(dataset, [InputTag("mlflow.data.context", "train and test")])

    def log_gradients(self, before: np.ndarray, after: np.ndarray) -> None:
        """Log ‖∂L/∂x‖ by steps back from the end, before and after training."""
        rows = (f"{d},{b:.6g},{a:.6g}" for d, (b, a) in enumerate(zip(before, after, strict=True)))
        self.log_text("\n".join(["step_back,before,after", *rows]) + "\n", GRADIENTS)

    def log_predictions(self, predictions: Predictions) -> None:
        """Log the predictions of the model for all test reviews."""
        content = io.BytesIO()
        predictions.save(content)
        self._keep(PREDICTIONS, content.getvalue())

    def log_pictures(self, figures: Mapping[str, "Figure"], mistakes: list[dict[str, Any]]) -> None:
        """Log figures by name, and a table of the most confident mistakes."""
        for name, figure in figures.items():
            self.log_figure(figure, f"figures/{name}.png")
        if mistakes:
            import pandas as pd

            self.log_text(pd.DataFrame(mistakes).to_json(orient="split", index=False), MISTAKES)
            self.log_tags({TABLES_TAG: json.dumps([{"path": MISTAKES, "type": "table"}])})

    def log_model(self, package: Path, tags: Mapping[str, str]) -> None:
        """Log the files of a packaged model."""
        shutil.copytree(package, self._delivery.package)
        self._delivery.model_tags = dict(tags)

    def state(self) -> dict[str, Any]:
        """The state of the run that a checkpoint contains, in plain values."""
        return {POINTS: [list(point) for point in self.points]}

    def send(self, count: int, wait: bool = True) -> None:
        """Send the points that a checkpoint holds, if a delivery is due. A store that is away gets them later.

        Args:
            count: number of points to send, from the first on.
            wait: send nothing if the last delivery was just now.
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
        """Record how the run ends: FINISHED at the end of the block, KILLED if a signal or a search ends it, else
        FAILED with its traceback."""
        try:
            yield
            self._finish()
        except (KeyboardInterrupt, SystemExit) as error:
            self._break_off(KILLED)
            log.info("run %s was interrupted; the same command resumes it", self.run_id)
            if isinstance(error.__context__, KeyboardInterrupt):  # Lightning turns Ctrl-C into SystemExit
                raise error.__context__ from None
            raise  # from a scheduler, which stops the process and will start it again
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
        """Send everything and finish the run. Raises `UserError` if the store stays away, or the run was deleted in it;
        nothing is lost then."""
        try:
            until_answered(self._delivery.finish, PATIENCE)
        except (OSError, *STORE_ERRORS) as error:
            raise UserError(
                f"{self.store.uri}: the end of run {self.run_id} is not recorded ({short_reason(error)}); nothing is "
                "lost: the same command, when the store answers, tests once more and records"
            ) from error

    def _fail(self, error: Exception) -> None:
        """Record a failure, with its traceback unless it is an error that a user can mend."""
        if line := line_of(error) or line_of_store(error):
            log.error("run %s failed: %s", self.run_id, line)
        else:
            log.exception("run %s failed", self.run_id)
        with suppress(OSError):  # a full disk may be the error that is recorded
            self.log_text(traceback.format_exc(), TRACEBACK)
        why = {ERROR_TAG: f"{type(error).__name__}: {error}"[:500]}
        self._break_off(FAILED, why | ({DIVERGED_TAG: str(error)} if isinstance(error, DivergedError) else {}))

    def _break_off(self, status: str, tags: dict[str, str] | None = None) -> None:
        """Record that the run was interrupted. Points that are not in its last checkpoint will be measured again. A
        store that is away keeps showing it as running."""
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
