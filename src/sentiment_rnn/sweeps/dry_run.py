"""What `train --dry-run` says: which runs are there, which would resume, which would train, and about how long."""

from dataclasses import dataclass

from sentiment_rnn.config.loading import source_of
from sentiment_rnn.config.run import ARM, RunConfig
from sentiment_rnn.engine.machine import resolved
from sentiment_rnn.errors import UserError
from sentiment_rnn.masking import masked
from sentiment_rnn.report.tables import Table, new_console, show
from sentiment_rnn.sweeps.plan import Plan
from sentiment_rnn.tasks.job import identity_of, job_of
from sentiment_rnn.tracking.checkpoints import LAST, load_checkpoint
from sentiment_rnn.tracking.names import EPOCH_SECONDS, STUDY_TAG
from sentiment_rnn.tracking.results import runs_of
from sentiment_rnn.tracking.store import Store, existing_store

FEW = 3
"""Runs of an arm whose times are read."""


@dataclass(frozen=True)
class PlannedJob:
    """One job of a sweep, or a single run."""

    overrides: str
    state: str
    """`finished`, `diverged`, `resumes after epoch 2 of 4`, `trains 4 epochs`, or what is missing."""
    seconds: float | None
    """About how long it takes; None where no run of its arm is there to tell."""

    @property
    def trains(self) -> bool:
        """Whether there is something to train."""
        return self.state.startswith(("resumes", "trains"))


def show_plan(plan: Plan) -> None:
    """Print the table of jobs. Nothing is trained, and no run is made."""
    if plan.space:
        print(f"a search of {plan.trials} trials, whose values are proposed as it goes; nothing is trained")
        return
    try:
        store = existing_store(plan.configs[0].tracking)
    except UserError:  # the first run makes it
        store = None
    shared = set.intersection(*map(set, plan.jobs)) if len(plan.jobs) > 1 else set()
    planned = [
        _planned(store, plan, config, " ".join(override for override in job if override not in shared))
        for config, job in zip(plan.configs, plan.jobs, strict=True)
    ]
    rows = [
        (str(number), job.overrides, job.state, _time(job.seconds) if job.trains else "")
        for number, job in enumerate(planned)
    ]
    console = new_console()
    show(console, Table("Nothing is trained: a plan", ("job", "overrides", "state", "about"), rows))
    training = [job for job in planned if job.trains]
    known = [job.seconds for job in training if job.seconds is not None]
    line = f"{len(training)} of {len(planned)} jobs would train"
    if known:
        part = "" if len(known) == len(training) else f" {len(known)} of them"
        line += f",{part} in about {_time(sum(known) / min(plan.at_once, len(known)))}"
    elif training:
        line += "; no run of their arms is there to tell how long"
    console.print(line, soft_wrap=True)


def _planned(store: Store | None, plan: Plan, config: RunConfig, overrides: str) -> PlannedJob:
    try:
        source = source_of(config.data) if hasattr(config, "data") else None
        if missing := getattr(source, "missing", ""):
            return PlannedJob(overrides, missing, None)
        job = job_of(config)
        job.config = resolved(config) if plan.here else config
        job.config.settle_epochs(job.batches)
        identity = identity_of(job)
    except UserError as error:
        return PlannedJob(overrides, str(error), None)
    epochs = job.config.trainer.epochs or 0
    if store is None:
        return PlannedJob(overrides, f"trains {epochs} epochs", None)
    runs = runs_of(store, [identity])
    if runs and runs[0].finished:
        return PlannedJob(overrides, "finished", None)
    if any(run.diverged for run in runs if run.tags.get(STUDY_TAG) == masked(plan.study)):
        return PlannedJob(overrides, "diverged", None)
    done, state = _epochs_done(store, identity), f"trains {epochs} epochs"
    if done is not None:
        state = f"resumes after epoch {done} of {epochs}"
    return PlannedJob(overrides, state, _seconds(store, identity, epochs, done or 0))


def _epochs_done(store: Store, identity: str) -> int | None:
    """Whole epochs in the checkpoint from which a run resumes; None where there is none."""
    try:
        loops = load_checkpoint(store.checkpoints / identity / LAST)["loops"]
        return int(loops["fit_loop"]["epoch_progress"]["current"]["processed"])
    except (UserError, OSError, LookupError, TypeError):
        return None


def _seconds(store: Store, identity: str, epochs: int, done: int) -> float | None:
    """About how long the rest of a run takes, by finished runs that differ in their seed alone: their epochs, and what
    they took beside them."""
    runs = runs_of(store, [f"{identity[:ARM]}%"], finished=True)[-FEW:]
    if not runs:
        return None
    curves = [run.curve(EPOCH_SECONDS)[1] for run in runs]
    usual = min(epochs, round(sum(map(len, curves)) / len(curves)))  # fewer where training stops early
    seconds = min(sum(curve) / max(1, len(curve)) for curve in curves)
    totals = [(run.updated - run.run.info.start_time) / 1000 for run in runs]
    beside = min(max(0.0, total - sum(curve)) for total, curve in zip(totals, curves, strict=True))
    return max(0, usual - done) * seconds + beside


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
