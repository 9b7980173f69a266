"""What a command asks for: the jobs of a sweep, where they run and how many at once; refused where they cannot run."""

import hashlib
import json
import logging
import re
import shutil
from dataclasses import dataclass
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from sentiment_rnn import runtime
from sentiment_rnn.config.loading import checked, plain, source_of
from sentiment_rnn.config.messages import quoted
from sentiment_rnn.config.run import ARM, RunConfig
from sentiment_rnn.config.schema import validated
from sentiment_rnn.config.sections import SearchConfig
from sentiment_rnn.config.store import check_choice, encoder_names
from sentiment_rnn.engine.machine import resolved
from sentiment_rnn.errors import UserError, refuse, unknown_key
from sentiment_rnn.tasks.job import identity_of, job_of
from sentiment_rnn.tracking.checkpoints import LAST, load_checkpoint
from sentiment_rnn.tracking.names import EPOCH_SECONDS, STUDY_TAG
from sentiment_rnn.tracking.results import runs_of
from sentiment_rnn.tracking.store import Store, existing_store

NAMING_ENCODERS = ("optimizer.learning_rates", "optimizer.draws")
"""Dictionaries by the name of an encoder."""
SEED = re.compile(r"^\+*seed=")
SINGLE = "single"
"""Study of a run that names none."""
LONGEST_NAME = 200
SEARCH = "hydra_plugins.sentiment_rnn_sweepers.SearchSweeper"
GRID = "hydra_plugins.sentiment_rnn_sweepers.GridSweeper"
"""The sweeper in place of Hydra's own."""
BASIC = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"
JOBLIB = "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher"
PROCESSES = "hydra_plugins.hydra_submitit_launcher.submitit_launcher.LocalLauncher"
SLURM = "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher"
log = logging.getLogger("sentiment_rnn")


@dataclass(frozen=True)
class Plan:
    """The jobs of a sweep, checked before anything is read or made."""

    study: str
    """The sweep's name."""
    jobs: list[list[str]]
    """The overrides of each job of a grid, or of examples of a search's space."""
    configs: list[RunConfig]
    """The checked configuration of each."""
    here: bool = True
    """Whether they run on this machine; another one may have the GPU that this one lacks."""
    at_once: int = 1
    """How many of them run side by side."""
    space: tuple[str, ...] = ()
    """What a search varies, keeps and draws with; empty for a grid."""
    trials: int = 0
    """How many runs a search is to have."""


def plan_of(config: DictConfig) -> Plan:
    """The plan of a sweep, from its configuration as Hydra composed it.

    Raises:
        UserError: a job has a wrong setting, or cannot be launched so.
    """
    launcher = config.hydra.launcher
    check_launcher(launcher)
    space: tuple[str, ...] = ()
    trials = 0
    if config.hydra.sweeper._target_ == SEARCH:
        from sentiment_rnn.sweeps.space import parsed, space_of  # Optuna, which other sweeps do not need

        settings = settings_of(config)
        loader = GlobalHydra.instance().config_loader()
        experiment = f"experiment={config.hydra.runtime.choices.get('experiment')}"
        experiments = {f"{key}={value}": experiment for key, value in settings.params.items()}
        searched = space_of(parsed(settings.params, config.hydra.overrides.task, loader), experiments)
        space = (*searched.given, *searched.fixed, f"{settings.sampler}, seed {settings.seed}")
        jobs, trials = searched.examples(), settings.trials
    else:
        jobs = job_overrides(config)
    if not jobs:
        raise UserError("this sweep has no job; a range(…) or a glob(…) of it is empty")
    configs = job_configs(config, jobs)
    check_encoder_keys(config, configs)
    batch = min(len(jobs), config.hydra.sweeper.get("max_batch_size") or len(jobs))
    at_once = trials_at_once(launcher, settings) if space else jobs_at_once(launcher, batch)
    return Plan(name_of(config, configs[0].study), jobs, configs, runs_here(launcher), at_once, space, trials)


