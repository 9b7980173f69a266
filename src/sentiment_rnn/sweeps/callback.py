"""The Hydra callback: what happens before the first job of a sweep and after its last."""

import copy
import hashlib
import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from sentiment_rnn.config.loading import checked
from sentiment_rnn.config.messages import line_of, quoted
from sentiment_rnn.config.run import RunConfig
from sentiment_rnn.config.store import check_choice, encoder_names
from sentiment_rnn.engine.machine import check_device, check_parts, resolved
from sentiment_rnn.errors import UserError, refuse, unknown_key
from sentiment_rnn.masking import mask_file, masked
from sentiment_rnn.sweeps.launchers import check_devices, check_launcher, jobs_at_once, runs_here, trials_at_once
from sentiment_rnn.tasks.job import Job, identity_of, job_of
from sentiment_rnn.tracking.checkpoints import LAST
from sentiment_rnn.tracking.names import IDENTITY_TAG
from sentiment_rnn.tracking.results import FAILED, FINISHED, KILLED, ended_runs
from sentiment_rnn.tracking.store import Store, check_store, open_store
from sentiment_rnn.tracking.store_errors import line_of_store, store_errors
from sentiment_rnn.tracking.sweeps import OpenSweep

OF_SWEEPS = re.compile(r"hydra/(launcher|sweeper)=(?!basic$)")
"""Overrides that a single run would take without a word."""
NAMING_ENCODERS = ("optimizer.learning_rates", "optimizer.draws")
"""Dictionaries by the name of an encoder."""
SEED = re.compile(r"^\+*seed=")
SINGLE = "single"
"""Study of a run that names none."""
LONGEST_NAME = 200
SEARCH = "hydra_plugins.sentiment_rnn_sweepers.SearchSweeper"
GRID = "hydra_plugins.sentiment_rnn_sweepers.GridSweeper"
"""The sweeper in place of Hydra's own."""
FEW_STEPS = 400
"""Training steps below which encoders were often near chance, on 300 texts of each of two kinds."""
log = logging.getLogger("sentiment_rnn")


begun: list["SweepCallback"] = []
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
        with exit_on_user_error():
            if of_sweeps := [one for one in config.hydra.overrides.hydra if OF_SWEEPS.match(one)]:
                raise UserError(f"{of_sweeps[0]}: only a sweep has it; give -m")
            run = checked(config)
            check_encoder_keys(config, [run])
            if self.dry_run:
                from sentiment_rnn.sweeps.plan import show_plan  # it loads what shows tables

                show_plan(run.study, [run], [list(config.hydra.overrides.task)], here=True)
                raise SystemExit(0)
            prepare([run], here=True)

    def on_multirun_start(self, config: DictConfig, **_: object) -> None:
        """Check every job of the sweep, then open its parent run."""
        with exit_on_user_error():
            check_launcher(config.hydra.launcher)
            jobs, space, trials = plan_of(config)
            if not jobs:
                raise UserError("this sweep has no job; a range(…) or a glob(…) of it is empty")
            configs = job_configs(config, jobs)
            check_encoder_keys(config, configs)
            for one in configs:
                check_devices(config.hydra.launcher, one.trainer)
            here = runs_here(config.hydra.launcher)
            if self.dry_run and space:
                print(f"a search of {trials} trials, whose values are proposed as it goes; nothing is trained")
                raise SystemExit(0)
            if self.dry_run:
                from sentiment_rnn.sweeps.plan import show_plan  # as above

                show_plan(
                    name_of(config, configs[0].study),
                    configs,
                    jobs,
                    here,
                    jobs_at_once(config.hydra.launcher, len(jobs)),
                )
                raise SystemExit(0)
            store, data = prepare(configs, here)
            study = name_of(config, configs[0].study)
            begun.append(self)
            identities = identities_of(configs, data, here)
            if space:  # what other code or other data scored is no memory of this search
                self.parent = OpenSweep(store, study, [], trials, _digest([study, *space, *identities]))
                tell_jobs(config, study, trials_at_once(config.hydra.launcher, config.hydra.sweeper))
                return
            self.parent = OpenSweep(store, study, list(zip(identities, jobs, strict=True)))
            self.jobs = jobs_left(self.parent, identities, jobs)
            batch = min(config.hydra.sweeper.get("max_batch_size") or len(jobs), len(self.jobs))
            told = tell_jobs(config, study, jobs_at_once(config.hydra.launcher, batch))
            self.jobs = [[*job, *told] for job in self.jobs]

    def on_multirun_end(self, config: DictConfig, **_: object) -> None:
        """Every job went well: only then does Hydra call this."""
        self.close(FINISHED)

    def on_job_start(self, config: DictConfig, **_: object) -> None:
        """Take secrets out of what Hydra has written of the job."""
        folder = Path(config.hydra.runtime.output_dir)
        for path in (folder.parent / "multirun.yaml", *folder.glob(f"{config.hydra.output_subdir}/*.yaml")):
            mask_file(path)

    def close(self, status: str) -> None:
        """End the parent run, once, with one of MLflow's statuses."""
        if parent := self.parent:
            self.parent = None
            parent.close(status)


