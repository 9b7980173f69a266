"""Prepares a sweep or a single run: checks its parts, makes data and store, and finds the jobs that are left. With
`--dry-run` it only shows a table of the jobs."""

import copy
import logging
from typing import NamedTuple

from sentiment_rnn.config.loading import source_of
from sentiment_rnn.config.run import ARM, RunConfig, TextConfig
from sentiment_rnn.engine.machine import check_device, check_parts, resolved
from sentiment_rnn.errors import UserError
from sentiment_rnn.sweeps.plan import Plan
from sentiment_rnn.tasks.job import Job, identity_of, job_of
from sentiment_rnn.tracking.checkpoints import LAST, load_checkpoint
from sentiment_rnn.tracking.names import EPOCH_SECONDS, IDENTITY_TAG, STUDY_TAG
from sentiment_rnn.tracking.results import IS_FINISHED, runs_of, search
from sentiment_rnn.tracking.store import Store, check_store, existing_store, open_store
from sentiment_rnn.tracking.store_errors import store_errors
from sentiment_rnn.tracking.sweeps import OpenSweep, ended_runs

FEW_STEPS = 400
"""Number of training steps below which encoders were often near chance, tried on 300 texts of each of two kinds."""
log = logging.getLogger("sentiment_rnn")


def prepare(plan: Plan) -> tuple[Store, list[str]]:
    """Refuse jobs that cannot run; make the token caches and the store; set the numbers of epochs that depend on the
    data; log remarks on the data and the settings.

    Returns:
        The store, and the identities that the runs have on this machine. On another machine `auto` may mean something
        else; a job there lists the identity of its run itself.
    """
    configs = plan.configs
    for config in configs:
        check_parts(config)
        if plan.here:
            check_device(config)
    for tracking in {config.tracking.uri: config.tracking for config in configs}.values():
        check_store(tracking)  # before the data, which may take minutes
    jobs = {}
    for config in configs:
        job = job_of(config)  # it may settle settings on which the key depends
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
    return store, [_identity(plan, config, jobs[config.data_key]) for config in configs]


def _identity(plan: Plan, config: RunConfig, job: Job) -> str:
    """The identity of a run on this machine. `job` is that of any run that reads the same data."""
    own = copy.copy(job)
    own.config = resolved(config) if plan.here else config
    return identity_of(own)


