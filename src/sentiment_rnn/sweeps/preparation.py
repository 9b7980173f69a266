"""What a sweep or a single run needs before its first job: checked parts, data, a store, and the jobs that are left."""

import copy
import logging

from sentiment_rnn.config.run import RunConfig
from sentiment_rnn.engine.machine import check_device, check_parts, resolved
from sentiment_rnn.sweeps.plan import Plan
from sentiment_rnn.tasks.job import identity_of, job_of
from sentiment_rnn.tracking.checkpoints import LAST, place_of
from sentiment_rnn.tracking.store import Store, check_store, open_store
from sentiment_rnn.tracking.store_errors import store_errors
from sentiment_rnn.tracking.sweeps import OpenSweep, ended_runs

FEW_STEPS = 400
"""Training steps below which encoders were often near chance, on 300 texts of each of two kinds."""
log = logging.getLogger("sentiment_rnn")


def prepare(plan: Plan) -> tuple[Store, list[str]]:
    """Refuse what cannot run; make the token caches and the store that its runs need; set the numbers of epochs that
    the data decide; say what is to be known before.

    Returns:
        The store, and the identities that the runs have on this machine. On another machine `auto` may mean something
        else; a job lists the identity that its run has there.
    """
    configs = plan.configs
    for config in configs:
        check_parts(config)
        if plan.here:
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
        job.config = resolved(config) if plan.here else config
        identities.append(identity_of(job))
    return store, identities


def note_of_steps(config: RunConfig, batches: int) -> str:
    """A line where a run trains for few steps; empty where it does not, or is a trial.

    Args:
        batches: training batches of an epoch.
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