def close_sweeps(interrupted: bool) -> None:
    """End, as KILLED or FAILED, a sweep that broke off; called before Python ends, when MLflow can no longer read
    artifacts."""
    for callback in begun:
        callback.close(KILLED if interrupted else FAILED)


@contextmanager
def exit_on_user_error() -> Iterator[None]:
    """Leave with one line; Hydra turns any other exception of a callback into a warning and goes on."""
    try:
        yield
    except Exception as error:
        line = line_of(error) or line_of_store(error)
        if line is None:
            line = "the run could not be prepared"
            log.exception(line)
        raise SystemExit(f"error: {masked(line)}") from error


def check_encoder_keys(config: DictConfig, configs: list[RunConfig]) -> None:
    """Refuse a rate or a draw that the command line gives an encoder that nobody has, and warn of a key that
    no job's encoder has. A YAML file may name encoders of other folders and other sweeps.

    Args:
        config: as Hydra composed it.
        configs: of all jobs; one of them may have an encoder of another name than its file.
    """
    given = []
    for override in OverridesParser.create().parse_overrides(list(config.hydra.overrides.task)):
        section, _, name = override.key_or_group.rpartition(".")
        value = override.value()
        if section in NAMING_ENCODERS:
            given.append((section, name))
        elif override.key_or_group in NAMING_ENCODERS and isinstance(value, dict):
            given += [(override.key_or_group, str(name)) for name in value]
        elif section == "encoder" and value is not None and all(getattr(one.encoder, name) is None for one in configs):
            log.warning("encoder.%s: has no effect, since none of these encoders has it", name)
    if given:
        known = sorted({*encoder_names(), *(one.encoder.name for one in configs)})
        for section, name in given:
            if name not in known:
                raise UserError(unknown_key(f"{section}.{name}", known))