def settings_of(config: DictConfig) -> SearchConfig:
    """The checked keys of `hydra.sweeper`; raises `UserError` for a value out of bounds."""
    return validated(SearchConfig, plain(config.hydra.sweeper), "hydra.sweeper")


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
        for seed in filter(SEED.match, job):
            composed[arm].seed = parser.parse_override(seed).value()  # the schema makes a number of it
        configs.append(checked(composed[arm]))
    return configs


def check_encoder_keys(config: DictConfig, configs: list[RunConfig]) -> None:
    """Refuse a rate or a draw that the command line gives an encoder that nobody has, and warn of a key that
    no job's encoder has. A YAML file may name encoders of other folders and other sweeps.

    Args:
        config: as Hydra composed it.
        configs: of all jobs; one of them may have an encoder of another name than its file.
    """
    named = []
    for override in OverridesParser.create().parse_overrides(list(config.hydra.overrides.task)):
        section, _, name = override.key_or_group.rpartition(".")
        value = override.value()
        if section in NAMING_ENCODERS:
            named.append((section, name))
        elif override.key_or_group in NAMING_ENCODERS and isinstance(value, dict):
            named += [(override.key_or_group, str(name)) for name in value]
        elif section == "encoder" and value is not None and all(getattr(c.encoder, name) is None for c in configs):
            log.warning("encoder.%s: has no effect, since none of these encoders has it", name)
    if named:
        known = sorted({*encoder_names(), *(job_config.encoder.name for job_config in configs)})
        for section, name in named:
            if name not in known:
                raise UserError(unknown_key(f"{section}.{name}", known))


def name_of(config: DictConfig, study: str) -> str:
    """A sweep's name: its study, or else its overrides, without signs that Hydra and MLflow read as their own; of long
    ones the beginning and a digest."""
    overrides = " ".join(config.hydra.overrides.task)
    if study != SINGLE or not overrides:
        return study
    name = re.sub(r"['\"\\$]", "", overrides)
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}... {digest_of([name])[:8]}"


def runs_here(launcher: DictConfig) -> bool:
    """Whether the jobs run on this machine, so that what it lacks they lack too."""
    return launcher._target_ in (BASIC, JOBLIB, PROCESSES)


def digest_of(parts: list[str]) -> str:
    """The beginning of the SHA-256 of some texts."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def check_launcher(launcher: DictConfig) -> None:
    """Raise `UserError` for a Slurm cluster that is not here, and for no jobs at once."""
    if launcher._target_ == SLURM and not shutil.which("sbatch"):
        raise UserError("hydra/launcher=slurm: no sbatch here; start the sweep on a login node of the cluster")
    if launcher._target_ == JOBLIB and launcher.n_jobs == 0:
        raise UserError("hydra.launcher.n_jobs=0: expected how many jobs run at once; -1 is one for each core")


def jobs_at_once(launcher: DictConfig, jobs: int) -> int:
    """How many of a sweep's jobs share the cores that each of them sees; a scheduler gives every job its own."""
    if launcher._target_ == JOBLIB:
        count = launcher.n_jobs
        return min(jobs, max(1, runtime.cores() + 1 + count) if count < 0 else count)
    return jobs if launcher._target_ == PROCESSES else 1


def trials_at_once(launcher: DictConfig, settings: Any) -> int:
    """How many trials of a search are launched together. More of them at once learn less from each other."""
    return settings.at_once or (jobs_at_once(launcher, settings.trials) if launcher._target_ == JOBLIB else 1)


def set_for_jobs(config: DictConfig, study: str, at_once: int) -> list[str]:
    """Overrides that are added to every job, for what the user has not set. A job's configuration is composed where it
    runs, on another machine maybe, and its overrides are what each launcher takes there."""
    added = [f"study={quoted(study)}"] if study != config.study else []
    if at_once > 1 and OmegaConf.select(config, "trainer.jobs_at_once") is None:
        added += [f"trainer.jobs_at_once={at_once}"]
    with read_write(config), open_dict(config):
        config.hydra.overrides.task += added
        if config.hydra.sweeper._target_ != SEARCH:
            config.hydra.sweeper._target_ = GRID
    return added


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
    from sentiment_rnn.report.tables import Table, new_console, show  # which no run needs

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
    if any(run.diverged for run in runs if run.tags.get(STUDY_TAG) == plan.study):
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
