"""The Hydra callback: what happens before the first job of a sweep and after its last."""

import copy
import logging
import re

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from sentiment_rnn.config.loading import checked
from sentiment_rnn.config.run import RunConfig
from sentiment_rnn.engine.machine import check_device, check_parts, resolved
from sentiment_rnn.errors import UserError
from sentiment_rnn.sweeps.plan import Plan, check_encoder_keys, digest_of, plan_of, set_for_jobs, show_plan
from sentiment_rnn.tasks.job import identity_of, job_of
from sentiment_rnn.tracking.checkpoints import LAST, place_of
from sentiment_rnn.tracking.results import FAILED, FINISHED, KILLED
from sentiment_rnn.tracking.store import Store, check_store, open_store
from sentiment_rnn.tracking.store_errors import store_errors
from sentiment_rnn.tracking.sweeps import OpenSweep, ended_runs

OF_SWEEPS = re.compile(r"hydra/(launcher|sweeper)=(?!basic$)")
"""Overrides that a single run would take without a word."""
FEW_STEPS = 400
"""Training steps below which encoders were often near chance, on 300 texts of each of two kinds."""
log = logging.getLogger("sentiment_rnn")


active: list["SweepCallback"] = []
"""Callback of the sweep that this process works on; `close_sweeps` ends it where Hydra does not."""


class SweepCallback(Callback):
    """Refuse what cannot run before anything starts; then make the store, the token cache and the parent run once, so
    that jobs side by side find them. Jobs whose run has finished are not launched."""

    def __init__(self, dry_run: bool = False) -> None:
        self.dry_run = dry_run
        """Whether to show what would be trained, and to train nothing."""
        self.parent: OpenSweep | None = None
        self.jobs: list[list[str]] = []
        """The overrides of the jobs that a grid starts."""

    def __reduce__(self) -> tuple[type["SweepCallback"], tuple[()]]:
        """A job in another process gets a new one, which opens and ends nothing."""
        return SweepCallback, ()

    def on_run_start(self, config: DictConfig, **_: object) -> None:
        """Check a single run."""
        if of_sweeps := [override for override in config.hydra.overrides.hydra if OF_SWEEPS.match(override)]:
            raise UserError(f"{of_sweeps[0]}: only a sweep has it; give -m")
        run = checked(config)
        check_encoder_keys(config, [run])
        self._started(Plan(run.study, [list(config.hydra.overrides.task)], [run]))

    def on_multirun_start(self, config: DictConfig, **_: object) -> None:
        """Check every job of the sweep, then open its parent run."""
        plan = plan_of(config)
        store, identities = self._started(plan)
        active.append(self)
        if plan.space:  # what other code or other data scored is no memory of this search
            search = digest_of([plan.study, *plan.space, *identities])
            self.parent = OpenSweep(store, plan.study, [], plan.trials, search)
            set_for_jobs(config, plan.study, plan.at_once)
            return
        self.parent = OpenSweep(store, plan.study, list(zip(identities, plan.jobs, strict=True)))
        left = jobs_left(self.parent)
        batch = min(config.hydra.sweeper.get("max_batch_size") or len(left), len(left))
        added = set_for_jobs(config, plan.study, min(plan.at_once, batch))
        self.jobs = [[*job, *added] for job in left]

    def _started(self, plan: Plan) -> tuple[Store, list[str]]:
        """Show a plan, if that is all that is wanted; else `prepare` it."""
        if self.dry_run:
            show_plan(plan)
            raise SystemExit(0)
        return prepare(plan.configs, plan.here)

    def on_multirun_end(self, config: DictConfig, **_: object) -> None:
        """Every job went well: only then does Hydra call this."""
        self.close(FINISHED)

    def close(self, status: str) -> None:
        """End the parent run, once, with one of MLflow's statuses."""
        if parent := self.parent:
            self.parent = None
            parent.close(status)


def close_sweeps(interrupted: bool) -> None:
    """End, as KILLED or FAILED, a sweep that broke off; called before Python ends, when MLflow can no longer read
    artifacts."""
    for callback in active:
        callback.close(KILLED if interrupted else FAILED)


def prepare(configs: list[RunConfig], here: bool) -> tuple[Store, list[str]]:
    """Refuse what cannot run; make the token caches and the store that these runs need; set the numbers of epochs that
    the data decide; say what is to be known before.

    Args:
        here: whether they run on this machine; another one may have the GPU that this one lacks.

    Returns:
        The store, and the identities that the runs have on this machine. On another machine `auto` may mean something
        else; a job lists the identity that its run has there.
    """
    for config in configs:
        check_parts(config)
        if here:
            check_device(config)
    for tracking in {config.tracking.uri: config.tracking for config in configs}.values():
        check_store(tracking)  # before data that take minutes
    jobs = {}
    for config in configs:
        job = job_of(config)  # which may settle what the key is of
        jobs[config.data_key] = job
    for job in jobs.values():
        for note in job.data.notes:
            log.info("%s", note)
    for note in dict.fromkeys(note_of_steps(config, jobs[config.data_key].batches) for config in configs):
        if note:
            log.warning("%s", note)
    for note in dict.fromkeys(map(note_of_rate, configs)):
        if note:
            log.info("%s", note)
    store = open_store(configs[0].tracking, checked=True)
    if left := [path.parent for path in store.checkpoints.glob(f"*/{LAST}") if not place_of(path.parent)]:
        folders = ", ".join(folder.name for folder in left)
        log.warning("%s: half-trained runs of an earlier version train anew; delete %s", store.checkpoints, folders)
    identities = []
    for config in configs:
        job = copy.copy(jobs[config.data_key])
        job.config = resolved(config) if here else config
        identities.append(identity_of(job))
    return store, identities


def note_of_steps(config: RunConfig, batches: int) -> str:
    """A line where a run trains for few steps; empty where it does not, or is a trial.

    Args:
        batches: training batches of an epoch, on all devices together.
    """
    steps = config.settle_epochs(batches)
    if steps >= FEW_STEPS or config.trainer.trial:
        return ""
    epochs = config.trainer.epochs or 0
    enough = -(-FEW_STEPS * epochs // steps)
    return (
        f"trainer.epochs={epochs}: makes {steps} training steps, and with fewer than {FEW_STEPS} encoders often stay "
        f"near chance; give trainer.epochs={enough} or more"
    )


def note_of_rate(config: RunConfig) -> str:
    """A line where an experiment has chosen learning rates, and none for this encoder; else empty."""
    rates = config.optimizer
    chosen = rates.draw is not None or config.encoder.name in rates.learning_rates
    if not (rates.learning_rates or rates.draws) or chosen or rates.learning_rate != rates.default_learning_rate:
        return ""
    return (
        f"optimizer.learning_rate: this experiment has chosen none for {config.encoder.name}; the default, "
        f"{rates.learning_rate:g}, is used"
    )


def jobs_left(sweep: OpenSweep) -> list[list[str]]:
    """The overrides of the jobs of a sweep that have no finished run, each identity once."""
    store = sweep.store
    with store_errors(store.uri, store.experiment, "READ"):
        finished = {run.identity for run in ended_runs(store, sweep.run)}
    for identity in finished:  # left by a kill just before it was deleted
        (store.checkpoints / identity / LAST).unlink(missing_ok=True)
    if finished:
        log.info("sweep %s: %d of %d runs are there", sweep.run.info.run_name, len(finished), sweep.count)
    return [[*job] for identity, job in dict(sweep.jobs).items() if identity not in finished]
