"""The Hydra callback: what happens before the first job of a sweep and after its last."""

import atexit
import hashlib
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pkgutil import resolve_name

from filelock import FileLock, Timeout
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from mlflow.entities import Run, RunStatus
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from sentiment_rnn import __version__, runtime
from sentiment_rnn.checks import UserError
from sentiment_rnn.config import Config, RunConfig, checked
from sentiment_rnn.data.corpus import load_corpus
from sentiment_rnn.data.datamodule import open_source
from sentiment_rnn.errors import describe
from sentiment_rnn.tracking.store import Store, open_store

log = logging.getLogger(__name__)

PARENT_VARIABLE = "SENTIMENT_RNN_PARENT_RUN"
"""Environment variable that tells a job, in whichever process it runs, its sweep's parent run."""
SWEEP_TAG = "sentiment_rnn.sweep"
"""Tag of a parent run: digest of what its jobs are."""


class SweepCallback(Callback):
    """Refuse what cannot run before anything starts; then make the store, the token cache and the parent run once,
    so that jobs side by side find them."""

    def __init__(self) -> None:
        self.store: Store | None = None
        self.parent: Run | None = None

    def on_run_start(self, config: DictConfig, **_: object) -> None:
        """Check a single run."""
        with exit_on_user_error():
            prepare([checked(config)])

    def on_multirun_start(self, config: DictConfig, **_: object) -> None:
        """Check every job of the sweep, then open (or take up) its parent run."""
        with exit_on_user_error():
            jobs = job_overrides(config)
            configs = job_configs(config, jobs)
            self.store = prepare(configs)
            digest = digest_of(configs)
            lock_sweep(self.store, configs[0].study, digest)
            self.parent = open_parent(self.store, configs[0], digest, jobs)
        os.environ[PARENT_VARIABLE] = self.parent.info.run_id
        # Hydra calls on_multirun_end only where every job went well.
        atexit.register(self.close, RunStatus.to_string(RunStatus.FAILED))

    def on_multirun_end(self, config: DictConfig, **_: object) -> None:
        """Every job went well."""
        self.close(RunStatus.to_string(RunStatus.FINISHED))

    def close(self, status: str) -> None:
        """End the parent run, once."""
        if self.store and self.parent:
            self.store.client.set_terminated(self.parent.info.run_id, status)
            log.info("sweep %s: %s, run %s", self.parent.info.run_name, status, self.parent.info.run_id)
            os.environ.pop(PARENT_VARIABLE, None)
            self.parent = None


@contextmanager
def exit_on_user_error() -> Iterator[None]:
    """Leave with one line; Hydra turns any other exception of a callback into a warning and goes on."""
    try:
        yield
    except (UserError, HydraException, OmegaConfBaseException) as error:
        raise SystemExit(f"error: {describe(error)}") from error
    except Exception as error:
        log.exception("the run could not be prepared")
        raise SystemExit(1) from error


def prepare(configs: list[RunConfig]) -> Store:
    """Refuse what this machine does not have; make the token caches and the store that these runs need."""
    for config in configs:
        check_machine(config)
    for data in {repr(c.data): c.data for c in configs if isinstance(c, Config)}.values():
        load_corpus(open_source(data), data)
    return open_store(configs[0].tracking)


def check_machine(config: RunConfig) -> None:
    """Raise `UserError` for a GPU that is not there, or a class that cannot be imported."""
    if config.trainer.accelerator == "gpu" and not runtime.on_gpu("gpu"):
        raise UserError("trainer.accelerator=gpu: no CUDA device here; choose trainer=cpu or trainer=auto")
    for section in ("encoder", "pooling", "optimizer") if isinstance(config, Config) else ("encoder", "optimizer"):
        target = getattr(config, section)._target_
        try:
            resolve_name(target)
        except (ImportError, AttributeError, ValueError) as error:
            raise UserError(f"{section}._target_={target}: cannot be imported ({error})") from error


def job_overrides(config: DictConfig) -> list[list[str]]:
    """The overrides of each job, as Hydra's own sweeper splits them."""
    hydra = config.hydra
    parameters = [f"{key}={value}" for key, value in (hydra.sweeper.get("params") or {}).items()]
    parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
    overrides = parser.parse_overrides(parameters + list(hydra.overrides.task))
    return [job for batch in BasicSweeper.split_arguments(overrides, None) for job in batch]


def job_configs(config: DictConfig, jobs: list[list[str]]) -> list[RunConfig]:
    """The checked configuration of each job."""
    loader = GlobalHydra.instance().config_loader()
    return [checked(loader.load_sweep_config(config, job)) for job in jobs]


def digest_of(configs: list[RunConfig]) -> str:
    """What a sweep is: the identities that its jobs have on this machine and with these data, so that another processor
    or another corpus makes another sweep."""
    data = {repr(c.data): c.data for c in configs if isinstance(c, Config)}
    digests = {key: load_corpus(open_source(found), found).digest for key, found in data.items()}
    identities = []
    for config in configs:
        accelerator = runtime.resolve_accelerator(config.trainer.accelerator)
        precision = runtime.resolve_precision(config.precision, accelerator)
        resolved = replace(config, precision=precision, trainer=replace(config.trainer, accelerator=accelerator))
        digest = digests[repr(config.data)] if isinstance(config, Config) else ""
        identities.append(resolved.identity(digest, __version__))
    return hashlib.sha256(json.dumps(identities).encode()).hexdigest()[:16]


def lock_sweep(store: Store, study: str, digest: str) -> None:
    """Keep a second process on this machine from taking up a sweep that is running; the system releases the lock
    when this process ends, however it ends."""
    lock = FileLock(store.directory / f".sweep-{digest}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise UserError(f"study={study}: this very sweep is running; wait for it, or name another study") from error
    atexit.register(lock.release)  # and keeps it until then; the callback cannot, since jobs get a copy of it


def open_parent(store: Store, config: RunConfig, digest: str, jobs: list[list[str]]) -> Run:
    """The sweep's parent run: the last one of the same jobs where it did not finish or is not to be repeated, else a
    new one."""
    study = config.study
    earlier = store.client.search_runs(
        [store.experiment_id], f"tags.`{SWEEP_TAG}` = '{digest}'", order_by=["start_time DESC"], max_results=1
    )
    finished = bool(earlier) and earlier[0].info.status == RunStatus.to_string(RunStatus.FINISHED)
    if earlier and not (finished and config.tracking.repeat):
        store.client.update_run(earlier[0].info.run_id, status=RunStatus.to_string(RunStatus.RUNNING))
        log.info("sweep %s: %s", study, "finished before, and not repeated" if finished else "taken up again")
        return earlier[0]
    tags = {SWEEP_TAG: digest, "sentiment_rnn.study": study, "mlflow.note.content": f"{len(jobs)} runs"}
    parent = store.client.create_run(store.experiment_id, run_name=study, tags=tags)
    store.client.log_dict(parent.info.run_id, {"jobs": jobs}, "sweep.yaml")
    return parent
