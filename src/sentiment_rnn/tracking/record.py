"""What one run records in MLflow, from its first step to its test."""

import json
import logging
import tempfile
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from lightning.pytorch.loggers import Logger
from matplotlib.figure import Figure
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import Param, RunStatus
from mlflow.exceptions import MlflowException

from sentiment_rnn.config.run import RunConfig
from sentiment_rnn.errors import UserError
from sentiment_rnn.inference.predictions import Predictions
from sentiment_rnn.masking import masked, masked_settings
from sentiment_rnn.tracking.answers import no_answer, store_errors
from sentiment_rnn.tracking.checkpoint_files import LAST, CheckpointFiles, folder_of
from sentiment_rnn.tracking.monitor import Monitor
from sentiment_rnn.tracking.names import (
    CHECKPOINT_TAG,
    CONFIGURATION,
    ERROR_TAG,
    GRADIENTS,
    IDENTITY_TAG,
    MISTAKES,
    OVERRIDES,
    PARENT_TAG,
    PREDICTIONS,
    STUDY_TAG,
    TRIAL_TAG,
)
from sentiment_rnn.tracking.origin import origin_tags
from sentiment_rnn.tracking.outbox import Outbox, milliseconds
from sentiment_rnn.tracking.remote_checkpoints import Upload
from sentiment_rnn.tracking.results import Curve, curve_of
from sentiment_rnn.tracking.store import Store, storage_fault

log = logging.getLogger(__name__)

LONGEST_PARAM = 6000
"""Characters of a parameter that MLflow keeps."""
TABLES_TAG = "mlflow.loggedArtifacts"
"""By which MLflow's pages know an artifact as a table."""


class RunRecord:
    """A run in the store, open until `tracked_run` ends it. All that it records goes through its outbox."""

    def __init__(self, outbox: Outbox, earlier: dict[str, Curve] | None = None) -> None:
        self.store = outbox.store
        self.run_id = outbox.run_id
        self.outbox = outbox
        self.checkpoints = folder_of(self.store, self.run_id)
        self._points: dict[str, dict[int, float]] = {
            name: dict(zip(*curve, strict=True)) for name, curve in (earlier or {}).items()
        }
        self.upload = Upload(self.store, self.run_id) if self.store.keeps_checkpoints else None

    def logger(self) -> "RunLogger":
        """Where Lightning writes its metrics."""
        return RunLogger(self)

    def checkpoint_files(self) -> CheckpointFiles:
        """How Lightning writes checkpoints."""
        return CheckpointFiles(self.upload.add if self.upload else None)

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Numbers, at one step. A run that was resumed repeats some steps: what it logged at one stays."""
        new = {name: float(value) for name, value in metrics.items() if step not in self._points.get(name, {})}
        time = milliseconds()
        if new:
            self.outbox.metrics([(name, value, time, step) for name, value in new.items()])
        for name, value in new.items():
            self._points.setdefault(name, {})[step] = value

    def log_data(self, name: str, digest: str, reviews: dict[str, int]) -> None:
        """The corpus, by its digest, so that runs on the same data can be found."""
        source = CodeDatasetSource({"name": name, "sha256": digest, **{k: str(v) for k, v in reviews.items()}})
        dataset = MetaDataset(source, name=name, digest=digest[:36]).to_dict()
        fields = ("name", "digest", "source_type", "source")
        self.outbox.dataset({field: dataset[field] for field in fields}, "train and test")

    def log_checkpoints(self, best: str) -> None:
        """Checkpoints by reference: they stay where they are."""
        self.log_text(yaml.safe_dump({"best": best, "last": str(self.checkpoints / LAST)}), "checkpoints.yaml")
        self.outbox.tags({CHECKPOINT_TAG: best})

    def log_gradients(self, before: np.ndarray, after: np.ndarray) -> None:
        """‖∂L/∂x‖ by distance from the end, at the start and after training."""
        rows = ["distance,before,after"]
        rows += [f"{d},{b:.6g},{a:.6g}" for d, (b, a) in enumerate(zip(before, after, strict=True))]
        self.log_text("\n".join(rows) + "\n", GRADIENTS)

    def log_test(self, predictions: Predictions, figures: Mapping[str, Figure], mistakes: list[dict[str, Any]]) -> None:
        """Predictions, figures by their name, and the most confident mistakes."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, PREDICTIONS)
            path.parent.mkdir()
            predictions.save(path)
            tables = write_pictures_and_mistakes(Path(folder), figures, mistakes)
            self.outbox.artifact(Path(folder))
        self.outbox.tags(tables)

    def log_model(self, package: Path, tags: Mapping[str, str]) -> None:
        """The packaged model in a folder called `tracking.models.PACKAGE`."""
        self.outbox.model(package, tags)

    def curve(self, name: str) -> Curve:
        """Steps and values of a metric so far, also of the time before the run was resumed."""
        points = self._points.get(name, {})
        return sorted(points), [points[step] for step in sorted(points)]

    def log_text(self, text: str, name: str) -> None:
        """A text as an artifact."""
        self.outbox.text(text, name)


