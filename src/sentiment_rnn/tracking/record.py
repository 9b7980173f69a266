"""What one run records in MLflow, from its first step to its test."""

import logging
import os
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from lightning.pytorch.loggers import MLFlowLogger
from lightning.pytorch.utilities import rank_zero_only
from matplotlib.figure import Figure
from mlflow import MlflowClient
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunStatus
from mlflow.exceptions import MlflowException
from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

from sentiment_rnn.config.run import RunConfig
from sentiment_rnn.config.tracking import TrackingConfig
from sentiment_rnn.errors import UserError
from sentiment_rnn.inference.predictions import Predictions
from sentiment_rnn.tracking.checkpoints import LAST, folder_of
from sentiment_rnn.tracking.lease import HeldError, Lease, scheduled_job
from sentiment_rnn.tracking.names import (
    CHECKPOINT_TAG,
    CONFIGURATION,
    ERROR_TAG,
    GRADIENTS,
    IDENTITY_TAG,
    OVERRIDES,
    PARENT_TAG,
    PREDICTIONS,
    STUDY_TAG,
    TRIAL_TAG,
    WRITER_TAG,
)
from sentiment_rnn.tracking.origin import origin_tags
from sentiment_rnn.tracking.results import Curve, curve_of
from sentiment_rnn.tracking.store import Store

log = logging.getLogger(__name__)

TRACKING_VARIABLE = "MLFLOW_TRACKING_URI"
LONGEST_PARAM = 6000
"""Characters of a parameter that MLflow keeps."""


class RunLogger(MLFlowLogger):
    """Lightning's logger, on a run that ends when it was tested, not when fitting ends."""

    def __init__(self, record: "RunRecord") -> None:
        super().__init__(tracking_uri=record.store.uri, run_id=record.run_id)
        self.record = record

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log what is new; raises `UserError` where another process has taken the run over."""
        self.record.check()
        if new := self.record.not_yet_logged(metrics, step or 0):
            super().log_metrics(new, step)

    def finalize(self, status: str = "success") -> None:
        """Leave the run open: `RunRecord` ends it."""


class RunRecord:
    """A run in the store, open until `tracked_run` ends it."""

    def __init__(self, store: Store, run_id: str, lease: Lease | None = None) -> None:
        self.store = store
        self.run_id = run_id
        self.lease = lease
        """The right to write it; none for a run that has finished."""
        self.checkpoints = folder_of(store, run_id)
        self.logged: set[tuple[str, int]] = set()
        """Names and steps of the metrics that the run had before this process resumed it."""

    def check(self) -> None:
        """Raise `UserError` where another process has taken the run over."""
        if self.lease:
            self.lease.check()

    def not_yet_logged(self, metrics: Mapping[str, float], step: int) -> dict[str, float]:
        """Without those that the run had at this step: a resumed run repeats the steps since its checkpoint."""
        return {name: value for name, value in metrics.items() if (name, step) not in self.logged}

    @property
    def finished(self) -> bool:
        """Whether the run was finished before; then it is not to be trained."""
        return self.lease is None

    @property
    def client(self) -> MlflowClient:
        """Of the store; raises `UserError` where another process has taken the run over."""
        self.check()
        return self.store.client

    def logger(self) -> RunLogger:
        """Where Lightning writes its metrics."""
        return RunLogger(self)

    def log_metrics(self, metrics: dict[str, float]) -> None:
        """Numbers without a step."""
        new = self.not_yet_logged(metrics, 0)
        self.client.log_batch(self.run_id, [Metric(name, float(value), 0, 0) for name, value in new.items()])

    def log_data(self, name: str, digest: str, reviews: dict[str, int]) -> None:
        """The corpus, by its digest, so that runs on the same data can be found."""
        source = CodeDatasetSource({"name": name, "sha256": digest, **{k: str(v) for k, v in reviews.items()}})
        dataset = MetaDataset(source, name=name, digest=digest[:36]).to_dict()
        entity = Dataset(dataset["name"], dataset["digest"], dataset["source_type"], dataset["source"])
        self.client.log_inputs(self.run_id, [DatasetInput(entity, [InputTag("mlflow.data.context", "train and test")])])

    def log_checkpoints(self, best: str) -> None:
        """Checkpoints by reference: they stay where they are."""
        self.client.log_dict(self.run_id, {"best": best, "last": str(self.checkpoints / LAST)}, "checkpoints.yaml")
        self.client.set_tag(self.run_id, CHECKPOINT_TAG, best)

    def log_gradients(self, before: np.ndarray, after: np.ndarray) -> None:
        """‖∂L/∂x‖ by distance from the end, at the start and after training."""
        rows = ["distance,before,after"]
        rows += [f"{d},{b:.6g},{a:.6g}" for d, (b, a) in enumerate(zip(before, after, strict=True))]
        self.client.log_text(self.run_id, "\n".join(rows) + "\n", GRADIENTS)

    def log_test(self, predictions: Predictions, figures: Mapping[str, Figure], mistakes: list[dict[str, Any]]) -> None:
        """Predictions, figures by their name, and the most confident mistakes."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, Path(PREDICTIONS).name)
            predictions.save(path)
            self.client.log_artifact(self.run_id, str(path), str(Path(PREDICTIONS).parent))
        log_pictures_and_mistakes(self.client, self.run_id, figures, mistakes)

    def curve(self, name: str) -> Curve:
        """Steps and values of a metric so far."""
        return curve_of(self.store, self.run_id, name)

    def log_text(self, text: str, name: str) -> None:
        """A text as an artifact."""
        self.client.log_text(self.run_id, text, name)


