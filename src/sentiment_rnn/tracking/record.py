"""What one run records in MLflow, from its first step to its test."""

import logging
import os
import tempfile
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
from sentiment_rnn.errors import UserError
from sentiment_rnn.inference.predictions import Predictions
from sentiment_rnn.tracking.checkpoint_files import LAST, PREVIOUS, CheckpointFiles, folder_of
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
)
from sentiment_rnn.tracking.origin import origin_tags
from sentiment_rnn.tracking.remote_checkpoints import Upload
from sentiment_rnn.tracking.results import Curve, curve_of
from sentiment_rnn.tracking.store import Store, storage_fault

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
        """Log what the run does not have yet."""
        if new := self.record.new(metrics, step or 0):
            super().log_metrics(new, step)

    def finalize(self, status: str = "success") -> None:
        """Leave the run open: `RunRecord` ends it."""


class RunRecord:
    """A run in the store, open until `tracked_run` ends it."""

    def __init__(self, store: Store, run_id: str) -> None:
        self.store = store
        self.run_id = run_id
        self.client = store.client
        self.checkpoints = folder_of(store, run_id)
        self.upload = Upload(store, run_id) if store.keeps_checkpoints else None
        self.last_steps: dict[str, int] = {}
        """The last step of each metric that the run has."""
        for name in store.client.get_run(run_id).data.metrics:  # of a resumed run, which repeats some of its steps
            if not name.startswith("system/"):
                self.last_steps[name] = max(point.step for point in self.client.get_metric_history(run_id, name))

    def logger(self) -> RunLogger:
        """Where Lightning writes its metrics."""
        return RunLogger(self)

    def checkpoint_files(self) -> CheckpointFiles:
        """How Lightning writes checkpoints."""
        return CheckpointFiles(self.upload.add if self.upload else None)

    def new(self, metrics: Mapping[str, float], step: int) -> dict[str, float]:
        """Those metrics that the run does not have at this step; they count as logged from now on."""
        found = {name: value for name, value in metrics.items() if step > self.last_steps.get(name, -1)}
        self.last_steps.update(dict.fromkeys(found, step))
        return found

    def log_metrics(self, metrics: dict[str, float]) -> None:
        """Numbers without a step; the first value stays."""
        new = self.new(metrics, 0)
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
def tracked_run(
    store: Store, config: RunConfig, identity: str, overrides: list[str], parent: str | None
) -> Iterator[RunRecord]:
    """Open a run, or resume the broken one of the same identity: under the same parent, or the one that
    `tracking.resume` names. End it FINISHED, or FAILED with its traceback.

    Args:
        identity: `RunConfig.identity`.
        overrides: what was said on the command line.
        parent: run id of the sweep.

    Raises:
        UserError: the run that is to be resumed is finished, is another, or does not exist.
    """
    if config.tracking.resume:
        run_id = _run_to_resume(store, identity, config.tracking.resume)
    else:
        run_id = _broken_run(store, identity, parent) or _new_run(store, config, identity, parent)
    status = RunStatus.FAILED
    monitor = None
    uri_before = os.environ.get(TRACKING_VARIABLE)
    try:
        store.client.log_text(run_id, yaml.safe_dump(config.settings(), sort_keys=False), CONFIGURATION)
        store.client.log_text(run_id, yaml.safe_dump(overrides), OVERRIDES)
        if config.tracking.system_metrics:
            monitor = SystemMetricsMonitor(run_id, sampling_interval=5, resume_logging=True, tracking_uri=store.uri)
            monitor.start()
        record = RunRecord(store, run_id)
        try:
            yield record
        finally:
            if record.upload:
                record.upload.finish()
        (record.checkpoints / PREVIOUS).unlink(missing_ok=True)  # a finished run does not resume
        status = RunStatus.FINISHED
    except (KeyboardInterrupt, SystemExit) as error:
        status = RunStatus.KILLED
        if parent is None:
            log.info("run %s was interrupted; the same command with tracking.resume=%s resumes it", run_id, run_id)
        # Lightning turns Ctrl-C into SystemExit: say again what it was.
        raise KeyboardInterrupt from error
    except BaseException as error:
        mendable = error if isinstance(error, UserError) else storage_fault(store, error)
        if mendable:
            log.error("run %s failed: %s", run_id, mendable)
        else:
            log.exception("run %s failed", run_id)
        with _as_far_as_it_goes(run_id):
            store.client.log_text(run_id, traceback.format_exc(), "traceback.txt")
            store.client.set_tag(run_id, ERROR_TAG, f"{type(error).__name__}: {error}"[:500])
        if mendable and mendable is not error:
            raise mendable from error
        raise
    finally:
        # Lightning's logger exports the store's address: it would reach the next job of this process.
        os.environ.pop(TRACKING_VARIABLE, None)
        if uri_before is not None:
            os.environ[TRACKING_VARIABLE] = uri_before
        try:
            if monitor:
                monitor.finish()
        finally:
            with _as_far_as_it_goes(run_id):
                store.client.set_terminated(run_id, RunStatus.to_string(status))


@contextmanager
def _as_far_as_it_goes(run_id: str) -> Iterator[None]:
    """Record how a run ended; a store that cannot be written has been the end of it, and one line has said so."""
    try:
        yield
    except (MlflowException, OSError) as error:
        log.warning("run %s: how it ended could not be recorded (%s)", run_id, str(error).splitlines()[0][:100])


def finished_run(store: Store, identity: str, parent: str | None) -> str | None:
    """Id of a run of the same identity that this sweep has finished; None outside a sweep."""
    if parent is None:
        return None
    return _find(store, identity, parent, f"attributes.status = '{RunStatus.to_string(RunStatus.FINISHED)}'")


def _broken_run(store: Store, identity: str, parent: str | None) -> str | None:
    if parent is None:
        return None
    found = _find(store, identity, parent, f"attributes.status != '{RunStatus.to_string(RunStatus.FINISHED)}'")
    if found:
        store.client.update_run(found, status=RunStatus.to_string(RunStatus.RUNNING))
    return found


def _run_to_resume(store: Store, identity: str, run_id: str) -> str:
    try:
        run = store.client.get_run(run_id)
    except MlflowException as error:
        raise UserError(f"tracking.resume={run_id}: no such run in {store.uri}") from error
    if run.info.status == RunStatus.to_string(RunStatus.FINISHED):
        raise UserError(f"tracking.resume={run_id}: this run has finished; there is nothing to resume")
    if run.data.tags.get(IDENTITY_TAG) != identity:
        raise UserError(
            f"tracking.resume={run_id}: its configuration, its data or the code was another; give the overrides with "
            "which it was started, or train anew"
        )
    store.client.update_run(run_id, status=RunStatus.to_string(RunStatus.RUNNING))
    return run_id


def _find(store: Store, identity: str, parent: str, condition: str) -> str | None:
    query = f"tags.`{IDENTITY_TAG}` = '{identity}' and tags.`{PARENT_TAG}` = '{parent}' and {condition}"
    runs = store.client.search_runs([store.experiment_id], query, max_results=1)
    return runs[0].info.run_id if runs else None


def _new_run(store: Store, config: RunConfig, identity: str, parent: str | None) -> str:
    name = "-".join([*config.tags.values(), f"seed{config.seed}"])
    tags = {IDENTITY_TAG: identity, STUDY_TAG: config.study, **config.tags, **origin_tags()}
    tags["mlflow.note.content"] = f"{', '.join(f'{k} {v}' for k, v in config.tags.items())}, seed {config.seed}"
    if trial := config.trainer.trial:
        tags[TRIAL_TAG] = trial
    if parent:
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