class RunLogger(Logger):
    """Lightning's way to the record of a run, which ends when it was tested, not when fitting ends."""

    def __init__(self, record: RunRecord) -> None:
        super().__init__()
        self.record = record

    @property
    def name(self) -> str:
        """The experiment's id."""
        return self.record.store.experiment_id

    @property
    def version(self) -> str:
        """The run's id."""
        return self.record.run_id

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """What Lightning has measured."""
        self.record.log_metrics(metrics, step or 0)

    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        """Nothing: `tracked_run` records the whole configuration."""


def write_pictures_and_mistakes(
    folder: Path, figures: Mapping[str, Figure], mistakes: list[dict[str, Any]]
) -> dict[str, str]:
    """Write figures under `figures/`, and mistakes into a table, where there are any; the tags that go with them."""
    for name, figure in figures.items():
        path = folder / "figures" / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        figure.savefig(path)
    if not mistakes:
        return {}
    pd.DataFrame(mistakes).to_json(folder / MISTAKES, orient="split", index=False)
    return {TABLES_TAG: json.dumps([{"path": MISTAKES, "type": "table"}])}


@contextmanager
def tracked_run(
    store: Store, config: RunConfig, identity: str, overrides: list[str], parent: str | None
) -> Iterator[RunRecord]:
    """Open a run, or resume the broken one of the same identity: under the same parent, or the one that
    `tracking.resume` names. End it FINISHED, or FAILED with its traceback.

    Nothing that the store does after that ends the run, or takes the place of the error that did.

    Args:
        identity: `RunConfig.identity`.
        overrides: what was said on the command line.
        parent: run id of the sweep.

    Raises:
        UserError: the store refuses the run; the one that is to be resumed is finished, is another, or does not exist.
    """
    with store_errors(store.uri, store.experiment, "EDIT"):
        resumed = config.tracking.resume
        begun = _run_to_resume(store, identity, resumed) if resumed else _broken_run(store, identity, parent)
        earlier = _earlier_curves(store, begun) if begun else {}
        run_id = begun or _new_run(store, config, identity, parent)
    outbox = Outbox(store, run_id)
    status = RunStatus.FAILED
    monitor = None
    try:
        outbox.text(yaml.safe_dump(masked_settings(config.settings()), sort_keys=False), CONFIGURATION)
        outbox.text(yaml.safe_dump([masked(override) for override in overrides]), OVERRIDES)
        if config.tracking.system_metrics:
            monitor = Monitor(outbox)
            monitor.start()
        record = RunRecord(outbox, earlier)
        try:
            yield record
        finally:
            if record.upload:
                record.upload.finish()
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
        with _only_reporting(run_id):
            outbox.text(masked(traceback.format_exc()), "traceback.txt")
            outbox.tags({ERROR_TAG: masked(f"{type(error).__name__}: {error}")[:500]})
        if mendable and mendable is not error:
            raise mendable from error
        raise
    finally:
        with _only_reporting(run_id):
            if monitor:
                monitor.finish()
        with _only_reporting(run_id):
            outbox.end(RunStatus.to_string(status))
            outbox.close()


@contextmanager
def _only_reporting(run_id: str) -> Iterator[None]:
    """Let no failure to report how a run ended take the place of what happened to it."""
    try:
        yield
    except Exception as error:
        log.warning("run %s: its end is not recorded (%s)", run_id, error)


def _earlier_curves(store: Store, run_id: str) -> dict[str, Curve]:
    """What a run had measured before it broke off."""
    names = [name for name in store.client.get_run(run_id).data.metrics if not name.startswith("system/")]
    return {name: curve_of(store, run_id, name) for name in names}


def finished_run(store: Store, identity: str, parent: str | None) -> str | None:
    """Id of a run of the same identity that this sweep has finished; None outside a sweep."""
    if parent is None:
        return None
    with store_errors(store.uri, store.experiment, "READ"):
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
        if no_answer(error):
            raise
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
    tags = {key: masked(value) for key, value in tags.items()}
    run_id = store.client.create_run(store.experiment_id, run_name=masked(name), tags=tags).info.run_id
    # Once, since MLflow refuses another value, and a run that is resumed may have other threads or folders.
    settings = _flatten(masked_settings(config.settings()))
    params = [Param(key, value[:LONGEST_PARAM]) for key, value in settings.items()]
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