def log_pictures_and_mistakes(
    client: MlflowClient, run_id: str, figures: Mapping[str, Figure], mistakes: list[dict[str, Any]]
) -> None:
    """Put figures under `figures/`, and mistakes into a table, where there are any."""
    for name, figure in figures.items():
        client.log_figure(run_id, figure, f"figures/{name}.png")
    if mistakes:
        columns = {key: [mistake[key] for mistake in mistakes] for key in mistakes[0]}
        client.log_table(run_id, columns, "mistakes.json")


@contextmanager
def tracked_run(store: Store, config: RunConfig, identity: str, overrides: list[str]) -> Iterator[RunRecord]:
    """Open a run, or resume the broken one of the same identity: of the same sweep, or the one that `tracking.resume`
    names. No other process writes it until it ends: FINISHED, or FAILED with its traceback.

    A job of a sweep first waits where another process trains the same. What the sweep has finished is given as it is,
    `RunRecord.finished`, and is not to be trained.

    Args:
        identity: `RunConfig.identity`.
        overrides: what was said on the command line.

    Raises:
        UserError: the run that is to be resumed is finished, is another, does not exist, or is being trained; or there
            is no such sweep.
    """
    record = _claimed(store, config, identity)
    run_id, lease = record.run_id, record.lease
    if lease is None:
        yield record
        return
    status = RunStatus.FAILED
    monitor = None
    uri_before = os.environ.get(TRACKING_VARIABLE)
    try:
        store.client.update_run(run_id, status=RunStatus.to_string(RunStatus.RUNNING))
        store.client.set_tag(run_id, WRITER_TAG, str(lease.own))
        store.client.log_text(run_id, yaml.safe_dump(config.settings(), sort_keys=False), CONFIGURATION)
        store.client.log_text(run_id, yaml.safe_dump(overrides), OVERRIDES)
        if config.tracking.system_metrics:
            monitor = SystemMetricsMonitor(run_id, sampling_interval=5, resume_logging=True, tracking_uri=store.uri)
            monitor.start()
        yield record
        lease.check()
        status = RunStatus.FINISHED
    except (KeyboardInterrupt, SystemExit) as error:
        status = RunStatus.KILLED
        if config.tracking.parent is None:
            log.info("run %s was interrupted; the same command with tracking.resume=%s resumes it", run_id, run_id)
        if isinstance(error.__context__, KeyboardInterrupt):  # Lightning turns Ctrl-C into SystemExit
            raise error.__context__ from None
        raise  # a scheduler's, which stops the process to start it again
    except BaseException as error:
        if isinstance(error, UserError):
            log.error("run %s failed: %s", run_id, error)
        else:
            log.exception("run %s failed", run_id)
        if not lease.taken_over:
            store.client.log_text(run_id, traceback.format_exc(), "traceback.txt")
            store.client.set_tag(run_id, ERROR_TAG, f"{type(error).__name__}: {error}"[:500])
        raise
    finally:
        # Lightning's logger exports the store's address: it would reach the next job of this process.
        os.environ.pop(TRACKING_VARIABLE, None)
        if uri_before is not None:
            os.environ[TRACKING_VARIABLE] = uri_before
        with lease:
            try:
                if monitor:
                    monitor.finish()
            finally:
                if not lease.taken_over:
                    store.client.set_terminated(run_id, RunStatus.to_string(status))


