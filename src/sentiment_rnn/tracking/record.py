"""What one run records in MLflow, from its first step to its test."""

import json
import logging
import tempfile
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from lightning.pytorch.loggers import Logger
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import RunStatus

from sentiment_rnn.config.run import RunConfig
from sentiment_rnn.errors import UserError
from sentiment_rnn.inference.predictions import Predictions
from sentiment_rnn.masking import masked, masked_settings
from sentiment_rnn.tracking.answers import store_errors
from sentiment_rnn.tracking.checkpoint_files import LAST, PREVIOUS, CheckpointFiles, folder_of
from sentiment_rnn.tracking.claims import DivergedError, PrunedError, claim_run
from sentiment_rnn.tracking.lease import Lease
from sentiment_rnn.tracking.monitor import Monitor
from sentiment_rnn.tracking.names import (
    CHECKPOINT_TAG,
    CONFIGURATION,
    DIVERGED_TAG,
    ERROR_TAG,
    GRADIENTS,
    MISTAKES,
    OVERRIDES,
    PREDICTIONS,
    PRUNED_TAG,
    TRACEBACK,
    WRITER_TAG,
)
from sentiment_rnn.tracking.outbox import Outbox, milliseconds
from sentiment_rnn.tracking.remote_checkpoints import Upload
from sentiment_rnn.tracking.results import Curve
from sentiment_rnn.tracking.store import Store, storage_fault

if TYPE_CHECKING:
    from matplotlib.figure import Figure

log = logging.getLogger(__name__)

TABLES_TAG = "mlflow.loggedArtifacts"
"""By which MLflow's pages know an artifact as a table."""