def note_of_steps(config: RunConfig, batches: int) -> str:
    """A warning if a run trains for few steps; else, and for a trial, empty.

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
    """A remark if an experiment has chosen learning rates, but none for this encoder; else empty."""
    rates = config.optimizer
    chosen = rates.draw is not None or config.encoder.name in rates.learning_rates
    if not (rates.learning_rates or rates.draws) or chosen or rates.learning_rate != rates.default_learning_rate:
        return ""
    return (
        f"optimizer.learning_rate: this experiment has chosen none for {config.encoder.name}; the default, "
        f"{rates.learning_rate:g}, is used"
    )


def jobs_left(sweep: OpenSweep) -> list[list[str]]:
    """The overrides of the jobs of a sweep without a finished run; each identity occurs once."""
    store = sweep.store
    with store_errors(store.uri, store.experiment, "READ"):
        finished = {run.identity for run in ended_runs(store, sweep.run)}
    for identity in finished:  # a kill may have come just before a checkpoint was deleted
        (store.checkpoints / identity / LAST).unlink(missing_ok=True)
    if finished:
        log.info("sweep %s: %d of %d runs are there", sweep.run.info.run_name, len(finished), sweep.count)
    return [[*job] for identity, job in dict(sweep.jobs).items() if identity not in finished]


FEW = 3
"""How many runs of an arm are read to estimate its time."""


class Planned(NamedTuple):
    """What a command would do with one job of a sweep, or with a single run."""

    state: str
    """`finished`, `diverged`, `resumes after epoch 2 of 4`, `trains 4 epochs`, or what is missing."""
    seconds: float | None = None
    """About how many seconds it takes; None if no run of its arm has finished."""

    @property
    def trains(self) -> bool:
        """Whether there is something to train."""
        return self.state.startswith(("resumes", "trains"))


def show_plan(plan: Plan) -> None:
    """Print the table of jobs. Nothing is trained, downloaded or made."""
    if plan.search:
        print(f"a search of {plan.search.trials} trials, whose values are proposed as it goes; nothing is trained")
        return
    try:
        store = existing_store(plan.configs[0].tracking)
    except UserError:  # there is no store yet; the first run makes it
        store = None
    shared = set.intersection(*map(set, plan.jobs)) if len(plan.jobs) > 1 else set()
    jobs = [_planned(plan, config, store) for config in plan.configs]
    rows = [
        (str(number), " ".join(override for override in overrides if override not in shared), job.state, _time(job))
        for number, (overrides, job) in enumerate(zip(plan.jobs, jobs, strict=True))
    ]
    from sentiment_rnn.report.tables import Table, new_console, show  # here, since runs do not need it

    console = new_console()
    show(console, Table("Nothing is trained: a plan", ("job", "overrides", "state", "about"), rows))
    training = [job for job in jobs if job.trains]
    known = [job.seconds for job in training if job.seconds is not None]
    line = f"{len(training)} of {len(jobs)} jobs would train"
    if known:
        part = "" if len(known) == len(training) else f" {len(known)} of them"
        line += f",{part} in about {as_time(sum(known) / min(plan.at_once, len(known)))}"
    elif training:
        line += "; no run of their arms is there to tell how long"
    console.print(line, soft_wrap=True)


def _planned(plan: Plan, config: RunConfig, store: Store | None) -> Planned:
    try:
        source = source_of(config.data) if isinstance(config, TextConfig) else None
        if missing := getattr(source, "missing", ""):
            return Planned(str(missing))
        job = job_of(config)
        config.settle_epochs(job.batches)
        identity = _identity(plan, config, job)
    except UserError as error:
        return Planned(str(error))
    epochs = config.trainer.epochs or 0
    if store is None:
        return Planned(f"trains {epochs} epochs")
    runs = runs_of(store, [identity])
    if runs and runs[0].finished:
        return Planned("finished")
    if any(run.diverged for run in runs if run.tags.get(STUDY_TAG) == plan.study):
        return Planned("diverged")
    try:
        loops = load_checkpoint(store.checkpoints / identity / LAST)["loops"]
        done = int(loops["fit_loop"]["epoch_progress"]["current"]["processed"])
    except (UserError, OSError, LookupError, TypeError):
        return Planned(f"trains {epochs} epochs", _seconds(store, identity, epochs))
    return Planned(f"resumes after epoch {done} of {epochs}", _seconds(store, identity, epochs, done))


def _seconds(store: Store, identity: str, epochs: int, done: int = 0) -> float | None:
    """About how many seconds the rest of a run takes: time per epoch and time outside of epochs, from finished runs
    that differ only in their seed."""
    runs = search(store, f"tags.`{IDENTITY_TAG}` LIKE '{identity[:ARM]}%' and {IS_FINISHED}")[-FEW:]
    if not runs:
        return None
    curves = [run.curve(EPOCH_SECONDS)[1] for run in runs]
    usual = min(epochs, round(sum(map(len, curves)) / len(curves)))  # fewer than `epochs` if runs stopped early
    seconds = min(sum(curve) / max(1, len(curve)) for curve in curves)
    totals = [(run.updated - run.run.info.start_time) / 1000 for run in runs]
    beside = min(max(0.0, total - sum(curve)) for total, curve in zip(totals, curves, strict=True))
    return max(0, usual - done) * seconds + beside


def _time(job: Planned) -> str:
    if not job.trains:
        return ""
    return "?" if job.seconds is None else as_time(job.seconds)


def as_time(seconds: float) -> str:
    """`40 s`, `5 min` or `3.0 h`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