def _claimed(store: Store, config: RunConfig, identity: str) -> RunRecord:
    """The run that this process is to train, with its lease, or the one that the sweep has finished, without."""
    tracking = config.tracking
    if tracking.resume:
        return _run_to_resume(store, tracking, identity, tracking.resume)
    if tracking.parent is None:
        run_id = _new_run(store, config, identity)
        return RunRecord(store, run_id, Lease(store, run_id, tracking).acquire(wait=False))
    _check_parent(store, tracking.parent)
    finished = partial(_find, store, identity, tracking.parent, "=")
    if done := finished():
        return RunRecord(store, done)
    with ExitStack() as undone:
        lease = undone.enter_context(Lease(store, tracking.parent, tracking, identity).acquire(wait=True))
        if done := finished():  # by the process that was waited for
            return RunRecord(store, done)
        broken = _find(store, identity, tracking.parent, "!=")
        record = (
            _resumed(store, broken, lease) if broken else RunRecord(store, _new_run(store, config, identity), lease)
        )
        undone.pop_all()
        return record


def run_of_first_process(store: Store, tracking: TrackingConfig, identity: str) -> str | None:
    """Id of the run in which this process takes part, once the first process of the same scheduler's job has it.

    None where that makes a run of its own, which starts with the first step. A run that the sweep has finished ends
    this process: there is nothing to do.
    """
    if tracking.parent is None:
        return tracking.resume
    lease = Lease(store, tracking.parent, tracking, identity)
    while True:
        owner = lease.owner()
        run_id = _find(store, identity, tracking.parent, "!=")
        if owner and owner.job == scheduled_job() and run_id:
            return run_id
        if _find(store, identity, tracking.parent, "="):
            raise SystemExit(0)
        time.sleep(tracking.heartbeat / 3)


def _check_parent(store: Store, parent: str) -> None:
    try:
        store.client.get_run(parent)
    except MlflowException as error:
        raise UserError(
            f"tracking.parent={parent}: no such run in {store.uri}; a job needs the store of its sweep, so give "
            "tracking.uri, or a tracking.directory that all machines share"
        ) from error


def _run_to_resume(store: Store, tracking: TrackingConfig, identity: str, run_id: str) -> RunRecord:
    try:
        tags = store.client.get_run(run_id).data.tags
    except MlflowException as error:
        raise UserError(f"tracking.resume={run_id}: no such run in {store.uri}") from error
    parent = tags.get(PARENT_TAG)
    lease = Lease(store, parent, tracking, tags[IDENTITY_TAG]) if parent else Lease(store, run_id, tracking)
    try:
        lease.acquire(wait=False)
    except HeldError as held:
        raise UserError(f"tracking.resume={run_id}: {held.owner} trains this run; wait until it has ended") from held
    with ExitStack() as undone:
        undone.enter_context(lease)
        if store.client.get_run(run_id).info.status == RunStatus.to_string(RunStatus.FINISHED):
            raise UserError(f"tracking.resume={run_id}: this run has finished; there is nothing to resume")
        if tags.get(IDENTITY_TAG) != identity:
            raise UserError(
                f"tracking.resume={run_id}: its configuration, its data or the code was another; give the overrides "
                "with which it was started, or train anew"
            )
        record = _resumed(store, run_id, lease)
        undone.pop_all()
    return record


def _resumed(store: Store, run_id: str, lease: Lease) -> RunRecord:
    record = RunRecord(store, run_id, lease)
    for name in store.client.get_run(run_id).data.metrics:
        if not name.startswith("system/"):  # its monitor counts on from there
            record.logged |= {(name, point.step) for point in store.client.get_metric_history(run_id, name)}
    return record


def _find(store: Store, identity: str, parent: str, finished: str) -> str | None:
    """Id of a sweep's run of an identity; `finished` is `=` for one that is FINISHED, `!=` for one that is not."""
    query = f"tags.`{IDENTITY_TAG}` = '{identity}' and tags.`{PARENT_TAG}` = '{parent}'"
    query += f" and attributes.status {finished} '{RunStatus.to_string(RunStatus.FINISHED)}'"
    runs = store.client.search_runs([store.experiment_id], query, max_results=1)
    return runs[0].info.run_id if runs else None


def _new_run(store: Store, config: RunConfig, identity: str) -> str:
    name = "-".join([*config.tags.values(), f"seed{config.seed}"])
    tags = {IDENTITY_TAG: identity, STUDY_TAG: config.study, **config.tags, **origin_tags()}
    tags["mlflow.note.content"] = f"{', '.join(f'{k} {v}' for k, v in config.tags.items())}, seed {config.seed}"
    if trial := config.trainer.trial:
        tags[TRIAL_TAG] = trial
    if parent := config.tracking.parent:
        tags[PARENT_TAG] = parent
    run_id = store.client.create_run(store.experiment_id, run_name=name, tags=tags).info.run_id
    # Once, since MLflow refuses another value, and a run that is resumed may have other threads or folders.
    params = [Param(key, value[:LONGEST_PARAM]) for key, value in _flatten(config.settings()).items()]
    store.client.log_batch(run_id, params=params)
    return run_id


def _flatten(settings: dict[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in settings.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = str(value)
    return flat