class RunRecord:
    """A run in the store, open until `tracked_run` ends it. All that it records goes through its outbox."""

    def __init__(
        self,
        store: Store,
        run_id: str,
        outbox: Outbox | None = None,
        lease: Lease | None = None,
        earlier: Mapping[str, Curve] | None = None,
        overrides: Sequence[str] = (),
    ) -> None:
        self.store = store
        self.run_id = run_id
        self.lease = lease
        """The right to write it; none for a run that has finished."""
        self.overrides = overrides
        """What was said on the command line."""
        self.checkpoints = folder_of(store, run_id)
        self.upload = Upload(store, run_id) if lease and store.keeps_checkpoints else None
        self._outbox = outbox
        self._points: dict[str, dict[int, float]] = {
            name: dict(zip(*curve, strict=True)) for name, curve in (earlier or {}).items()
        }

    @property
    def finished(self) -> bool:
        """Whether the run was finished before; then it is not to be trained."""
        return self.lease is None

    @property
    def outbox(self) -> Outbox:
        """The way of what it records; raises `UserError` where another process has taken the run over."""
        assert self._outbox
        if self.lease:
            self.lease.check()
        return self._outbox

    def logger(self) -> "RunLogger":
        """Where Lightning writes its metrics."""
        return RunLogger(self)

    def checkpoint_files(self) -> CheckpointFiles:
        """How Lightning writes checkpoints: what was measured up to one is in the store before."""
        return CheckpointFiles(lambda: self.outbox.flush(), self.upload.add if self.upload else None)

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

    def log_checkpoints(self, tested: str, keeps_last: bool = True) -> None:
        """Checkpoints by reference: they stay where they are."""
        last = {"last": str(self.checkpoints / LAST)} if keeps_last else {}
        self.log_text(yaml.safe_dump({"tested": tested, **last}), "checkpoints.yaml")
        self.outbox.tags({CHECKPOINT_TAG: tested})

    def log_gradients(self, before: np.ndarray, after: np.ndarray) -> None:
        """‖∂L/∂x‖ by steps back from the end, at the start and after training."""
        rows = ["step_back,before,after"]
        rows += [f"{d},{b:.6g},{a:.6g}" for d, (b, a) in enumerate(zip(before, after, strict=True))]
        self.log_text("\n".join(rows) + "\n", GRADIENTS)

    def log_predictions(self, predictions: Predictions) -> None:
        """What the model says of every test review."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, PREDICTIONS)
            path.parent.mkdir()
            predictions.save(path)
            self.outbox.artifact(Path(folder))

    def log_pictures(self, figures: Mapping[str, "Figure"], mistakes: list[dict[str, Any]]) -> None:
        """Figures by their name, and the most confident mistakes."""
        with tempfile.TemporaryDirectory() as folder:
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
    folder: Path, figures: Mapping[str, "Figure"], mistakes: list[dict[str, Any]]
) -> dict[str, str]:
    """Write figures under `figures/`, and mistakes into a table, where there are any; the tags that go with them."""
    for name, figure in figures.items():
        path = folder / "figures" / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        figure.savefig(path)
    if not mistakes:
        return {}
    import pandas as pd

    pd.DataFrame(mistakes).to_json(folder / MISTAKES, orient="split", index=False)
    return {TABLES_TAG: json.dumps([{"path": MISTAKES, "type": "table"}])}


@contextmanager
def tracked_run(store: Store, config: RunConfig, identity: str, overrides: list[str]) -> Iterator[RunRecord]:
    """Open a run, or resume the broken one of the same identity: of the same sweep, or the one that `tracking.resume`
    names. No other process writes it until it ends: FINISHED, or FAILED with its traceback.

    A job of a sweep first waits where another process trains the same. A run that has finished, or stands in for it, is
    given as it is, `RunRecord.finished`, and is not to be trained.

    Nothing that the store does after that ends the run, or takes the place of the error that did.

    Args:
        identity: `RunConfig.identity`.
        overrides: what was said on the command line.

    Raises:
        UserError: the store refuses the run; the one that is to be resumed is finished, is another, does not exist, or
            is being trained; or there is no such sweep.
        PrunedError: a search ended the run early, now or before.
        DivergedError: its loss became no number, now or before.
    """
    with store_errors(store.uri, store.experiment, "EDIT"), ExitStack() as undone:
        claim = claim_run(store, config, identity, overrides)
        run_id, lease = claim.run_id, claim.lease
        if lease:
            undone.enter_context(lease)
            store.client.update_run(run_id, status=RunStatus.to_string(RunStatus.RUNNING))
            store.client.set_tag(run_id, WRITER_TAG, str(lease.own))
            outbox = Outbox(store, run_id)
            undone.pop_all()
    if lease is None:
        yield RunRecord(store, run_id)
        return
    status, monitor, fault, trace = RunStatus.FAILED, None, None, ""
    why: dict[str, str] = {}
    try:
        outbox.text(yaml.safe_dump(masked_settings(config.settings()), sort_keys=False), CONFIGURATION)
        outbox.text(yaml.safe_dump([masked(override) for override in overrides]), OVERRIDES)
        if config.tracking.system_metrics:
            monitor = Monitor(outbox)
            monitor.start()
        record = RunRecord(store, run_id, outbox, lease, claim.earlier, overrides)
        try:
            yield record
        finally:
            if record.upload:
                record.upload.finish()
        lease.check()
        (record.checkpoints / PREVIOUS).unlink(missing_ok=True)  # a finished run does not resume
        status = RunStatus.FINISHED
    except (KeyboardInterrupt, SystemExit) as error:
        status = RunStatus.KILLED
        if config.tracking.parent is None:
            log.info("run %s was interrupted; the same command with tracking.resume=%s resumes it", run_id, run_id)
        if isinstance(error.__context__, KeyboardInterrupt):  # Lightning turns Ctrl-C into SystemExit
            raise error.__context__ from None
        raise  # a scheduler's, which stops the process to start it again
    except PrunedError as error:
        status = RunStatus.KILLED
        outbox.tags({PRUNED_TAG: str(error)})
        log.info("run %s: pruned %s", run_id, error)
        raise
    except BaseException as error:
        fault = storage_fault(store, error)
        mendable = error if isinstance(error, UserError) else fault
        if mendable:
            log.error("run %s failed: %s", run_id, mendable)
        else:
            log.exception("run %s failed", run_id)
        trace = masked(traceback.format_exc())
        why = {ERROR_TAG: masked(f"{type(error).__name__}: {error}")[:500]}
        why |= {DIVERGED_TAG: str(error)} if isinstance(error, DivergedError) else {}
        if mendable and mendable is not error:
            raise mendable from error
        raise
    finally:
        with lease, _only_reporting(store, run_id, fault):
            if monitor:
                monitor.finish()
            if lease.taken_over:
                outbox.drop_metrics()
            else:
                if why:
                    outbox.tags(why)
                    outbox.text(trace, TRACEBACK)
                outbox.end(RunStatus.to_string(status))
            outbox.close()
            if status == RunStatus.FINISHED and not config.tracking.records_all:
                (record.checkpoints / LAST).unlink(missing_ok=True)  # only now: until here the run would resume


@contextmanager
def _only_reporting(store: Store, run_id: str, fault: UserError | None) -> Iterator[None]:
    """Let no failure to report how a run ended take the place of what happened to it, nor a full disk be said twice.

    Args:
        fault: of the disk, where that is what ended the run.
    """
    try:
        yield
    except Exception as error:
        if not (fault and storage_fault(store, error)):
            log.warning("run %s: its end is not recorded (%s)", run_id, error)