def prepare(configs: list[RunConfig], here: bool) -> tuple[Store, dict[str, Job]]:
    """Refuse what cannot run; make the token caches and the store that these runs need; set the numbers of epochs that
    the data decide; say what the sources note about the reviews.

    Args:
        here: whether they run on this machine; another one may have the GPU that this one lacks.

    Returns:
        The store, and a job that has read the data of each `data_key`.
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
    return open_store(configs[0].tracking, checked=True), jobs


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


def plan_of(config: DictConfig) -> tuple[list[list[str]], list[str], int]:
    """The overrides of the configurations to check: those of each job of a grid, or of examples of a search's space;
    that space, and its number of trials, empty and 0 of a grid."""
    if config.hydra.sweeper._target_ != SEARCH:
        return job_overrides(config), [], 0
    from sentiment_rnn.sweeps.search.space import parsed, space_of  # Optuna, which other sweeps do not need
    from sentiment_rnn.sweeps.search.sweep import settings_of

    settings = settings_of(config)
    loader = GlobalHydra.instance().config_loader()
    experiment = f"experiment={config.hydra.runtime.choices.get('experiment')}"
    experiments = {f"{key}={value}": experiment for key, value in settings.params.items()}
    space = space_of(parsed(settings.params, config.hydra.overrides.task, loader), experiments)
    return space.examples(), [*space.given, *space.fixed, f"{settings.sampler}, seed {settings.seed}"], settings.trials


def name_of(config: DictConfig, study: str) -> str:
    """A sweep's name: its study, or else its overrides, without signs that Hydra and MLflow read as their own; of long
    ones the beginning and a digest."""
    given = " ".join(config.hydra.overrides.task)
    if study != SINGLE or not given:
        return study
    name = masked(re.sub(r"['\"\\$]", "", given))
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}... {_digest([name])[:8]}"


def jobs_left(sweep: OpenSweep, identities: list[str], jobs: list[list[str]]) -> list[list[str]]:
    """The jobs of a sweep that have no finished run, each identity once."""
    store = sweep.store
    with store_errors(store.uri, store.experiment, "READ"):
        there = {run.data.tags[IDENTITY_TAG] for run in ended_runs(store, sweep.run)}
    for identity in there:  # left by a kill just before it was deleted
        (store.checkpoints / identity / LAST).unlink(missing_ok=True)
    if there:
        log.info("sweep %s: %d of %d runs are there", sweep.run.info.run_name, len(there), sweep.count)
    left = dict(zip(identities, jobs, strict=True))
    return [job for identity, job in left.items() if identity not in there]


def job_overrides(config: DictConfig) -> list[list[str]]:
    """The overrides of each job, as Hydra's own sweeper splits them."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

    hydra = config.hydra
    size = hydra.sweeper.get("max_batch_size")
    if size is not None and size < 1:
        refuse("hydra.sweeper.max_batch_size", size, "a number of at least 1")
    parameters = [f"{key}={value}" for key, value in (hydra.sweeper.get("params") or {}).items()]
    parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
    # Unresolved: what an override refers to, as in seed=${optimizer.draw}0, is that of its job.
    task: Any = OmegaConf.to_container(hydra.overrides.task, resolve=False)
    overrides = parser.parse_overrides([*parameters, *task])
    return [job for batch in BasicSweeper.split_arguments(overrides, None) for job in batch]


def tell_jobs(config: DictConfig, study: str, at_once: int) -> list[str]:
    """Overrides of every job, which set what the user has not. A job's configuration is composed where it runs, on
    another machine maybe, and its overrides are what each launcher takes there."""
    told = [f"study={quoted(study)}"] if study != config.study else []
    if at_once > 1 and OmegaConf.select(config, "trainer.jobs_at_once") is None:
        told += [f"trainer.jobs_at_once={at_once}"]
    with read_write(config), open_dict(config):
        config.hydra.overrides.task += told
        if config.hydra.sweeper._target_ != SEARCH:
            config.hydra.sweeper._target_ = GRID
    return told


def job_configs(config: DictConfig, jobs: list[list[str]]) -> list[RunConfig]:
    """The checked configuration of each job. Of jobs that differ in their seed alone, one is composed, which takes most
    of the time, and the seed is set in it."""
    loader, parser = GlobalHydra.instance().config_loader(), OverridesParser.create()
    composed: dict[tuple[str, ...], DictConfig] = {}
    configs = []
    for job in jobs:
        arm = tuple(override for override in job if not SEED.match(override))
        if arm not in composed:
            for override in arm:
                check_choice(override)  # of a YAML file's hydra.sweeper.params; the command line's were checked
            composed[arm] = loader.load_sweep_config(config, job)
        for given in filter(SEED.match, job):
            composed[arm].seed = parser.parse_override(given).value()  # the schema makes a number of it
        configs.append(checked(composed[arm]))
    return configs


def identities_of(configs: list[RunConfig], data: dict[str, Job], here: bool) -> list[str]:
    """The identities that the runs of these jobs have on this machine where they run `here`. On another machine `auto`
    may mean something else; a job lists the identity that its run has there."""
    identities = []
    for config in configs:
        job = copy.copy(data[config.data_key])
        job.config = resolved(config) if here else config
        identities.append(identity_of(job))
    return identities


def _digest(parts: list[str]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
